"""Validate: statistics, judgement, choice and the data report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from everfit.contracts.base import Digest
from everfit.contracts.errors import AllRefused, NothingToDo, SourceError, shortlist
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.requests import ExtractResult, ValidateRequest, ValidateResult
from everfit.contracts.messages.spans import Span, by_rows
from everfit.contracts.messages.steps import News, Order
from everfit.contracts.messages.summaries import ValidateSummary
from everfit.contracts.spec.rules import rules_digest
from everfit.engine.context import Context
from everfit.engine.fingerprints import (
    code_digest,
    environment_digest,
    own_checks,
    run_key,
    spec_digest,
)
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.steps.validate.report.told_findings import told_findings
from everfit.storage.ledger.records import RunRecord


class Validate(Step[ValidateRequest, ValidateResult]):
    """Judge the spans, quarantine the bad ones, and choose window and holdout."""

    name = "validate"
    result_type = ValidateResult
    cached = True

    def request(self, order: Order, upstream: Upstream, _context: Context) -> ValidateRequest:
        """The snapshots in plan's order, and what the champion has seen."""
        plan = upstream.one("plan", PlanResult)
        extracted = upstream.one("extract", ExtractResult)
        labels = {
            one.span.name: one.labels for one in extracted.snapshots if one.labels is not None
        }
        found = {
            one.span.name: one.span
            for one in extracted.snapshots
            if one.labels is None or one.labels.mature
        }
        named = [found[ref.name] for ref in (*plan.window, *plan.holdout) if ref.name in found]
        times = {one.span.name: one.times for one in extracted.snapshots if one.times is not None}
        spans = by_rows(named, times)
        return ValidateRequest(
            pipeline=order.effective_pipeline,
            spans=spans,
            times=times,
            labels=labels,
            by_name=_by_name(plan, named, spans),
            skip_recent=order.effective_pipeline.window.skip_recent if plan.order_open else 0,
            readings={
                snapshot.span.name: snapshot.readings
                for snapshot in extracted.snapshots
                if snapshot.readings
            },
            rules={
                snapshot.span.name: snapshot.rules
                for snapshot in extracted.snapshots
                if snapshot.rules
            },
            champion_window=plan.champion.window if plan.champion else (),
            code=code_digest("run"),
            environment=environment_digest(),
            own_checks=own_checks(order.pipeline.gate.checks),
        )

    def run(self, request: ValidateRequest, context: Context) -> ValidateResult:
        """Judge the spans and choose among the good ones; a result also where it says stop."""
        from everfit.ml.profiles.unify_columns import unify_columns
        from everfit.steps.validate.check_labels import with_waiting
        from everfit.steps.validate.choose_spans import choose_spans
        from everfit.steps.validate.judge import Shown
        from everfit.steps.validate.judge_spans import judge_spans
        from everfit.steps.validate.report.data_report import data_report

        spec, spans = request.pipeline, request.spans
        statistics, artifacts, judged = judge_spans(
            context,
            spec,
            spans,
            Shown(request.readings, request.rules, request.times, request.by_name, request.labels),
        )
        good = tuple(span for span, one in zip(spans, judged, strict=True) if one.good)
        anomalies = tuple(anomaly for one in judged for anomaly in one.anomalies)
        choice = choose_spans(
            spec, spans, good, anomalies, request.champion_window, request.skip_recent
        )
        if choice.stop is not None and choice.stop.code == "VALIDATE-TOO-FEW":
            choice = choice._replace(stop=with_waiting(choice.stop, request.labels))
        known_good = [known for known, one in zip(statistics, judged, strict=True) if one.good]
        report = data_report(spec, spans, statistics, judged, choice)
        key = run_key(
            spec,
            choice.window,
            choice.holdout,
            request.code,
            request.environment,
            request.own_checks,
        )
        return ValidateResult(
            run_key=key,
            window=choice.window,
            holdout=choice.holdout,
            quarantined=tuple(
                span for span, one in zip(spans, judged, strict=True) if not one.good
            ),
            anomalies=anomalies,
            statistics={span.name: kept for span, kept in zip(spans, artifacts, strict=True)},
            report=context.store.put("data_report.html", report),
            columns=dict(unify_columns(known_good)),
            stop=choice.stop,
            rules=request.rules,
        )

    def record(
        self, request: ValidateRequest, result: ValidateResult, context: Context, order: Order
    ) -> None:
        """Record quarantines, and open the run where it goes on.

        Raises
        ------
        NothingToDo
            If too few spans are there, or none that the champion has not seen.
        AllRefused
            If enough are there, and too few of them are good.
        SourceError
            If every span says that the spec is wrong; then no span is quarantined for it.
        """
        stop, spec = result.stop, request.pipeline
        if stop is not None and stop.user_must_fix:
            raise SourceError(stop.code, spec.name, stop.must, stop.found, stop.todo)
        _record_quarantines(request, result, context)
        if stop is not None:
            raise (AllRefused if stop.all_refused else NothingToDo)(
                stop.code, spec.name, stop.must, stop.found, stop.todo
            )
        plan = Upstream(order, context).one("plan", PlanResult)
        context.ledger.open_run(
            spec.name,
            RunRecord(
                run_key=result.run_key,
                spec=spec_digest(spec),
                window=tuple(span.digest for span in result.window),
                holdout=tuple(span.digest for span in result.holdout),
                code=request.code,
                environment=request.environment,
                seed=spec.train.seed,
                champion=plan.champion,
                trigger=order.trigger,
            ),
        )

    def is_news(
        self, request: ValidateRequest, result: ValidateResult, context: Context, _cached: bool
    ) -> bool:
        """Whether a span is to be quarantined that is not yet; a copy left out again is no news."""
        known = context.ledger.quarantined(request.pipeline.name, rules_digest(request.pipeline))
        return bool(_to_record(request, result) - known.keys())

    def report(self, result: ValidateResult, _context: Context) -> StepReport:
        """Counts, and the data report."""
        severities = Counter(anomaly.severity for anomaly in result.anomalies)
        bad = len(result.quarantined)
        return StepReport(
            summary=ValidateSummary(
                good=len(result.statistics) - bad,
                quarantined=bad,
                errors=severities["error"],
                warnings=severities["warning"],
                remarks=severities["info"],
                run_key=result.run_key[:12],
                findings=told_findings(result.anomalies),
            ),
            reports={"data_report": result.report},
            news=_news(result),
        )


