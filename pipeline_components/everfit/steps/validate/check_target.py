"""What is strange about a span's target."""

from __future__ import annotations

from everfit.contracts.messages.statistics import ColumnStatistics
from everfit.contracts.spec.metrics import Task
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import percent
from everfit.steps.validate.findings import Findings
from everfit.steps.validate.target_profile import TargetProfile


def check_target(target: TargetProfile, spec: PipelineSpec, findings: Findings) -> None:
    """Missing, constant, of the wrong kind, or given away by a feature."""
    name, column = spec.target.name, target.statistics
    if column is None:
        findings.add("TARGET-MISSING", "error", target.problem or "there is no target", name)
        return
    if not column.rows:
        return
    if column.all_missing:
        findings.add("TARGET-MISSING", "error", f"none of {column.rows:,} rows has a target", name)
        return
    if column.missing > 0:
        findings.add(
            "TARGET-MISSING",
            "info",
            f"{column.nulls + column.nans:,} of {column.rows:,} rows ({percent(column.missing)}) "
            "have no target and are left out",
            name,
        )
    if column.distinct < 2:
        only = column.categories[0][0] if column.categories else column.min
        what = "the only value" if spec.task == "regression" else "the only class"
        findings.add("TARGET-CONSTANT", "error", f"{only} is {what} in {column.rows:,} rows", name)
    problem = _misfit(column, spec.task)
    if problem:
        findings.add("TARGET-TYPE", "error", problem, name)
    for feature, reason in target.leaks.items():
        findings.add("TARGET-LEAK", "error", f"gives the target {name!r} away: {reason}", feature)


def _misfit(column: ColumnStatistics, task: Task) -> str | None:
    if task == "regression" and column.type not in ("integer", "float", "boolean"):
        return f"a regression predicts numbers; the target is of type {column.type}"
    if task != "regression" and column.type == "timestamp":
        return "a classification predicts classes; the target is a timestamp"
    if task == "binary" and column.distinct > 2:
        return f"a binary task has two classes; the target has {column.distinct:,} values"
    return None
