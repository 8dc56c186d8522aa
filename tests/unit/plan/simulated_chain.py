"""A pipeline in a world of invented days: real source, ledger and plan; the steps after it acted.

Steps after plan only record what theirs would, so that a year of wakes, crashes and clock jumps
passes in seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from everfit.contracts.base import digest_of
from everfit.contracts.errors import NothingToDo
from everfit.contracts.messages.planning import PERSON, PlanResult, RunType, Trigger
from everfit.contracts.messages.spans import Snapshot, Span, choose
from everfit.contracts.messages.steps import Order, RunOptions
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.rules import rules_digest
from everfit.data.sources.reader import reader_digest
from everfit.engine.context import Context
from everfit.engine.execute import record_end
from everfit.engine.fingerprints import code_digest, environment_digest, run_key, spec_digest
from everfit.steps.plan.step import Plan
from everfit.storage.ledger import open_ledger
from everfit.storage.ledger.records import RunRecord, SpanRecord, VerdictRecord

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Crash(Exception):
    """The process is gone."""


@dataclass
class Chain:
    """One pipeline; ``now`` is moved by hand."""

    context: Context
    spec: PipelineSpec
    now: datetime = BEGIN
    skew: timedelta = timedelta(0)
    """What the machine's clock is wrong by."""
    bad: dict[str, str] = field(default_factory=dict)
    """Day → ``refused`` or ``quarantined``, once looked at."""
    opened: list[tuple[datetime, bool]] = field(default_factory=list)
    """When new runs were begun, in the ledger's times, and whether a person had asked."""
    planned: list[PlanResult] = field(default_factory=list)
    crash_after: str = ""
    """The step after which the next chain is killed."""
    days: Iterator[int] = field(default_factory=itertools.count)
    runs: Iterator[int] = field(default_factory=itertools.count)

    def clock(self) -> datetime:
        """What this machine believes."""
        return self.now + self.skew

    def arrive(self, bad: str = "") -> str:
        """Have the next day's file arrive."""
        name = f"{date(2026, 1, 1) + timedelta(days=next(self.days))}.csv"
        (self.context.settings.data / "d" / name).write_text("fare\n1\n")
        if bad:
            self.bad[name] = bad
        return name

    def names(self) -> list[str]:
        """Every day that arrived."""
        return sorted(path.name for path in (self.context.settings.data / "d").iterdir())

    def look(self, run_type: RunType = "asset", sweep: bool = False, **more: object) -> PlanResult:
        """Plan alone, recorded."""
        trigger = Trigger(
            run_type=run_type, run_id=f"run-{next(self.runs)}", due=more.pop("due", "")
        )
        order = Order(
            component="plan",
            pipeline=self.spec,
            trigger=trigger,
            sweep=sweep,
            options=RunOptions.model_validate(more),
        )
        request = Plan().request(order, None, self.context)  # type: ignore[arg-type]
        result = Plan().run(request, self.context)
        self.planned.append(result)
        if result.decision == "train" and result.run_key:
            assert self.context.ledger.verdict(result.run_key) is None  # nothing is decided twice
        try:
            Plan().record(request, result, self.context, order)
        except NothingToDo:
            assert result.decision != "train"
            assert not sweep
        self._order = order
        return result

    def sweep(self) -> PlanResult:
        """What monitoring's last task does."""
        return self.look(sweep=True)

    def wake(self, run_type: RunType = "asset", **more: object) -> PlanResult:
        """A run of the training, as far as it gets."""
        result = self.look(run_type, **more)
        if result.decision == "train":
            try:
                self._train(result)
            except Crash:
                self.crash_after = ""
            except NothingToDo as reason:
                order = self._order.model_copy(
                    update={"component": "validate", "upstream": {"plan": (digest_of(0),)}}
                )
                record_end(order, reason, self.context)
        return result

    def _step(self, name: str) -> None:
        self.now += timedelta(minutes=2)
        if self.crash_after == name:
            raise Crash

    def _train(self, plan: PlanResult) -> None:
        ledger, pipeline = self.context.ledger, self.spec.name
        self._step("plan")
        reader = reader_digest(
            self.spec.source, self.spec.curated, self.spec.time, self.spec.features.drop
        )
        read: dict[str, Span] = {}
        for ref in (*plan.window, *plan.holdout):
            refused = self.bad.get(ref.name) == "refused"
            span = Span(name=ref.name, digest=digest_of(ref.name), rows=10, size=1)
            snapshot = Snapshot(span=span, fingerprint=ref.fingerprint, provenance={})
            ledger.record_span(
                pipeline,
                SpanRecord(
                    name=ref.name,
                    fingerprint=ref.fingerprint,
                    reader=reader,
                    digest=None if refused else span.digest,
                    snapshot=None if refused else snapshot.model_dump(mode="json"),
                    code="SPAN-EMPTY" if refused else None,
                ),
            )
            if not refused:
                read[ref.name] = span
        self._step("extract")
        good = [s for name, s in read.items() if self.bad.get(name) != "quarantined"]
        for span in (s for name, s in read.items() if self.bad.get(name) == "quarantined"):
            ledger.record_quarantine(pipeline, span.digest, rules_digest(self.spec), ("X",))
        window, holdout = choose(good, self.spec.window, self.spec.holdout)
        if not window:
            raise NothingToDo("VALIDATE-FEW", pipeline, "too few spans are good")
        key = run_key(self.spec, window, holdout, code_digest("run"), environment_digest())
        new = ledger.run(key) is None
        record = ledger.open_run(
            pipeline,
            RunRecord(
                run_key=key,
                spec=spec_digest(self.spec),
                window=tuple(s.digest for s in window),
                holdout=tuple(s.digest for s in holdout),
                code=code_digest("run"),
                environment=environment_digest(),
                seed=0,
                champion=None,
                trigger=self._order.trigger,
            ),
        )
        if new:
            by_a_person = self._order.trigger.run_type in PERSON
            self.opened.append((datetime.fromisoformat(record.at), by_a_person))
        self._step("validate")
        ledger.record_verdict(
            VerdictRecord(run_key=key, verdict="hold", because="so", decision=digest_of("d"))
        )

    def unaccounted(self) -> list[str]:
        """Days in no decided run that are neither refused nor in quarantine."""
        ledger, pipeline = self.context.ledger, self.spec.name
        done = {
            digest
            for run in ledger.find_runs(pipeline)
            if ledger.verdict(run.run_key)
            for digest in (*run.window, *run.holdout)
        }
        done |= ledger.quarantined(pipeline, rules_digest(self.spec)).keys()
        refused = {record.name for record in ledger.spans(pipeline) if record.digest is None}
        return [n for n in self.names() if n not in refused and digest_of(n) not in done]


@contextmanager
def chain(context: Context, triggers: dict[str, object], **more: object) -> Iterator[Chain]:
    """A chain on a ledger in memory, whose clock is the chain's."""
    spec = PipelineSpec.model_validate(
        {
            "name": "days",
            "task": "regression",
            "target": "fare",
            "source": {"uri": "{data}/d/*.csv", "period": "%Y-%m-%d", "settle": 0},
            "window": {"spans": "all"},
            "gate": {"superior_by": "1%", "baseline": "median"},
            "triggers": triggers,
            **more,
        }
    )
    (context.settings.data / "d").mkdir(exist_ok=True)
    for old in (context.settings.data / "d").iterdir():
        old.unlink()
    made = Chain(context, spec)
    with open_ledger("sqlite://", made.clock) as ledger:
        made.context = replace(context, ledger=ledger, clock=made.clock)
        yield made
