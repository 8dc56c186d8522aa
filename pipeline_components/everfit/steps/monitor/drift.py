"""Drift of one span: hard checks, then a test and an effect size for each column.

A column has drifted where two things hold. It is *significant*: its p-value, in which dependence in
time is allowed for (see ``dispersion``), stays below the level after Holm's correction over all
columns. And it *matters*: its distance from the reference (see ``effect``) is large enough. Noise
fails the first at any number of rows, trifles fail the second.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from everfit.contracts.base import Frozen
from everfit.contracts.messages.monitoring import ColumnDrift, HardCheck
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.monitor import MonitorSpec
from everfit.ml.scoring.holm import holm
from everfit.steps.monitor.cells import outside
from everfit.steps.monitor.column_questions import Asked, Side, clustering, sides_of
from everfit.steps.monitor.dispersion import ENOUGH, SPANS, Spread, different_columns, moderate
from everfit.steps.monitor.effect import without_noise
from everfit.steps.monitor.hard_checks import for_people, hard_checks
from everfit.steps.monitor.movement import how_it_moved, how_spans_differ
from everfit.steps.monitor.reference import Reference, prepare_reference

SINGLE = 2.0
"""Rows are taken one by one where up to so many say no more than one: estimates vary."""


class DriftMeasured(Frozen):
    """All that is said of one span's inputs."""

    state: Literal["measured", "broken", "too_small"]
    checks: tuple[HardCheck, ...]
    columns: tuple[ColumnDrift, ...]
    """The most drifted first; without those that failed a check, and without timestamps."""
    dispersion: str


def measure_drift(
    reference: Sequence[SpanStatistics],
    current: SpanStatistics,
    past: Sequence[SpanStatistics],
    spec: MonitorSpec,
    columns: Sequence[str],
    importances: Mapping[str, float],
) -> DriftMeasured:
    """Compare one span with the champion's window; see ``measure_against`` for many spans.

    Parameters
    ----------
    reference : sequence of SpanStatistics
        The champion's training spans, oldest first.
    current : SpanStatistics
    past : sequence of SpanStatistics
        All older spans, oldest first, the reference's among them: how much spans of this pipeline
        differ normally.
    spec : MonitorSpec
    columns : sequence of str
        To be compared: those the champion reads.
    importances : mapping of str to float
        Column → share of the champion's importance; may be empty.
    """
    return measure_against(prepare_reference(reference, past, columns), current, spec, importances)


def measure_against(
    reference: Reference,
    current: SpanStatistics,
    spec: MonitorSpec,
    importances: Mapping[str, float],
    reads: Collection[str] | None = None,
) -> DriftMeasured:
    """Compare one span with a prepared reference.

    Parameters
    ----------
    reference : Reference
    current : SpanStatistics
    spec : MonitorSpec
    importances : mapping of str to float
        Column → share of the champion's importance; may be empty.
    reads : collection of str, optional
        Columns the champion reads: what is wrong with others does not break a span. None: all.
    """
    reference = reference.without(current.digest)
    found_wrong = hard_checks(reference, current, spec)
    checks = tuple(for_people(check, reads) for check in found_wrong)
    if current.rows < spec.min_rows or not current.rows:
        state: Literal["broken", "too_small"] = "too_small" if current.rows else "broken"
        return DriftMeasured(state=state, checks=checks, columns=(), dispersion="")
    failed = {check.column for check in found_wrong if check.severity == "error"}
    sides = {}
    for name in reference.columns:
        column = current.column(name)
        if column is not None and name not in failed:
            asked = sides_of(reference, name, column)
            if asked:
                sides[name] = asked
    common = clustering(list(sides.values()))
    for name, asked in sides.items():
        together = max(common, *(side.together for side in asked))
        column = current.column(name)
        if together > SINGLE and column is not None:
            sides[name] = sides_of(reference, name, column, together)
    allowed = _allow_for_dependence(sides, len(reference.history))
    chosen = {
        name: _choose(asked, [allowed[name, place] for place in range(len(asked))], spec)
        for name, asked in sides.items()
    }
    adjusted = holm([column.p_value for column in chosen.values()])
    compared = []
    for (name, found), corrected in zip(chosen.items(), adjusted, strict=True):
        old, new = reference.window.column(name), current.column(name)
        if old is None or new is None:
            continue
        compared.append(
            ColumnDrift(
                name=name,
                kind=found.side.kind,
                score=found.score,
                measure=found.side.distance.measure,
                p_value=found.p_value,
                adjusted=corrected,
                assessed=found.assessed,
                significant=corrected < spec.level,
                drifted=corrected < spec.level and found.score >= spec.effect,
                depends=importances.get(name),
                outside=outside(old, new),
                message=how_it_moved(found.side.kind, old, new),
            )
        )
    compared.sort(key=lambda c: (not c.drifted, -c.score, c.name))
    spreads = [
        spread
        for asked in sides.values()
        for side in asked
        for question in side.asked
        for spread in (question.spread, question.successive)
    ]
    return DriftMeasured(
        state="broken" if any(check.severity == "error" for check in checks) else "measured",
        checks=checks,
        columns=tuple(compared),
        dispersion=how_spans_differ(spreads, len(reference.history)),
    )


