"""Gate: read the evidence, ask every check, decide, and say why in JSON and on a page."""

from __future__ import annotations

import logging

from everfit.champion.current import pinned_champion
from everfit.contracts.base import canonical_json, digest_bytes
from everfit.contracts.errors import RequestError
from everfit.contracts.messages.requests import (
    EvaluateResult,
    GateRequest,
    GateResult,
    PrepareResult,
    ValidateResult,
)
from everfit.contracts.messages.steps import News, Order
from everfit.contracts.messages.summaries import GateSummary
from everfit.engine.context import Context
from everfit.engine.fingerprints import own_checks
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.steps.gate.evidence.ledger_facts import ledger_facts
from everfit.storage.ledger.records import VerdictRecord

log = logging.getLogger(__name__)


class Gate(Step[GateRequest, GateResult]):
    """Decide whether the candidate is promoted, held or rejected."""

    name = "gate"
    result_type = GateResult
    cached = True

    def request(self, order: Order, upstream: Upstream, context: Context) -> GateRequest:
        """Resolve the order.

        Raises
        ------
        RequestError
            If the results it names are not of one run.
        """
        spec = order.pipeline
        validated = upstream.one("validate", ValidateResult)
        prepared = upstream.one("prepare", PrepareResult)
        evaluated = upstream.one("evaluate", EvaluateResult)
        if prepared.run_key != validated.run_key:
            raise RequestError(
                "ORDER-RUN",
                "gate",
                "the results an order names must be of one run",
                f"validate is of {validated.run_key[:12]}, prepare of {prepared.run_key[:12]}",
                "Run the chain from its beginning",
            )
        chosen = evaluated.candidate.family
        return GateRequest(
            run_key=validated.run_key,
            pipeline=spec.name,
            gate=spec.gate,
            task=spec.task,
            metric=spec.primary_metric,
            window=validated.window,
            holdout=validated.holdout,
            champion=pinned_champion(validated.run_key, order, upstream, context),
            prepared=prepared,
            evaluated=evaluated,
            estimators=tuple(
                family.estimator
                for family in spec.train.families
                if family.name == chosen and family.estimator is not None
            ),
            trusted=tuple(f.estimator for f in spec.train.families if f.estimator is not None),
            seed=spec.train.seed,
            entity=spec.entity,
            time=spec.time,
            key=spec.key,
            repeats_expected="DELIVERED-BEFORE" in spec.validation.ignore,
            unit=spec.target.unit,
            own_checks=own_checks(spec.gate.checks),
            **ledger_facts(order, validated.run_key, evaluated, context),
        )

    def run(self, request: GateRequest, context: Context) -> GateResult:
        """Judge the candidate.

        Raises
        ------
        Unavailable
            If the store does not answer; nothing is decided then.
        """
        from everfit.steps.gate.check import run_checks
        from everfit.steps.gate.decide import because, decide
        from everfit.steps.gate.evidence.comparison import comparison
        from everfit.steps.gate.evidence.read_evidence import read_evidence
        from everfit.steps.gate.find_checks import built_in_checks
        from everfit.steps.gate.finding import NotAssessed
        from everfit.steps.gate.own_checks import own_checks_of
        from everfit.steps.gate.report.decision_report import report_html
        from everfit.steps.gate.report.report_document import report_json

        log.info("gate: run %s, reading the evidence", request.run_key[:12])
        gate_checks = (*built_in_checks(), *own_checks_of(request.gate.checks))
        checks = run_checks(gate_checks, read_evidence(request, context))
        verdict = decide(checks, gate_checks)
        reason = because(verdict, checks, gate_checks)
        try:
            compared = comparison(request)
        except NotAssessed:
            compared = None
        plots = [(plot.name, context.store.get(plot.digest)) for plot in request.evaluated.plots]
        document = report_json(request, verdict, reason, checks, compared)
        shown = report_html(request, verdict, reason, checks, compared, plots=plots)
        return GateResult(
            verdict=verdict,
            because=reason,
            checks=checks,
            model=request.evaluated.candidate.model.digest,
            training_table=request.prepared.train.digest,
            report_json=context.store.put("decision_report.json", document),
            report_html=context.store.put("decision_report.html", shown),
        )

    def record(
        self, request: GateRequest, result: GateResult, context: Context, _order: Order
    ) -> None:
        """Record the verdict; the first decision about a run is the one that counts."""
        decision = digest_bytes(canonical_json(result))
        recorded = context.ledger.record_verdict(
            VerdictRecord(
                run_key=request.run_key,
                verdict=result.verdict,
                because=result.because,
                decision=decision,
            )
        )
        if recorded.decision != decision:
            log.warning(
                "run %s was decided before: %s (%s); that counts, not %s",
                request.run_key[:12],
                recorded.verdict,
                recorded.because,
                result.verdict,
            )

    def is_news(
        self, request: GateRequest, _result: GateResult, context: Context, _cached: bool
    ) -> bool:
        """Whether the run is not decided yet."""
        return context.ledger.verdict(request.run_key) is None

    def report(self, result: GateResult, _context: Context) -> StepReport:
        """Verdict, reason and the checks that did not pass."""
        fine = ("passed", "not_applicable")
        stopped = [c.code for c in result.checks if c.severity == "error" and c.state not in fine]
        warned = [c.title for c in result.checks if c.severity == "warning" and c.state == "failed"]
        summary = GateSummary(
            verdict=result.verdict,
            because=result.because,
            checks_failed=tuple(dict.fromkeys(stopped)),
            warnings=tuple(warned),
        )
        return StepReport(
            summary=summary, reports={"decision_report": result.report_html}, news=_news(result)
        )


def _news(result: GateResult) -> tuple[News, ...]:
    """That a candidate did not make it; a promotion is told by register, which makes it true."""
    if result.verdict == "promote":
        return ()
    if result.verdict == "hold":
        what = "a candidate is held back"
        return (News(kind="held", what=what, why=result.because, report="decision_report"),)
    what = "a candidate is not good enough"
    return (News(kind="rejected", what=what, why=result.because, report="decision_report"),)
