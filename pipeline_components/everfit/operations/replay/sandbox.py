"""A world of its own for a replay: a ledger that forgets, a clock that is set, fits that are found.

The store is the real one, so what was ever computed for the same rows, spec, code and environment
is found and not computed again. Nothing is registered: a version and a champion exist in the
replay's own ledger alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from everfit.champion.current import current_champion, refit_of
from everfit.champion.promotion import candidate_of
from everfit.champion.refit import open_refit
from everfit.contracts.errors import NothingToDo
from everfit.contracts.messages.chain import ChainTask, monitoring_tasks, training_tasks
from everfit.contracts.messages.monitoring import MonitorResult
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.requests import GateResult, RegisterRequest
from everfit.contracts.messages.steps import Outcome
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources import Listing
from everfit.engine.context import Context
from everfit.engine.pipeline import ChainRun
from everfit.engine.upstream import Upstream
from everfit.operations.replay.moments import Arrival
from everfit.steps.fall_back.step import worse_than_judged
from everfit.steps.register.step import Register
from everfit.storage.ledger import open_ledger
from everfit.storage.ledger.records import PromotionRecord, VersionRecord


def measuring_tasks(spec: PipelineSpec) -> list[ChainTask]:
    """What a replay does of monitoring: not the report, nor the sweep, which it makes itself."""
    measuring = ("watch", "extract", "monitor")
    return [one for one in monitoring_tasks(spec) if one.component in measuring]


def judging_tasks(spec: PipelineSpec) -> list[ChainTask]:
    """What a replay does of a training: all but register."""
    return [task for task in training_tasks(spec) if task.component != "register"]


@dataclass
class Sandbox:
    """One pipeline, at one moment after another."""

    context: Context
    spec: PipelineSpec
    now: datetime
    arrived: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    def let_arrive(self, arrivals: tuple[Arrival, ...]) -> None:
        """Have the spans there that had arrived by now."""
        self.arrived = frozenset(
            (one.span.name, one.span.fingerprint) for one in arrivals if one.at <= self.now
        )

    def monitor(self) -> Outcome | None:
        """Evaluate the champion on new spans; None where there are none."""
        run = self._run(Trigger(run_type="asset", reason="replayed"))
        outcome = None
        try:
            for task in measuring_tasks(self.spec):
                outcome = run.perform(task)
        except NothingToDo:
            return None
        if outcome is not None:
            self._fall_back(
                MonitorResult.model_validate_json(self.context.store.get(outcome.result))
            )
        return outcome

    def wake(self, trigger: Trigger) -> GateResult | None:
        """Wake the training; the verdict where it came to one."""
        run = self._run(trigger)
        try:
            for task in judging_tasks(self.spec):
                run.perform(task)
        except NothingToDo:
            return None
        (register,) = (task for task in training_tasks(self.spec) if task.component == "register")
        order, context = run.order(register), run.scratch(register)
        request = Register().request(order, Upstream(order, context), context)
        self._register(request)
        if (refit := open_refit(request, self.context)) is not None:
            self._register(refit)
        return request.decision

    def _run(self, trigger: Trigger) -> ChainRun:
        return ChainRun(self.spec, self.context, trigger)

    def _fall_back(self, measured: MonitorResult) -> None:
        """What fall_back does, without a registry."""
        ledger, name = self.context.ledger, self.spec.name
        head, champion = ledger.champion(name), current_champion(ledger, name)
        judged = refit_of(champion, ledger, name) if champion else None
        worse = worse_than_judged(self.spec, measured.evaluations) if judged else ""
        if worse and head is not None and judged is not None:
            entry = PromotionRecord(
                sequence=head.sequence + 1,
                version=judged.version,
                run_key=judged.run_key,
                kind="rollback",
                reason=worse,
            )
            ledger.promote(name, entry)

    def _register(self, request: RegisterRequest) -> None:
        """What register does, without a registry."""
        if request.decision.verdict != "promote":
            return
        ledger, name = self.context.ledger, self.spec.name
        version = ledger.version(request.run_key)
        if version is None:
            number = len(ledger.versions(name)) + 1
            made = candidate_of(request).model_copy(update={"version": number})
            version = ledger.record_version(
                name,
                VersionRecord(
                    run_key=request.run_key, version=number, mlflow_run="replayed", champion=made
                ),
            )
        head = ledger.champion(name)
        if head is None or head.run_key != request.run_key:
            ledger.promote(
                name,
                PromotionRecord(
                    sequence=head.sequence + 1 if head else 1,
                    version=version.version,
                    run_key=request.run_key,
                    kind="refit" if request.refit_of else "promote",
                    reason=request.decision.because,
                ),
            )


@contextmanager
def sandbox(real: Context, spec: PipelineSpec, now: datetime) -> Iterator[Sandbox]:
    """A sandbox beside the real world; gone when it is left.

    Parameters
    ----------
    real : Context
        Its ledger is read for what spans hold and steps cost; written is only which results were
        computed and kept in the store, for they are found there ever after.
    """
    with tempfile.TemporaryDirectory(dir=real.scratch, prefix="replay-") as folder:
        made: list[Sandbox] = []

        def clock() -> datetime:
            return made[0].now if made else now

        def visible(listing: Listing) -> Listing:
            there = made[0].arrived if made else frozenset()
            spans = tuple(ref for ref in listing.spans if (ref.name, ref.fingerprint) in there)
            return Listing(spans, listing.notes, listing.empty)

        with open_ledger(f"sqlite:///{folder}/ledger.db", clock) as ledger:
            for record in real.ledger.spans(spec.name):
                ledger.record_span(spec.name, record)
            # What a step cost is told by the decision: the same for all policies, so that equal
            # ones are found, whichever of them did the work.
            ledger.cost = real.ledger.cost  # type: ignore[method-assign]
            # What was computed is bound to the real ledger, and so is what a replay computes.
            ledger.result = real.ledger.result  # type: ignore[method-assign]
            ledger.record_result = real.ledger.record_result  # type: ignore[method-assign]
            context = replace(
                real,
                ledger=ledger,
                clock=clock,
                visible=visible,
                scratch=Path(folder),
                is_real=False,
            )
            made.append(Sandbox(context, spec, now))
            yield made[0]
