"""One span, held against the champion: hard checks, drift, decay, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from pipeline_components.context import Context
from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.monitoring import (
    ColumnDrift,
    HardCheck,
    MonitorRequest,
    Rise,
    SpanEvaluation,
)
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.statistics import SpanStatistics
from pipeline_components.statistics.cache import statistics_of_spans

from .champion_at_work import ChampionAtWork
from .drift import DriftMeasured, measure_against
from .reference import Reference, prepare_reference


class Evaluator:
    """Evaluates spans, oldest first; what they share is read once.

    Attributes
    ----------
    notes : list of str
        What could not be measured, a sentence each.
    """

    def __init__(self, request: MonitorRequest, context: Context) -> None:
        self.request, self.context = request, context
        self.champion = ChampionAtWork(request, context)
        self.notes = self.champion.notes
        if not request.champion.importances:
            self.notes.append(
                f"the record of champion v{request.champion.version} does not say which columns "
                "its predictions depend on: each that it reads is taken to matter"
            )

    def evaluate(self, span: Span) -> SpanEvaluation:
        """All that is to be measured of a span; a sound one is part of the past from then on."""
        ((current,), _) = statistics_of_spans(self.context, [span])
        drift = self._drift(current)
        rises: tuple[Rise, ...] = ()
        notes: list[str] = []
        if drift.state == "measured":
            self.reference = self.reference.and_then(current)
            rises, notes = self.champion.rises(span)
            self.notes += [f"{span.name}: {note}" for note in notes]
        return SpanEvaluation(
            span=span,
            state=drift.state,
            checks=drift.checks,
            columns=drift.columns,
            rises=rises,
            because=sentence(drift, rises, notes),
            dispersion=drift.dispersion,
        )

    @cached_property
    def reference(self) -> Reference:
        """The champion's window, and the past that says how much spans differ normally."""
        window, _ = statistics_of_spans(self.context, self.request.reference)
        past, _ = statistics_of_spans(self.context, self.request.past)
        columns = compared_columns(self.request.pipeline, window, self.request.champion)
        return prepare_reference(window, past, columns)

    def _drift(self, current: SpanStatistics) -> DriftMeasured:
        spec, champion = self.request.pipeline, self.request.champion
        depends = dependence(champion, self.reference.columns)
        return measure_against(self.reference, current, spec.monitor, depends)


def compared_columns(
    spec: PipelineSpec, window: Sequence[SpanStatistics], champion: ChampionRef
) -> tuple[str, ...]:
    """Those the spec names, else every column but the target, which may be late."""
    if spec.monitor.columns is not None:
        return spec.monitor.columns
    there = dict.fromkeys(column.name for span in window for column in span.columns)
    late = {spec.target.name, *spec.target_columns} - set(champion.features)
    return tuple(name for name in there if name not in late)


def dependence(champion: ChampionRef, columns: Sequence[str]) -> Mapping[str, float]:
    """Column → share of the champion's importance; without those of which it is not known.

    What the champion does not read has none. Where permuting made a score better by chance, the
    importance counts as 0.
    """
    known = {name: max(value, 0.0) for name, value in champion.importances.items()}
    total = sum(known.values())
    reads = set(champion.features)
    shares = {name: 0.0 for name in columns if reads and name not in reads}
    if total > 0:
        shares |= {name: known[name] / total for name in columns if name in known}
    return shares


def sentence(drift: DriftMeasured, rises: Sequence[Rise], notes: Sequence[str]) -> str:
    """What was measured of a span, in a sentence."""
    if drift.state != "measured":
        what = "broken" if drift.state == "broken" else "too small"
        return f"{what}: {_failed(drift.checks)}"
    parts = [_drifted(drift.columns)] if drift.columns else []
    parts += [_risen(rise) for rise in rises]
    if not rises and notes:
        parts.append(notes[-1])
    return "; ".join(parts) or "nothing could be compared"


def _drifted(columns: Sequence[ColumnDrift]) -> str:
    drifted = [column for column in columns if column.drifted]
    if not drifted:
        return f"none of {len(columns)} columns drifted"
    named = shortlist((f"{column.name} ({column.score:.2g})" for column in drifted), most=3)
    return f"{len(drifted)} of {len(columns)} columns drifted: {named}"


def _failed(checks: Sequence[HardCheck]) -> str:
    errors = [check.message for check in checks if check.severity == "error"]
    return shortlist(errors or [check.message for check in checks], most=3)


def _risen(rise: Rise) -> str:
    whose = {"champion": "", "logged": " as served"}[rise.source]
    how = "about " if rise.estimated else ""
    text = f"{rise.metric}{whose} {how}{rise.current:.4g}, {rise.reference:.4g} when it was judged"
    if rise.estimated:
        return f"{text} (an estimate: labels are late)"
    if rise.worse <= 0:
        return f"{text}: not worse"
    if rise.low <= 0:
        return f"{text}: {rise.worse:.3g} worse, which may be chance"
    return f"{text}: {rise.worse:.3g} worse, at least {rise.low:.3g}"
