"""What is strange about a span beside the spans before it.

A span is compared with each of several good spans before it, and only what sets it apart from most
of them counts, so one odd month neither raises an alarm later nor hides one. The first span has
none before it: it is compared with the next three, and only a disagreement with all of them, in
units or type, counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec, ValidateSpec
from everfit.contracts.wording import percent, plain
from everfit.ml.profiles.bins import Cells, from_bins, quantile
from everfit.ml.profiles.unify_columns import are_truths
from everfit.steps.validate.findings import Findings, some_of

BEFORE = 6
"""Good spans before a span that it is compared with."""

AFTER = 3
"""Spans after the first one that it is compared with."""

_ENOUGH = 30


class Past(NamedTuple):
    """What a span is compared with."""

    spans: tuple[SpanStatistics, ...]
    agree: int
    """So many of them must differ before it counts."""
    backwards: bool
    """True for the first span, which is compared with later ones."""


def past_of(index: int, statistics: Sequence[SpanStatistics], good: Sequence[bool]) -> Past:
    """The spans that span ``index`` is compared with, given the judgement of those before it."""
    before = [
        past
        for past, fine in zip(statistics[:index], good[:index], strict=True)
        if fine and past.rows
    ][-BEFORE:]
    if before:
        return Past(tuple(before), len(before) // 2 + 1, False)
    after = [later for later in statistics[index + 1 :] if later.rows][:AFTER]
    if len(after) < 2:
        return Past((), 1, False)
    return Past(tuple(after), len(after), True)


def check_history(
    statistics: SpanStatistics, past: Past, spec: PipelineSpec, findings: Findings
) -> None:
    """Units, types, missing values, columns and categories against the spans before."""
    if not past.spans or not statistics.rows:
        return
    for column in statistics.columns:
        before = [known for span in past.spans if (known := span.column(column.name))]
        _check_type(column, before, past, findings)
        _check_units(column, before, past, spec.validation, findings)
        if past.backwards:
            continue
        if len(past.spans) - len(before) >= past.agree:
            findings.add(
                "EXTRA-COLUMN",
                "warning",
                f"{_most(past, len(before), 'do not have')} the column",
                column.name,
            )
        if before:
            _check_nulls(column, before, past, spec.validation, findings)
            _check_categories(column, before, findings)
    if not past.backwards:
        _check_missing(statistics, past, findings)


def _most(past: Past, without: int, verb: str) -> str:
    count = len(past.spans) - without
    of = "the span" if len(past.spans) == 1 else f"{count} of the {len(past.spans)} spans"
    return f"{of} before {verb if count > 1 else verb.replace('do ', 'does ')}"


def _check_missing(statistics: SpanStatistics, past: Past, findings: Findings) -> None:
    here = {column.name for column in statistics.columns}
    for name in sorted({column.name for span in past.spans for column in span.columns} - here):
        having = sum(span.column(name) is not None for span in past.spans)
        if having >= past.agree:
            findings.add(
                "MISSING-COLUMN",
                "error",
                f"{having} of the {len(past.spans)} spans before had the column: it is not there",
                name,
            )


def _check_type(
    column: ColumnStatistics, before: Sequence[ColumnStatistics], past: Past, findings: Findings
) -> None:
    if column.all_missing:
        return
    others = [known for known in before if not known.all_missing]
    differing = [known.type for known in others if not _compatible(known, column)]
    if differing and len(differing) >= _needed(len(others), past):
        where = "after" if past.backwards else "before"
        findings.add(
            "TYPE-CHANGE",
            "error",
            f"{len(differing)} of {len(others)} spans {where} hold {differing[-1]}; "
            f"this one holds {column.type}",
            column.name,
        )


def _compatible(one: ColumnStatistics, other: ColumnStatistics) -> bool:
    """Whether two spans hold one type: whole numbers are numbers, and 1 and 0 are booleans."""
    if are_truths(one) and are_truths(other):
        return True
    return one.type == other.type or {one.type, other.type} == {"integer", "float"}


def _needed(comparable: int, past: Past) -> int:
    """How many of the spans that can be compared at all must differ."""
    return max(comparable, 2) if past.backwards else comparable // 2 + 1


def _check_units(
    column: ColumnStatistics,
    before: Sequence[ColumnStatistics],
    past: Past,
    rules: ValidateSpec,
    findings: Findings,
) -> None:
    here = magnitudes(column)
    if here is None:
        return
    factors = []
    for known in before:
        there = magnitudes(known)
        if there is not None:
            factors.append(_factor(here, there))
    alike: list[Callable[[float], bool]] = [
        lambda factor: factor >= rules.unit_factor,
        lambda factor: factor <= 1 / rules.unit_factor,
    ]
    for beyond in alike:
        strange = [factor for factor in factors if beyond(factor)]
        if strange and len(strange) >= _needed(len(factors), past):
            factor = median(strange)
            where = "after" if past.backwards else "before"
            word = f"{plain(factor)} times" if factor > 1 else f"1/{plain(1 / factor)} of"
            findings.add(
                "UNIT-CHANGE",
                "error",
                f"the typical value ({plain(here[1])}) is {word} that of {len(strange)} of "
                f"{len(factors)} spans {where}; a factor of {plain(rules.unit_factor)} looks like "
                "a change of units",
                column.name,
            )


def magnitudes(column: ColumnStatistics) -> tuple[float, float, float] | None:
    """Quartiles of the absolute values that are not zero, or None where there are too few.

    Zeros are left out and signs do not count, so a column that is mostly zero or spread around it
    has a magnitude too. Timestamps have none: their zero is arbitrary.
    """
    if column.bins is None or column.type not in ("integer", "float"):
        return None
    low, high, mass = from_bins(column.bins)
    size = np.abs(low / 2 + high / 2)
    held = size > 0
    if mass[held].sum() < _ENOUGH:
        return None
    order = np.argsort(size[held], kind="stable")
    cells = Cells(size[held][order], size[held][order], mass[held][order])
    first, middle, third = quantile(cells, np.array([0.25, 0.5, 0.75])).tolist()
    return first, middle, third


def _factor(here: tuple[float, ...], there: tuple[float, ...]) -> float:
    """By what the magnitude changed: units move the median and the quartiles alike.

    The change of the median, held back by that of the quartile that moved more with it; 1 where
    they moved apart.
    """
    with np.errstate(over="ignore"):
        quarter, half, last = (float(np.divide(a, b)) for a, b in zip(here, there, strict=True))
    if half >= 1:
        return max(min(half, max(quarter, last)), 1.0)
    return min(max(half, min(quarter, last)), 1.0)


def _check_nulls(
    column: ColumnStatistics,
    before: Sequence[ColumnStatistics],
    past: Past,
    rules: ValidateSpec,
    findings: Findings,
) -> None:
    rises = [column.missing - known.missing for known in before]
    needed = _needed(len(before), past)
    usual = median(known.missing for known in before)
    if sum(rise > rules.max_null_jump for rise in rises) >= needed:
        findings.add(
            "NULL-JUMP",
            "error",
            f"{percent(column.missing)} of {column.rows:,} values are missing, after "
            f"{percent(usual)} in the spans before",
            column.name,
        )
    elif sum(rise < -rules.max_null_jump for rise in rises) >= needed:
        findings.add(
            "NULL-DROP",
            "warning",
            f"{percent(column.missing)} of {column.rows:,} values are missing, after "
            f"{percent(usual)} in the spans before",
            column.name,
        )


def _check_categories(
    column: ColumnStatistics, before: Sequence[ColumnStatistics], findings: Findings
) -> None:
    known = [past for past in before if past.type == "string" and not past.all_missing]
    if column.type != "string" or not known or not all(p.categories_complete for p in known):
        return
    seen = {text for past in known for text, _ in past.categories or ()}
    new = [(text, count) for text, count in column.categories or () if text not in seen]
    if new:
        findings.add(
            "NEW-CATEGORY",
            "warning",
            f"{sum(count for _, count in new):,} of {column.rows:,} values are new: "
            f"{some_of(text for text, _ in new)}",
            column.name,
        )
