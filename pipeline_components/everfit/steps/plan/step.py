"""Plan: reads source and ledger, records every wake, and stops where there is nothing to do."""

from __future__ import annotations

import logging
from functools import cache, partial

from everfit.champion.agreement import bring_up_to_date, is_logged
from everfit.champion.current import current_champion
from everfit.champion.decayed import champion_decay
from everfit.contracts.errors import AllRefused, NothingToDo, shortlist
from everfit.contracts.messages.planning import PlanRequest, PlanResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.messages.summaries import PlanSummary
from everfit.contracts.messages.trigger_facts import Facts
from everfit.contracts.spec.rules import rules_digest
from everfit.data.sources.beside import list_with_tables
from everfit.data.sources.listing import in_order_of_rows
from everfit.data.sources.reader import reader_of
from everfit.engine.context import Context
from everfit.engine.fingerprints import code_digest, environment_digest, own_checks
from everfit.engine.step import Step, StepReport
from everfit.engine.upstream import Upstream
from everfit.steps.plan.decision import decide
from everfit.steps.plan.facts.past_runs import find_run
from everfit.steps.plan.facts.world import World, sort_spans
from everfit.steps.plan.forecast import Forecast
from everfit.storage.ledger.records import EvaluationRecord

log = logging.getLogger(__name__)

NOTES = 5
"""Sentences on what was left out that a summary repeats."""


class Plan(Step[PlanRequest, PlanResult]):
    """Decide whether there is something to train, and on which spans."""

    name = "plan"
    result_type = PlanResult
    cached = False

    def request(self, order: Order, _upstream: Upstream, _context: Context) -> PlanRequest:
        """The spec, with the options of this run in place of its values."""
        return PlanRequest(
            pipeline=order.effective_pipeline,
            force=order.options.force,
            sweep=order.sweep,
            trigger=order.trigger,
            cooldown=order.options.cooldown,
        )

    def run(self, request: PlanRequest, context: Context) -> PlanResult:
        """Look at source, ledger, triggers and clock, and decide."""
        spec, ledger = request.pipeline, context.ledger
        bring_up_to_date(spec.name, context)
        logged = cache(partial(is_logged, spec.name, context=context))
        reader = reader_of(spec)
        records = [record for record in ledger.spans(spec.name) if record.reader == reader]
        listed = list_with_tables(spec, context.settings, context.visible)
        named = listed.listing
        listing = in_order_of_rows(
            named, [(record.name, record.fingerprint, record.snapshot) for record in records]
        )
        world = World(
            listing=listing,
            by_name=() if listing is named else tuple(ref.name for ref in named.spans),
            records=records,
            quarantined=ledger.quarantined(spec.name, rules_digest(spec)),
            champion=current_champion(ledger, spec.name),
            find_run=partial(find_run, ledger, spec.name, is_logged=logged),
            code=code_digest("run"),
            environment=environment_digest(),
            own_checks=own_checks(spec.gate.checks),
        )

        def foresee(planned: PlanResult, facts: Facts | None) -> Forecast:
            from everfit.steps.plan.forecast import forecast

            known = sort_spans(world).known
            spans = facts.measured if facts else ()
            judged_on = {ref.name for ref in (planned.holdout or planned.window)}
            decay = champion_decay(spec, planned.champion, ledger, judged_on)
            now = context.clock()
            return forecast(spec, planned, known, ledger, context.store, now, spans, decay)

        result = decide(request, world, ledger, context.clock, foresee)
        if listed.tables and result.decision == "train":
            result = result.model_copy(update={"tables": listed.tables})
        log.info("%s plan: %s; %s", spec.name, result.decision, result.because)
        if result.detectable:
            log.info("%s plan: %s", spec.name, result.detectable)
        for note in result.notes:
            log.info("%s plan: %s", spec.name, note)
        return result

    def record(
        self, request: PlanRequest, result: PlanResult, context: Context, order: Order
    ) -> None:
        """Record the wake, or the sweep, and what came of it.

        Raises
        ------
        NothingToDo
            If a wake is not to train; a sweep only says so.
        """
        name = request.pipeline.name
        context.ledger.record_evaluation(
            name,
            EvaluationRecord(
                trigger=order.trigger,
                decision=result.decision,
                because=result.because,
                run_key=result.run_key,
                stage="sweep" if request.sweep else "wake",
                conditions=result.conditions,
            ),
        )
        if request.sweep or result.decision == "train":
            return
        if result.decision == "wait":
            raise NothingToDo("PLAN-WAIT", name, result.because)
        if result.decision == "idle":
            raise NothingToDo("PLAN-IDLE", name, result.because)
        if result.refused:
            raise AllRefused(
                "PLAN-REFUSED",
                name,
                "the spans that a training needs must be good",
                f"{result.because}: {shortlist(result.refused)}",
                "everfit run said what is wrong with each, and so does its data report: correct "
                "the source or the spec",
            )
        raise NothingToDo("PLAN-SKIP", name, result.because)

    def report(self, result: PlanResult, _context: Context) -> StepReport:
        """The counts, the reason and what was left out."""
        summary = PlanSummary(
            decision=result.decision,
            window=len(result.window),
            holdout=len(result.holdout),
            left_out=len(result.notes),
            notes=result.notes[:NOTES],
            because=result.because,
            run_key=(result.run_key or "")[:12],
            detectable=result.detectable or "",
            wakes=result.signals,
        )
        return StepReport(summary=summary, signals=result.signals, news=result.news)
