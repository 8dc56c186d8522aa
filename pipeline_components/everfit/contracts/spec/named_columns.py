"""The columns a spec names, and where: to say which of them a table does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from everfit.contracts.errors import shortlist
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.pipeline import PipelineSpec


def named_columns(spec: PipelineSpec) -> Iterator[tuple[str, str]]:
    """Pairs of field path and column; a column named twice comes twice."""
    if spec.target.expression is None:
        yield "target", spec.target.name
    for column in sorted(spec.target_columns):
        yield "target.expression", column
    if spec.time:
        yield "time", spec.time
    for column in sorted(columns_of(spec.weight) if spec.weight else ()):
        yield "weight", column
    for field, columns in (
        ("entity", spec.entity),
        ("key", spec.key),
        ("source.columns", spec.source.columns or ()),
        ("features.drop", spec.features.drop),
        ("features.keep", spec.features.keep),
    ):
        for column in columns:
            yield field, column
    derived = set(spec.features.derive)
    for name, text in spec.features.derive.items():
        for column in sorted(columns_of(text) - derived):
            yield f"features.derive.{name}", column
    for part in spec.slices:
        for column in sorted(columns_of(part.where)):
            yield f"slices.{part.name}", column
    for number, item in enumerate(spec.gate.fairness):
        yield f"gate.fairness.{number}.by", item.by


def missing_columns(spec: PipelineSpec, there: Iterable[str], span: str) -> list[str]:
    """A problem line for each column the spec names and the table does not have."""
    known = list(there)
    problems = []
    for field, column in named_columns(spec):
        if column not in known:
            near = get_close_matches(column, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {shortlist(known)}"
            problems.append(f"{field}: column {column!r} is not in {span}; {hint}")
    return problems
