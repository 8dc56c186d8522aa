"""A world of its own for a replay: a ledger that forgets, a clock that is set, fits that are found.

The store is the real one, so what was ever computed for the same rows, spec, code and environment
is found and not computed again. Nothing is registered: a version and a champion exist in the
replay's own ledger alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import NothingToDo
from pipeline_components.contracts.planning import Trigger
from pipeline_components.contracts.requests import GateResult, RegisterRequest
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import CHAIN, MONITORING, Component, Order, Outcome
from pipeline_components.door import Upstream, perform, step
from pipeline_components.ledger import open_ledger
from pipeline_components.ledger.records import PromotionRecord, VersionRecord
from pipeline_components.replay.moments import Arrival
from pipeline_components.source import Listing
from pipeline_components.version.promotion import candidate_of

MEASURED: tuple[Component, ...] = ("watch", "extract", "monitor")
"""What a replay does of monitoring: the report is for people."""

JUDGED: tuple[Component, ...] = tuple(name for name in CHAIN if name not in ("plan", "register"))


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
        """Hold the champion against new spans; None where there are none."""
        done: dict[Component, tuple[Digest, ...]] = {}
        outcome = None
        try:
            for component in MEASURED:
                outcome = self._perform(component, done, needs=MONITORING[component])
        except NothingToDo:
            return None
        return outcome

    def wake(self, trigger: Trigger) -> GateResult | None:
        """Wake the training; the verdict where it came to one."""
        done: dict[Component, tuple[Digest, ...]] = {}
        try:
            self._perform("plan", done, trigger=trigger)
            for component in JUDGED:
                families = (
                    [family.name for family in self.spec.train.families]
                    if component == "train"
                    else [None]
                )
                digests: tuple[Digest, ...] = ()
                for family in families:
                    self._perform(component, done, trigger=trigger, family=family)
                    digests += done[component]
                done[component] = digests
        except NothingToDo:
            return None
        order = self._order("register", done, CHAIN["register"], trigger, None)
        with self._scratch() as context:
            request = step("register").request(order, Upstream(order, context), context)
        assert isinstance(request, RegisterRequest)
        self._register(request)
        return request.decision

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
                    sequence=head.sequence + 1 if head else 1, version=version.version,
                    run_key=request.run_key, kind="promote", reason=request.decision.because,
                ),
            )  # fmt: skip

    def _perform(
        self, component: Component, done: dict[Component, tuple[Digest, ...]],
        needs: tuple[Component, ...] | None = None, trigger: Trigger | None = None,
        family: str | None = None,
    ) -> Outcome:  # fmt: skip
        order = self._order(
            component, done, CHAIN[component] if needs is None else needs, trigger, family
        )
        with self._scratch() as context:
            outcome = perform(order, context)
        done[component] = (outcome.result,)
        return outcome

    def _order(
        self, component: Component, done: Mapping[Component, tuple[Digest, ...]],
        needs: tuple[Component, ...], trigger: Trigger | None, family: str | None,
    ) -> Order:  # fmt: skip
        return Order(
            component=component,
            pipeline=self.spec,
            upstream={name: done[name] for name in needs},
            family=family,
            trigger=trigger or Trigger(run_type="asset", reason="replayed"),
        )

    @contextmanager
    def _scratch(self) -> Iterator[Context]:
        with tempfile.TemporaryDirectory(dir=self.context.scratch) as folder:
            yield replace(self.context, scratch=Path(folder))


@contextmanager
def sandbox(real: Context, spec: PipelineSpec, now: datetime) -> Iterator[Sandbox]:
    """A sandbox beside the real world; gone when it is left.

    Parameters
    ----------
    real : Context
        Its ledger is read for what spans hold and steps cost, and never written.
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
            context = replace(
                real, ledger=ledger, clock=clock, visible=visible, scratch=Path(folder)
            )
            made.append(Sandbox(context, spec, now))
            yield made[0]
