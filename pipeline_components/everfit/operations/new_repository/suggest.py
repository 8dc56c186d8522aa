"""What a table suggests for a pipeline: its target, task, metric, time, and what names a row."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.expression import columns_of, parse_expression
from everfit.contracts.spec.metric import Task
from everfit.contracts.spec.metrics import METRICS

USUAL_TARGETS = ("target", "label", "class", "outcome", "y")
FEW = 10
"""So many different whole numbers at most are taken for classes."""

BASELINES = {"mae": "median", "median_ae": "median"}
"""Metric → the dummy of a number that is hardest to beat by it; else the mean, or the prior."""


@dataclass(frozen=True)
class Target:
    """A target, as a column or as an expression with a name."""

    name: str
    expression: str | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """``tips``, or ``generous = tips > 0.2 * fare``."""
        found = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*=(?!=)\s*(.+)", text)
        return cls(found[1], found[2].strip()) if found else cls(text)


def suggest_target(table: SpanStatistics) -> str:
    """The column that is called like a target, else the last one."""
    names = [column.name for column in table.columns]
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in USUAL_TARGETS if name in by_lower), names[-1])


def check_target(target: Target, table: SpanStatistics) -> None:
    """Make sure that a target can be learned from this table.

    Raises
    ------
    UserError
        If it names a column that is not there, or one without two different values.
    """
    names = [column.name for column in table.columns]
    if target.expression is None:
        missing = [] if target.name in names else [target.name]
    else:
        try:
            missing = sorted(columns_of(target.expression) - set(names))
        except ValueError as error:
            raise UserError(
                "INIT-TARGET",
                target.name,
                "a target is a column, or name = expression",
                str(error),
                "See docs/reference/spec.md for what an expression may be",
            ) from None
    if missing:
        raise UserError(
            "INIT-TARGET",
            missing[0],
            "a target is a column of the data, or computed from its columns",
            f"the columns are {shortlist(names, 20)}",
            "Name one of them with --target",
        )
    column = table.column(target.name) if target.expression is None else None
    if column is not None and column.distinct < 2:
        raise UserError(
            "INIT-TARGET",
            target.name,
            "a target has at least two different values",
            f"it has {column.distinct}",
            "Name another column with --target",
        )


def suggest_task(target: Target, table: SpanStatistics) -> Task:
    """The kind of target that its values look like."""
    if target.expression is not None:
        return "binary" if _is_condition(parse_expression(target.expression).body) else "regression"
    column = table.column(target.name)
    assert column is not None
    if column.distinct == 2 or column.type == "boolean":
        return "binary"
    if column.type == "string" or (column.type == "integer" and column.distinct <= FEW):
        return "multiclass"
    return "regression"


def suggest_time(table: SpanStatistics) -> str | None:
    """The first timestamp column without gaps that tells rows apart about as well as any."""
    found = [c for c in table.columns if c.type == "timestamp" and not c.missing and c.distinct > 1]
    most = max((column.distinct for column in found), default=0)
    return next((column.name for column in found if 2 * column.distinct > most), None)


def names_of_rows(table: SpanStatistics, but: frozenset[str]) -> list[str]:
    """Columns of whole numbers or texts that differ in every row: they name it."""
    return [
        column.name
        for column in table.columns
        if column.name not in but and _names_a_row(column) and table.rows > 1
    ]


def _names_a_row(column: ColumnStatistics) -> bool:
    every = (
        column.distinct >= column.rows
        if column.distinct_exact
        else (column.distinct > 0.97 * column.rows)
    )
    return column.type in ("integer", "string") and every


def baseline_of(task: Task, metric: str) -> str:
    """The dummy that a first candidate must beat."""
    if task != "regression":
        return "prior"
    return BASELINES.get(metric, "mean")


def margin_of(metric: str) -> str:
    """How much better is better: a hundredth, of the score or of a scale from 0 to 1."""
    known = METRICS[metric]
    return "0.01" if known.greater_is_better and known.highest == 1 else "1%"


def _is_condition(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "isnull"
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return negated or isinstance(node, (ast.Compare, ast.BoolOp))