def _record_quarantines(request: ValidateRequest, result: ValidateResult, context: Context) -> None:
    codes, rules = _codes(result), rules_digest(request.pipeline)
    to_record = _to_record(request, result)
    for span in result.quarantined:
        if span.digest in to_record:
            context.ledger.record_quarantine(
                request.pipeline.name, span.digest, rules, tuple(sorted(codes[span.name]))
            )


def _to_record(request: ValidateRequest, result: ValidateResult) -> set[Digest]:
    """The content that is bad; of a good span's copy it is the copy that is left out."""
    bad = {span.name for span in result.quarantined}
    good = {span.digest for span in request.spans if span.name not in bad}
    return {span.digest for span in result.quarantined} - good


def _codes(result: ValidateResult) -> dict[str, list[str]]:
    """Span name → codes of its errors."""
    codes: dict[str, list[str]] = {}
    for anomaly in result.anomalies:
        if anomaly.severity == "error" and anomaly.code not in codes.get(anomaly.span, []):
            codes.setdefault(anomaly.span, []).append(anomaly.code)
    return codes


def _news(result: ValidateResult) -> tuple[News, ...]:
    names = [span.name for span in result.quarantined]
    if not names:
        return ()
    codes = _codes(result)
    first = next((a for a in result.anomalies if a.severity == "error" and a.span in names), None)
    why = shortlist((f"{name}: {', '.join(codes.get(name, []))}" for name in names), sep="; ") + "."
    if first is not None:
        why += f" {first.span}: {first.message}"
    what = f"{names[0]} is left out" if len(names) == 1 else f"{len(names)} spans are left out"
    return (News(kind="quarantined", what=what, why=why, report="data_report"),)


def _by_name(plan: PlanResult, named: Sequence[Span], spans: Sequence[Span]) -> tuple[str, ...]:
    """The spans as their names order them; empty where that is the order of their rows."""
    there = [span.name for span in spans]
    order = [name for name in plan.by_name if name in there] or [span.name for span in named]
    return () if order == there else tuple(order)
