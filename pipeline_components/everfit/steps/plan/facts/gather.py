"""Reads what the policy judges by, once: from source, ledger and clock, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from everfit.contracts.base import Digest
from everfit.contracts.clock import Clock, moment, read_iso
from everfit.contracts.messages.planning import PlanRequest, Trigger
from everfit.contracts.messages.trigger_facts import Facts, FinishedRun
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.fingerprints import spec_digest
from everfit.steps.plan.facts.measured_spans import measured_spans
from everfit.steps.plan.facts.new_spans import new_spans
from everfit.steps.plan.facts.past_evaluations import failed_attempts, handled_until
from everfit.steps.plan.facts.spent_evidence import spent_evidence
from everfit.steps.plan.facts.world import SortedSpans, World
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import RunRecord

REMEMBERED = 200
"""Evaluations looked back at; the newest that is handled lies within a few."""


def gather(
    request: PlanRequest,
    world: World,
    spans: SortedSpans,
    resumes: Digest | None,
    ledger: Ledger,
    clock: Clock,
) -> Facts:
    """Read what the ledger knows.

    Parameters
    ----------
    request : PlanRequest
    world : World
        What plan has read of the source already.
    spans : SortedSpans
        Its spans, good and bad.
    resumes : Digest or None
        The unfinished run that would be continued.
    ledger : Ledger
        Read, not written.
    clock : callable
        Gives the time.
    """
    spec = request.pipeline
    runs = [run for run in ledger.find_runs(spec.name) if not run.trigger.is_refit]
    by_key = {run.run_key: run for run in runs}
    done = [one for one in ledger.verdicts(spec.name) if one.run_key in by_key]
    finished = tuple(_finished(by_key[one.run_key], read_iso(one.at)) for one in done)
    with_verdict = [by_key[one.run_key] for one in done]
    first = ledger.first_evaluation(spec.name)
    newest = ledger.evaluations(spec.name, 1)
    machine = clock()
    due = _due(request.trigger)
    times = [read_iso(record.at) for record in newest]
    times += [run.verdict_at for run in finished[-1:]]
    times += [read_iso(run.at) for run in runs[-1:]]
    now = max([machine, *times, *due])
    since = min([read_iso(first.at), *_due(first.trigger)] if first else [now, *due])
    evaluations = ledger.decisions(spec.name, REMEMBERED)
    measured = measured_spans(spec, world, ledger)
    return Facts(
        now=now,
        clock=machine,
        since=since,
        trigger=request.trigger,
        cooldown_requested=request.cooldown,
        resumes=resumes,
        new=new_spans(spec, world.listing.spans, spans, with_verdict),
        champion=world.champion.version if world.champion else None,
        measured=measured,
        spent=spent_evidence(spec.name, spec_digest(spec), world, ledger, measured, with_verdict),
        handled_until=handled_until(evaluations, finished),
        failed_attempts=failed_attempts(evaluations, finished, resumes),
        finished=finished,
        opened=tuple(read_iso(run.at) for run in runs),
        spec=spec_digest(spec),
        code=world.code,
        environment=world.environment,
        only_the_window=_only_the_window(spec, with_verdict[-1:]),
    )


def _finished(run: RunRecord, verdict_at: datetime) -> FinishedRun:
    return FinishedRun(
        run_key=run.run_key,
        spec=run.spec,
        code=run.code,
        environment=run.environment,
        began=moment(run.at) or verdict_at,
        verdict_at=verdict_at,
    )


def _due(trigger: Trigger) -> list[datetime]:
    """The tick a scheduled run is for: the scheduler had seen it by then."""
    due = moment(trigger.due) if trigger.run_type == "scheduled" else None
    return [due] if due else []


def _only_the_window(spec: PipelineSpec, newest: Sequence[RunRecord]) -> frozenset[Digest]:
    """The run, if a person asked for it with another window and changed nothing else."""
    for run in newest:
        if not run.trigger.by_a_person or run.spec == spec_digest(spec):
            continue
        for spans in (len(run.window), "all"):
            window = spec.window.model_copy(update={"spans": spans})
            if run.spec == spec_digest(spec.model_copy(update={"window": window})):
                return frozenset({run.run_key})
    return frozenset()
