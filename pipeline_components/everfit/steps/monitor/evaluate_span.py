"""One span against the champion's training spans: hard checks, drift, decay, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.monitoring import (
    ColumnDrift,
    HardCheck,
    MonitorRequest,
    Rise,
    SpanEvaluation,
)
from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.readings import BrokenRule
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import SpanStatistics
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import amount, apart, plain
from everfit.engine.context import Context
from everfit.ml.profiles.cache import statistics_of_spans
from everfit.steps.monitor.champion_at_work import ChampionAtWork
from everfit.steps.monitor.drift import DriftMeasured, measure_against
from everfit.steps.monitor.life import Life
from everfit.steps.monitor.reference import Reference, prepare_reference
from everfit.steps.monitor.rule_checks import rows_left_out, rule_checks


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
        self.past = list(request.past)
        self.life = Life(request.pipeline.monitor.decay_level, request.lived)
        self.notes = self.champion.notes
        if not request.champion.importances:
            self.notes.append(
                f"the record of champion v{request.champion.version} does not say which columns "
                "its predictions depend on: each that it reads is taken to matter"
            )

    def evaluate(self, span: Span) -> SpanEvaluation:
        """All that is to be measured of a span; a sound one is part of the past from then on."""
        ((current,), _) = statistics_of_spans(self.context, [span])
        broken = self.request.rules.get(span.name, ())
        drift = _with_rules(self._drift(span, current), broken, self.request.pipeline)
        if left_out := rows_left_out(broken):
            self.notes.append(f"{span.name}: {left_out}")
        rises: tuple[Rise, ...] = ()
        notes: list[str] = []
        if drift.state == "measured":
            self.reference = self.reference.and_then(current)
            rises, notes = self.champion.rises(span, self.past)
            rises = self.life.tested(self.request.places.get(span.name), rises)
            self.past.append(span)
            self.notes += [f"{span.name}: {note}" for note in notes]
        return SpanEvaluation(
            span=span,
            state=drift.state,
            checks=drift.checks,
            columns=drift.columns,
            rises=rises,
            because=sentence(drift, rises, notes, self.request.pipeline.target.unit),
            dispersion=drift.dispersion,
            tested=self._tested(span, drift),
        )

    @cached_property
    def reference(self) -> Reference:
        """The champion's window, and the past that says how much spans differ normally."""
        window, _ = statistics_of_spans(self.context, self.request.reference)
        past, _ = statistics_of_spans(self.context, self.request.past)
        columns = compared_columns(self.request.pipeline, window, self.request.champion)
        return prepare_reference(window, past, columns)

    def _drift(self, span: Span, current: SpanStatistics) -> DriftMeasured:
        monitor, champion = self.request.pipeline.monitor, self.request.champion
        tested = self.request.tested.get(span.name)
        if tested is not None:
            monitor = monitor.model_copy(update={"level": tested.level})
        depends = dependence(champion, self.reference.columns)
        return measure_against(self.reference, current, monitor, depends, self.champion.reads)

    def _tested(self, span: Span, drift: DriftMeasured) -> DriftLevel | None:
        """What its drift was tested at, and whether other pipelines gain by what was found."""
        tested = self.request.tested.get(span.name)
        if tested is None or tested.repeated or drift.state != "measured":
            return tested
        found = any(one.drifted and one.adjusted < tested.share for one in drift.columns)
        return tested.model_copy(update={"counts": found})


def _with_rules(
    drift: DriftMeasured, broken: Sequence[BrokenRule], spec: PipelineSpec
) -> DriftMeasured:
    """The same, and what rules for rows say of the span; an error breaks it."""
    checks = rule_checks(broken, spec.validation.ignore)
    if not checks:
        return drift
    wrong = any(check.severity == "error" for check in checks)
    return drift.model_copy(
        update={
            "state": "broken" if wrong else drift.state,
            "checks": tuple(
                sorted((*checks, *drift.checks), key=lambda check: check.severity != "error")
            ),
        }
    )


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
    importance counts as 0. Columns that were only shuffled together have the importance of all.
    """
    known = {name: max(value, 0.0) for name, value in champion.importances.items()}
    rest = [group for group in champion.importance_groups if group.kind == "rest"]
    total = sum(known.values()) + sum(max(group.importance, 0.0) for group in rest)
    for group in rest:
        known |= dict.fromkeys(group.columns, max(group.importance, 0.0))
    reads = set(champion.features)
    shares = {name: 0.0 for name in columns if reads and name not in reads}
    if total > 0:
        shares |= {name: known[name] / total for name in columns if name in known}
    return shares


def sentence(
    drift: DriftMeasured, rises: Sequence[Rise], notes: Sequence[str], unit: str | None = None
) -> str:
    """What was measured of a span, in a sentence; ``unit`` is the target's."""
    if drift.state != "measured":
        what = "broken" if drift.state == "broken" else "too small"
        return f"{what}: {_failed(drift.checks)}"
    parts = [_drifted(drift.columns, drift.dispersion)] if drift.columns else []
    parts += [_risen(rise, metric_unit(rise.metric, unit)) for rise in rises]
    if not rises and notes:
        parts.append(notes[-1])
    return "; ".join(parts) or "nothing could be compared"


def _drifted(columns: Sequence[ColumnDrift], why: str) -> str:
    drifted = [column for column in columns if column.drifted]
    assessed = sum(column.assessed for column in columns)
    if not assessed:
        return f"drift is {why[:1].lower()}{why[1:]}"
    if not drifted:
        if assessed < len(columns):
            others = len(columns) - assessed
            return f"none of {assessed} columns drifted, and {others} could not be assessed"
        return f"none of {len(columns)} columns drifted"
    named = shortlist((f"{column.name} ({plain(column.score)})" for column in drifted), most=3)
    return f"{len(drifted)} of {len(columns)} columns drifted: {named}"


def _failed(checks: Sequence[HardCheck]) -> str:
    errors = [check.message for check in checks if check.severity == "error"]
    return shortlist(errors or [check.message for check in checks], most=3)


def _risen(rise: Rise, unit: str | None) -> str:
    whose = {"champion": "", "logged": " as served"}[rise.source]
    how = "about " if rise.estimated else ""
    current, reference = apart(rise.current, rise.reference, unit=unit)
    named = metric_title(rise.metric)
    text = f"{named}{whose} {how}{current}, {reference} when it was judged"
    if rise.estimated:
        return f"{text} (an estimate: labels are late)"
    if rise.attainable is not None:
        return f"{text}{_beyond_attainable(rise, unit)}"
    if rise.worse <= 0:
        return f"{text}: not worse"
    if rise.low <= 0:
        return f"{text}: {amount(rise.worse, unit)} worse, which may be chance"
    return f"{text}: {amount(rise.worse, unit)} worse, at least {amount(rise.low, unit)}"


def _beyond_attainable(rise: Rise, unit: str | None) -> str:
    """How it compares with what a fresh model would have scored."""
    attainable = amount(rise.yardstick, unit)
    text = f", {attainable} attainable by a fresh model"
    if rise.excess <= 0:
        return f"{text}: not worse"
    if rise.excess_low <= 0:
        return f"{text}: {amount(rise.excess, unit)} worse than that, which may be chance"
    least = amount(rise.excess_low, unit)
    return f"{text}: {amount(rise.excess, unit)} worse than that, at least {least}"
