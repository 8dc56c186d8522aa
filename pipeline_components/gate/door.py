"""Gate: read the evidence, ask every check, decide, and say why in JSON and on a page."""

from __future__ import annotations

import logging

from pipeline_components.context import Context
from pipeline_components.contracts.base import canonical_json, digest_bytes
from pipeline_components.contracts.errors import RequestError
from pipeline_components.contracts.requests import (
    EvaluateResult,
    GateRequest,
    GateResult,
    PrepareResult,
    ValidateResult,
)
from pipeline_components.contracts.steps import News, Order
from pipeline_components.door import Telling, Upstream
from pipeline_components.identity import own_checks
from pipeline_components.ledger.records import VerdictRecord

from .background import background

log = logging.getLogger(__name__)

RESULT = GateResult
CACHED = True


def request(order: Order, upstream: Upstream, context: Context) -> GateRequest:
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
        champion=upstream.champion(validated.run_key),
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
        own_checks=own_checks(spec.gate.checks),
        **background(order, validated.run_key, evaluated, context),
    )


def run(request: GateRequest, context: Context) -> GateResult:
    """Judge the candidate.

    Raises
    ------
    Unavailable
        If the store does not answer; nothing is decided then.
    """
    from .decide import because, decide
    from .decision_report import report_html
    from .evidence import NotAssessed, comparison
    from .own_questions import own_questions
    from .question import ask_all
    from .read_evidence import read_evidence
    from .registry import QUESTIONS
    from .report_document import report_json

    log.info("gate: run %s, reading the evidence", request.run_key[:12])
    asked = (*QUESTIONS, *own_questions(request.gate.checks))
    checks = ask_all(asked, read_evidence(request, context))
    verdict = decide(checks, asked)
    reason = because(verdict, checks, asked)
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
        report_json=context.store.put("decision_report.json", document),
        report_html=context.store.put("decision_report.html", shown),
    )


def settle(request: GateRequest, result: GateResult, context: Context, order: Order) -> None:  # noqa: ARG001
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
            request.run_key[:12], recorded.verdict, recorded.because, result.verdict,
        )  # fmt: skip


def unheard(request: GateRequest, result: GateResult, context: Context) -> bool:  # noqa: ARG001
    """Whether the run is not decided yet."""
    return context.ledger.verdict(request.run_key) is None


def tell(result: GateResult, context: Context) -> Telling:  # noqa: ARG001
    """Verdict, reason and the checks that did not pass."""
    fine = ("passed", "not_applicable")
    stopped = [c.code for c in result.checks if c.severity == "error" and c.state not in fine]
    warned = [c.title for c in result.checks if c.severity == "warning" and c.state == "failed"]
    summary: dict[str, object] = {"verdict": result.verdict, "because": result.because}
    summary["checks_failed"] = list(dict.fromkeys(stopped))
    if warned:
        summary["warnings"] = warned
    return Telling(
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
