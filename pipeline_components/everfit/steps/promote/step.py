"""Promote: a person promotes, rolls back, approves or refuses; the commands do the same.

Killed anywhere it leaves the journal as it was or as it shall be; asked again it finishes.
"""

from __future__ import annotations

import logging
from typing import Literal

from pydantic import ValidationError

from everfit.champion.answer import answer
from everfit.champion.approvals import told
from everfit.champion.overrule import overrule, overrule_run
from everfit.champion.question import question
from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError, RequestError, Superseded, UserError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.people import PersonRequest, PromoteRequest, PromoteResult
from everfit.contracts.messages.requests import GateResult
from everfit.contracts.messages.steps import News, Order
from everfit.contracts.messages.summaries import PromoteSummary
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.storage.mlflow import champion_alias

log = logging.getLogger(__name__)


class Promote(Step[PromoteRequest, PromoteResult]):
    """Do what a person asks of the champion."""

    name = "promote"
    result_type = PromoteResult
    cached = False

    def request(self, order: Order, _upstream: Upstream, _context: Context) -> PromoteRequest:
        """Resolve the order.

        Raises
        ------
        RequestError
            If it asks nothing.
        """
        if order.requested is None:
            raise RequestError(
                "ORDER-REQUEST",
                "promote",
                "a promote order must say what to do",
                "it says nothing",
                "Start it by everfit.promote, everfit.rollback or a training that waits for "
                "approval",
            )
        return PromoteRequest(pipeline=order.pipeline, requested=order.requested)

    def run(self, request: PromoteRequest, context: Context) -> PromoteResult:
        """Do it; a second time changes nothing.

        Raises
        ------
        NothingToDo
            If it is asked what a person is asked about a version that waits for nobody.
        """
        spec, requested = request.pipeline, request.requested
        if requested.what != "ask":
            log.info("%s: %s asks to %s", spec.name, requested.person or NOBODY, _words(requested))
        match requested.what:
            case "ask":
                return _ask(spec, requested, context)
            case "approve" | "refuse" as what:
                return _answer(what, spec, requested, context)
            case "rollback":
                return _overrule("rollback", spec, requested, context)
            case _:
                return _overrule("override", spec, requested, context)

    def record(
        self, _request: PromoteRequest, _result: PromoteResult, _context: Context, _order: Order
    ) -> None:
        """Nothing: every effect has its place in ``run``, in an order that may be cut anywhere."""

    def report(self, result: PromoteResult, _context: Context) -> StepReport:
        """Which version serves now, and what is kept of the reason."""
        return StepReport(
            summary=PromoteSummary(
                version=result.version,
                champion=result.champion,
                state=result.state,
                because=result.because,
                question=result.question,
            ),
            reports={"decision_report": result.report} if result.report else {},
            news=_news(result),
        )


NOBODY = "somebody"
"""Who decided, where nobody knows; never the user that a worker runs as."""


def _words(requested: PersonRequest) -> str:
    which = f"run {requested.run}" if requested.version is None else f"version {requested.version}"
    return f"{requested.what} {which}"


def _ask(spec: PipelineSpec, requested: PersonRequest, context: Context) -> PromoteResult:
    found = question(spec.name, _version(spec, requested), context)
    return PromoteResult(
        pipeline=spec.name,
        what="ask",
        version=found.version,
        run_key=found.run_key,
        state="waiting",
        champion=found.champion,
        because=found.because,
        report=found.report,
        question=found,
    )


def _answer(
    what: Literal["approve", "refuse"],
    spec: PipelineSpec,
    requested: PersonRequest,
    context: Context,
) -> PromoteResult:
    number, who = _version(spec, requested), requested.person or NOBODY
    done = answer(what, spec, number, requested.reason, who, context)
    late = what == "approve" and done.champion != number
    return PromoteResult(
        pipeline=spec.name,
        what=what,
        version=done.record.version,
        run_key=done.record.run_key,
        state="refused" if what == "refuse" else "superseded" if late else "champion",
        champion=done.champion,
        before=done.before,
        entry=done.entry.sequence if done.entry else None,
        because=told(done.approval),
        report=_report(done.record.run_key, context),
        changed=done.changed,
    )


def _overrule(
    kind: Literal["override", "rollback"],
    spec: PipelineSpec,
    requested: PersonRequest,
    context: Context,
) -> PromoteResult:
    if requested.version is not None and requested.run:
        raise UserError(
            "CHAMPION-WHICH",
            f"{spec.name} {requested.what}",
            "either a version or a run is made champion",
            "both were given",
            "Leave one out",
        )
    who, before = requested.person or NOBODY, champion_alias(context.settings, spec.name)
    try:
        if requested.run:
            done = overrule_run(spec, requested.run, requested.reason, who, context)
        else:
            done = overrule(kind, spec, _version(spec, requested), requested.reason, who, context)
    except Superseded as error:
        # Another try would overrule the champion of then, of which the person knows nothing.
        raise UserError(error.code, error.where, error.must, error.found, error.todo) from error
    if done.libraries:
        log.info("%s v%s: %s", spec.name, done.entry.version, done.libraries)
    champion = champion_alias(context.settings, spec.name)
    return PromoteResult(
        pipeline=spec.name,
        what=requested.what,
        version=done.entry.version,
        run_key=done.entry.run_key,
        state="champion",
        champion=champion,
        before=done.before,
        entry=done.entry.sequence,
        because=done.entry.reason,
        report=_report(done.entry.run_key, context),
        changed=done.changed or before != champion,
    )


def _version(spec: PipelineSpec, requested: PersonRequest) -> int:
    if requested.version is None:
        raise UserError(
            "CHAMPION-WHICH",
            f"{spec.name} {requested.what}",
            "a version must be named",
            "none is",
            "List the versions with everfit history",
        )
    return requested.version


def _report(run_key: Digest, context: Context) -> Artifact | None:
    """The page of the decision about a run; None where it is lost, which stops nobody."""
    verdict = context.ledger.verdict(run_key)
    if verdict is None:
        return None
    try:
        return GateResult.model_validate_json(context.store.get(verdict.decision)).report_html
    except (IntegrityError, ValidationError):
        return None


def _news(result: PromoteResult) -> tuple[News, ...]:
    if not result.changed:
        return ()
    what = {
        "waiting": "",
        "champion": f"version {result.version} is the champion",
        "refused": f"version {result.version} was refused, and stays a challenger",
        "superseded": f"version {result.version} was approved too late, and stays a challenger",
    }[result.state]
    if result.what == "rollback":
        what += " again"
    kind = "promoted" if result.state == "champion" else "held"
    return (News(kind=kind, what=what, why=result.because, report="decision_report"),)