def _allow_for_dependence(
    sides: Mapping[str, tuple[Side, ...]], spans: int
) -> dict[tuple[str, int], float | None]:
    """(Column, side) → p-value, its questions taken together; None: the past is too short."""
    asked = [
        (name, place, question)
        for name, found in sides.items()
        for place, side in enumerate(found)
        for question in side.asked
    ]
    p_values: dict[tuple[str, int], float | None] = {
        (name, place): 1.0 if spans >= SPANS else None
        for name, found in sides.items()
        for place in range(len(found))
    }
    for topic in sorted({question.name for _, _, question in asked}):
        same = [entry for entry in asked if entry[2].name == topic]
        # Few columns with such a question: all questions inform it, after its own.
        others = [] if len(same) >= ENOUGH else [e for e in asked if e[2].name != topic]
        informing = [question for _, _, question in (*same, *others)]
        apart = _moderated([question.spread for question in informing])
        next_to = _moderated([question.successive for question in informing])
        for index, (name, place, question) in enumerate(same):
            known = p_values[name, place]
            if known is None or not question.successive.comparisons:
                p_values[name, place] = None
                continue
            p_value = max(
                _p_value(question, question.spread, *apart[index]),
                _p_value(question, question.successive, *next_to[index]),
            )
            p_values[name, place] = min(known, p_value / question.share)
    return p_values


def _moderated(spreads: Sequence[Spread]) -> list[tuple[float, float]]:
    """Variance and degrees of freedom of each, informed by the others where it says something."""
    chosen = [i for i, spread in enumerate(spreads) if spread.comparisons and spread.variance > 0]
    variances, freedom = moderate(
        [spreads[i].variance for i in chosen],
        [spreads[i].freedom for i in chosen],
        different_columns([spreads[i].squares for i in chosen]),
    )
    found = [(1.0, np.inf)] * len(spreads)
    for i, variance, known in zip(chosen, variances, freedom, strict=True):
        found[i] = (float(variance), float(known))
    return found


def _p_value(question: Asked, spread: Spread, variance: float, freedom: float) -> float:
    """Of no drift: never below that of independent rows."""
    from scipy.special import fdtrc

    if not np.isfinite(freedom):
        return question.alone
    # What spans differ by beyond their rows' noise does not shrink as rows are added.
    dispersion = 1 + max(0.0, variance - 1) * spread.growth
    ratio = question.square / (question.dims * dispersion)
    return max(question.alone, float(fdtrc(spread.dims, freedom, ratio)))


class _Chosen(NamedTuple):
    """What counts of one column."""

    side: Side
    score: float
    p_value: float
    assessed: bool


def _choose(sides: Sequence[Side], p_values: Sequence[float | None], spec: MonitorSpec) -> _Chosen:
    """The side of a column that counts: the surest one that matters, else the largest."""
    found = [
        _Chosen(
            side,
            without_noise(side.distance),
            1.0 if p_value is None else min(1.0, p_value),
            p_value is not None,
        )
        for side, p_value in zip(sides, p_values, strict=True)
    ]
    matters = [entry for entry in found if entry.score >= spec.effect]
    if matters:
        return min(matters, key=lambda entry: (entry.p_value, -entry.score))
    return max(found, key=lambda entry: entry.score)
