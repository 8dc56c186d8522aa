"""Register: log the run in MLflow, and register and promote where the ledger says so."""

from __future__ import annotations

import logging

from everfit.champion.agreement import refuse_other_registry
from everfit.champion.current import pinned_champion
from everfit.champion.promotion import project_alias
from everfit.champion.refit import register_refit
from everfit.champion.registration import PARTS, Registered, register_run
from everfit.champion.version.report.card import registered_card
from everfit.contracts.base import Digest, digest_of
from everfit.contracts.errors import RequestError
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.requests import (
    EvaluateResult,
    GateResult,
    PrepareResult,
    RegisterRequest,
    RegisterResult,
    ValidateResult,
)
from everfit.contracts.messages.steps import Component, News, Order
from everfit.contracts.messages.summaries import RegisterSummary
from everfit.contracts.messages.training import RefitResult
from everfit.engine.context import Context
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.storage.mlflow import open_registry, run_page

log = logging.getLogger(__name__)


class Register(Step[RegisterRequest, RegisterResult]):
    """Register the candidate and promote it, where the verdict says so."""

    name = "register"
    result_type = RegisterResult
    cached = False

    def request(self, order: Order, upstream: Upstream, context: Context) -> RegisterRequest:
        """Gather the run; what the ledger has already decided about it counts."""
        planned = upstream.one("plan", PlanResult)
        validated = upstream.one("validate", ValidateResult)
        prepared = upstream.one("prepare", PrepareResult)
        return RegisterRequest(
            run_key=validated.run_key,
            spec=order.effective_pipeline,
            champion=pinned_champion(validated.run_key, order, upstream, context),
            window=validated.window,
            holdout=validated.holdout,
            prepared=prepared,
            evaluated=upstream.one("evaluate", EvaluateResult),
            decision=_decision(upstream.one("gate", GateResult), validated.run_key, context),
            data_report=prepared.report or validated.report,
            code=planned.code,
            environment=planned.environment,
            refit=upstream.one("refit", RefitResult) if upstream.has("refit") else None,
            upstream=_upstream(order, validated.run_key, context),
        )

    def run(self, request: RegisterRequest, context: Context) -> RegisterResult:
        """Make MLflow and the journal say what was decided; a second time changes nothing."""
        pipeline = request.spec.name
        with open_registry(context.settings, pipeline) as registry:
            refuse_other_registry(pipeline, context, registry, may_be_lost=True)
            done = register_run(request, context, registry)
            refitted = register_refit(request, context, registry)
            served = registry.alias(pipeline)
            champion = project_alias(pipeline, context.ledger, registry)
            context.progress.update("register", PARTS, PARTS)
        if done.superseded:
            log.warning(
                "%s: another run was promoted in the meantime; version %s stays a challenger",
                pipeline,
                done.version.version if done.version else None,
            )
        shown, about = (request, done) if refitted is None else (refitted.request, refitted)
        return RegisterResult(
            mlflow_run=about.mlflow_run,
            mlflow_experiment=about.mlflow_experiment,
            version=done.version.version if done.version else None,
            refit=refitted.version.version if refitted and refitted.version else None,
            champion=champion,
            superseded=done.superseded,
            awaits=done.awaits,
            changed=_changed(done, refitted, served, champion),
            because=shown.decision.because,
            model=shown.evaluated.candidate.model,
            card=context.store.put(
                "model_card.html",
                registered_card(
                    shown,
                    about.opened,
                    about.version,
                    context,
                    champion=champion,
                    awaits=done.awaits,
                    superseded=about.superseded,
                ),
            ),
        )

    def record(
        self, _request: RegisterRequest, _result: RegisterResult, _context: Context, _order: Order
    ) -> None:
        """Nothing: every effect has its place in ``run``, in an order that may be cut anywhere."""

    def report(self, result: RegisterResult, context: Context) -> StepReport:
        """Say which version serves now, and where the run is to be seen."""
        page = run_page(context.settings, result.mlflow_experiment, result.mlflow_run)
        return StepReport(
            summary=RegisterSummary(
                version=result.version,
                refit=result.refit,
                champion=result.champion,
                mlflow_run=result.mlflow_run,
                superseded=result.superseded,
                awaits=result.awaits,
            ),
            reports={"model_card": result.card} if result.card else {},
            links={"mlflow_run": page} if page else {},
            news=_news(result),
        )


def _changed(
    done: Registered, refitted: Registered | None, served: int | None, champion: int | None
) -> bool:
    """Whether this attempt made a champion, or a version that is not to be one, or not yet.

    The alias is set last, so an attempt that died before it leaves the news to the next.
    """
    if done.version is None:
        return False
    if done.superseded or done.awaits:
        return done.made
    ours = {one.version.version for one in (done, refitted) if one and one.version}
    return champion in ours and served != champion


def _news(result: RegisterResult) -> tuple[News, ...]:
    if not result.changed:
        return ()
    if result.superseded:
        what = f"version {result.version} stays a challenger"
        why = f"Another run was promoted in the meantime. The gate said: {result.because}"
        return (News(kind="held", what=what, why=why, report="decision_report"),)
    if result.awaits == "approval":
        what = f"version {result.version} waits for approval"
        return (News(kind="waiting", what=what, why=result.because, report="decision_report"),)
    if result.awaits:
        what = f"version {result.version} would be the champion"
        why = f"The pipeline only observes. The gate said: {result.because}"
        return (News(kind="held", what=what, why=why, report="decision_report"),)
    what = f"version {result.champion} is the champion"
    return (News(kind="promoted", what=what, why=result.because, report="decision_report"),)


def _upstream(
    order: Order, run_key: Digest, context: Context
) -> dict[Component, tuple[Digest, ...]]:
    """What the order names, but with the verdict that counts."""
    verdict = context.ledger.verdict(run_key)
    return {**order.upstream, **({"gate": (verdict.decision,)} if verdict else {})}


def _decision(decision: GateResult, run_key: str, context: Context) -> GateResult:
    """The decision on record, which is this one or an earlier attempt's."""
    verdict = context.ledger.verdict(run_key)
    if verdict is None:
        raise RequestError(
            "REGISTER-VERDICT",
            f"{run_key[:12]}",
            "only a run with a verdict in the ledger can be registered",
            "there is none",
            "Run the gate first",
        )
    if verdict.decision == digest_of(decision):
        return decision
    log.warning("run %s was judged before; the earlier decision counts", run_key[:12])
    return GateResult.model_validate_json(context.store.get(verdict.decision))
