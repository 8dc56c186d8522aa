"""Drift of one span: hard checks, then a test and an effect size for each column.

A column has drifted where two things hold. It is *significant*: its p-value, in which dependence in
time is allowed for (see ``dispersion``), stays below the level after Holm's correction over all
columns. And it *matters*: its distance from the reference (see ``effect``) is large enough. Noise
fails the first at any number of rows, trifles fail the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from pipeline_components.contracts.base import Frozen
from pipeline_components.contracts.monitor_spec import MonitorSpec
from pipeline_components.contracts.monitoring import ColumnDrift, HardCheck
from pipeline_components.contracts.statistics import SpanStatistics
from pipeline_components.monitor.column_questions import Asked, Side, sides_of
from pipeline_components.monitor.dispersion import ENOUGH, moderate
from pipeline_components.monitor.effect import without_noise
from pipeline_components.monitor.hard_checks import hard_checks
from pipeline_components.monitor.movement import how_it_moved, how_spans_differ
from pipeline_components.monitor.reference import Reference, prepare_reference
from pipeline_components.scoring.holm import holm


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
    """Hold one span against the champion's window; see ``measure_against`` for many spans.

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
) -> DriftMeasured:
    """Hold one span against a prepared reference."""
    reference = reference.without(current.digest)
    checks = hard_checks(reference, current, spec)
    if current.rows < spec.min_rows or not current.rows:
        state: Literal["broken", "too_small"] = "too_small" if current.rows else "broken"
        return DriftMeasured(state=state, checks=checks, columns=(), dispersion="")
    failed = {check.column for check in checks if check.severity == "error"}
    sides = {}
    for name in reference.columns:
        column = current.column(name)
        if column is not None and name not in failed:
            found = sides_of(reference, name, column)
            if found:
                sides[name] = found
    allowed = _allow_for_dependence(sides)
    chosen = {
        name: _choose(found, [allowed[name, place] for place in range(len(found))], spec)
        for name, found in sides.items()
    }
    adjusted = holm([p for _, _, p in chosen.values()])
    compared = []
    for (name, (side, score, p_value)), corrected in zip(chosen.items(), adjusted, strict=True):
        old, new = reference.window.column(name), current.column(name)
        if old is None or new is None:
            continue
        compared.append(
            ColumnDrift(
                name=name,
                kind=side.kind,
                score=score,
                measure=side.distance.measure,
                p_value=p_value,
                adjusted=corrected,
                significant=corrected < spec.level,
                drifted=corrected < spec.level and score >= spec.effect,
                depends=importances.get(name),
                message=how_it_moved(side.kind, old, new),
            )
        )
    compared.sort(key=lambda c: (not c.drifted, -c.score, c.name))
    spreads = [asked.spread for found in sides.values() for side in found for asked in side.asked]
    return DriftMeasured(
        state="broken" if failed else "measured",
        checks=checks,
        columns=tuple(compared),
        dispersion=how_spans_differ(spreads, len(reference.history)),
    )


def _allow_for_dependence(sides: Mapping[str, tuple[Side, ...]]) -> dict[tuple[str, int], float]:
    """(Column, side) → p-value, its questions taken together."""
    asked = [
        (name, place, question)
        for name, found in sides.items()
        for place, side in enumerate(found)
        for question in side.asked
    ]
    p_values = {(name, place): 1.0 for name, found in sides.items() for place in range(len(found))}
    for topic in sorted({question.name for _, _, question in asked}):
        same = [entry for entry in asked if entry[2].name == topic]
        informed = [e[2] for e in same if _informed(e[2])]
        variances, freedom = moderate(
            [question.spread.variance for question in informed],
            [question.spread.freedom for question in informed],
        )
        known = dict(zip(map(id, informed), zip(variances, freedom, strict=True), strict=True))
        for name, place, question in same:
            p_value = _p_value(question, *known.get(id(question), (1.0, np.inf)))
            p_values[name, place] = min(p_values[name, place], p_value / question.share)
    return p_values


def _informed(question: Asked) -> bool:
    """Whether the past says something of this question."""
    return question.spread.comparisons >= ENOUGH and question.spread.variance > 0


def _p_value(question: Asked, variance: float, freedom: float) -> float:
    """Of no drift: never below that of independent rows."""
    from scipy.special import chdtrc, fdtrc

    spread = question.spread
    alone = float(chdtrc(question.dims, question.square))
    if not np.isfinite(freedom):
        return alone
    # What spans differ by beyond their rows' noise does not shrink as rows are added.
    dispersion = 1 + max(0.0, variance - 1) * spread.growth
    ratio = question.square / (question.dims * dispersion)
    return max(alone, float(fdtrc(spread.dims, freedom, ratio)))


def _choose(
    sides: Sequence[Side], p_values: Sequence[float], spec: MonitorSpec
) -> tuple[Side, float, float]:
    """The side of a column that counts: the surest one that matters, else the largest."""
    found = [
        (side, without_noise(side.distance), min(1.0, p_value))
        for side, p_value in zip(sides, p_values, strict=True)
    ]
    matters = [entry for entry in found if entry[1] >= spec.effect]
    if matters:
        return min(matters, key=lambda entry: (entry[2], -entry[1]))
    return max(found, key=lambda entry: entry[1])
