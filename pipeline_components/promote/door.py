"""Promote's door: a person promotes, goes back, approves or refuses; the command line's own core.

Killed anywhere it leaves the journal as it was or as it shall be; asked again it finishes.
"""

from __future__ import annotations

import logging
from typing import Literal

from pydantic import ValidationError

from pipeline_components.champion.answer import answer
from pipeline_components.champion.approvals import told
from pipeline_components.champion.overrule import overrule, overrule_run
from pipeline_components.champion.question import question
from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import IntegrityError, RequestError, Superseded, UserError
from pipeline_components.contracts.people import PromoteRequest, PromoteResult
from pipeline_components.contracts.requests import GateResult
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import Asked, News, Order
from pipeline_components.door import Telling, Upstream
from pipeline_components.registry import champion_alias

log = logging.getLogger(__name__)

RESULT = PromoteResult
CACHED = False

NOBODY = "somebody"
"""Who decided, where nobody knows; never the user that a worker runs as."""


def request(order: Order, upstream: Upstream, context: Context) -> PromoteRequest:  # noqa: ARG001
    """Resolve the order.

    Raises
    ------
    RequestError
        If it asks nothing.
    """
    if order.asked is None:
        raise RequestError(
            "ORDER-ASKED", "promote", "an order must say what a person asks", "it asks nothing",
            "Start it by everfit.promote, everfit.rollback or a training that waits for approval",
        )  # fmt: skip
    return PromoteRequest(pipeline=order.pipeline, asked=order.asked)


def run(request: PromoteRequest, context: Context) -> PromoteResult:
    """Do it; a second time changes nothing.

    Raises
    ------
    NothingToDo
        If it is asked what a person is asked about a version that waits for nobody.
    """
    spec, asked = request.pipeline, request.asked
    if asked.what != "ask":
        log.info("%s: %s asks to %s", spec.name, asked.person or NOBODY, _words(asked))
    match asked.what:
        case "ask":
            return _ask(spec, asked, context)
        case "approve" | "refuse" as what:
            return _answer(what, spec, asked, context)
        case "rollback":
            return _overrule("rollback", spec, asked, context)
        case _:
            return _overrule("override", spec, asked, context)


def settle(request: PromoteRequest, result: PromoteResult, context: Context, order: Order) -> None:
    """Nothing is left: every effect has its own place in ``run``, in an order that can be cut."""


def tell(result: PromoteResult, context: Context) -> Telling:  # noqa: ARG001
    """Which version serves now, and what is kept of the reason."""
    return Telling(
        summary={
            "version": result.version,
            "champion": result.champion,
            "state": result.state,
            "because": result.because,
            **({"question": result.question.model_dump(mode="json")} if result.question else {}),
        },
        reports={"decision_report": result.report} if result.report else {},
        news=_news(result),
    )


def _words(asked: Asked) -> str:
    which = f"run {asked.run}" if asked.version is None else f"version {asked.version}"
    return f"{asked.what} {which}"


def _ask(spec: PipelineSpec, asked: Asked, context: Context) -> PromoteResult:
    found = question(spec.name, _version(spec, asked), context)
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
    what: Literal["approve", "refuse"], spec: PipelineSpec, asked: Asked, context: Context
) -> PromoteResult:
    number, who = _version(spec, asked), asked.person or NOBODY
    done = answer(what, spec, number, asked.reason, who, context)
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
    kind: Literal["override", "rollback"], spec: PipelineSpec, asked: Asked, context: Context
) -> PromoteResult:
    if asked.version is not None and asked.run:
        raise UserError(
            "CHAMPION-WHICH", f"{spec.name} {asked.what}", "a version or a run is made champion",
            "both are given", "Leave one out",
        )  # fmt: skip
    who, before = asked.person or NOBODY, champion_alias(context.settings, spec.name)
    try:
        if asked.run:
            done = overrule_run(spec, asked.run, asked.reason, who, context)
        else:
            done = overrule(kind, spec, _version(spec, asked), asked.reason, who, context)
    except Superseded as error:
        # Another try would overrule the champion of then, of which the person knows nothing.
        raise UserError(error.code, error.where, error.must, error.found, error.todo) from error
    if done.libraries:
        log.info("%s v%s: %s", spec.name, done.entry.version, done.libraries)
    champion = champion_alias(context.settings, spec.name)
    return PromoteResult(
        pipeline=spec.name,
        what=asked.what,
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


def _version(spec: PipelineSpec, asked: Asked) -> int:
    if asked.version is None:
        raise UserError(
            "CHAMPION-WHICH", f"{spec.name} {asked.what}", "a version must be named",
            "none is", "Look at the numbers with everfit history",
        )  # fmt: skip
    return asked.version


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
