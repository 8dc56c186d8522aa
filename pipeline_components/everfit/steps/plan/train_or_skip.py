"""Which spans to train on and to judge on, or why to skip: by source, ledger and code alone."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.base import Digest
from everfit.contracts.errors import shortlist
from everfit.contracts.messages.planning import ChampionRef, PlanResult
from everfit.contracts.messages.spans import SpanRef, choose
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import percent
from everfit.data.sources.mature import reached
from everfit.engine.fingerprints import run_key
from everfit.steps.plan.facts.past_runs import PastRun
from everfit.steps.plan.facts.world import World, sort_spans

Chosen = tuple[tuple[SpanRef, ...], tuple[SpanRef, ...]]


def train_or_skip(spec: PipelineSpec, world: World, force: bool = False) -> PlanResult:
    """Compare the world with what has been done.

    Parameters
    ----------
    spec : PipelineSpec
        With the options of this run in place of its values.
    world : World
        What there is.
    force : bool
        Train even where the same run was decided before.

    Returns
    -------
    PlanResult
        ``because`` is a sentence for people; ``notes`` names every span left out.
    """
    return _Decision(spec, world, force).result()


class _Decision:
    def __init__(self, spec: PipelineSpec, world: World, force: bool) -> None:
        self.spec, self.world, self.force = spec, world, force
        sorted_spans = sort_spans(world)
        self.known, self.notes = sorted_spans.known, list(sorted_spans.notes)
        self.good, self.bad = sorted_spans.good, sorted_spans.bad
        self.refusals, self.waiting = sorted_spans.refusals, sorted_spans.waiting

    def result(self) -> PlanResult:
        order_open = bool(self.world.by_name) and any(
            self._digest(ref) is None for ref in self.good
        )
        wanted, among = self.spec.window, self.good
        if self.spec.labels is not None and not order_open:
            records = ((one.name, one.fingerprint, one.snapshot) for one in self.world.records)
            found = reached(self.spec, self.good, records)
            among, order_open = list(found.spans), found.unread
        if order_open:  # which of them are the newest is known once they are read
            wanted = wanted.model_copy(update={"spans": "all", "skip_recent": 0})
        window, holdout = choose(among, wanted, self.spec.holdout)
        if not window:
            return self._skip(self._too_few()).model_copy(update={"refused": self._refused()})
        key = self._key((window, holdout))
        past = self.world.find_run(key) if key else None
        if past is None and not self.force:
            finished = self._finished_without_the_bad()
            if finished is not None:
                (window, holdout), key, past = finished
        if past is not None and key is not None:
            return self._again((window, holdout), key, past)
        seen = self._seen(holdout)
        if seen and not self.force:
            return self._skip(
                f"the champion was trained on {shortlist(seen)}, and a candidate is judged only on "
                "spans that neither has seen; waiting for newer spans"
            )
        because = self._reason(window, holdout)
        train = self._train(window, holdout, key, self.world.champion, because)
        chosen = {ref.name for ref in (*window, *holdout)}
        by_name = tuple(name for name in self.world.by_name if name in chosen)
        return train.model_copy(update={"order_open": order_open, "by_name": by_name})

    def _finished_without_the_bad(self) -> tuple[Chosen, Digest, PastRun] | None:
        """An earlier run on what was left of this very choice when spans of it proved bad.

        Leaving bad spans out lets the window reach back to older spans. That alone, with nothing
        new in the source, is no reason to train once more.
        """
        if not self.bad:
            return None
        train, judge = choose(self.world.listing.spans, self.spec.window, self.spec.holdout)
        good = set(self.good)
        rest = [ref for ref in (*train, *judge) if ref in good]
        skipped = self.spec.window.model_copy(update={"skip_recent": 0})
        chosen = choose(rest, skipped, self.spec.holdout)
        key = self._key(chosen) if chosen[0] else None
        past = self.world.find_run(key) if key else None
        return (chosen, key, past) if key and past else None

    def _again(self, chosen: Chosen, key: Digest, past: PastRun) -> PlanResult:
        run = f"run {key[:12]}"
        on = f"on {_spans(chosen[0])}" + (f", judged on {_spans(chosen[1])}" if chosen[1] else "")
        comma = "," if chosen[1] else ""
        if past.unfinished:
            because = f"resuming {run} {on}: it {past.unfinished}"
        elif self.force:
            because = f"forced: {run} {on}{comma} {past.ending}, and runs again"
        else:
            because = f"nothing changed: {run} {on}{comma} {past.ending}"
            if self.bad:
                because += f"; left out as bad: {shortlist(ref.name for ref in self.bad)}"
            return self._skip(because, key, past.champion)
        return self._train(*chosen, key, past.champion, because)

    def _reason(self, window: Sequence[SpanRef], holdout: Sequence[SpanRef]) -> str:
        chosen = [*window, *holdout]
        new = [ref.name for ref in chosen if self._digest(ref) is None]
        on = _spans(window)
        judged = (
            _spans(holdout) if holdout else f"{percent(self.spec.holdout.fraction)} of the rows"
        )
        why = [] if self.world.champion else ["there is no champion yet"]
        if not new:
            why.append("these spans were never run with this spec, code and environment")
        elif self.world.champion or len(new) < len(chosen):
            why.append(f"new: {shortlist(new)}")
        return f"{', '.join(why)}; training on {on}, judging on {judged}"

    def _too_few(self) -> str:
        if not self.world.listing.spans:
            return self.world.listing.empty or "the source is empty"
        window, judge = self.spec.window, self.spec.holdout.spans or 0
        need = max(window.min_spans, 1) + judge + window.skip_recent
        parts = [f"{max(window.min_spans, 1)} to train on"]
        if judge:
            parts.append(f"{judge} to judge on")
        if window.skip_recent:
            parts.append(f"{window.skip_recent} skipped as too recent")
        there = len(self.good)
        text = f"{_count(need)} needed ({', '.join(parts)}), {there} {_are(there)} there"
        if self.bad:
            text += f"; {len(self.bad)} more {_are(len(self.bad))} left out as bad: " + shortlist(
                ref.name for ref in self.bad
            )
        if self.waiting:
            waits = "wait for their labels" if len(self.waiting) > 1 else "waits for its labels"
            text += f"; {len(self.waiting)} more {waits}: {shortlist(self.waiting)}"
        if judge and len(self.world.listing.spans) == 1:
            text += "; holdout.fraction divides the rows of one table"
        return text

    def _refused(self) -> tuple[str, ...]:
        """The spans that were refused or quarantined, where they are what is lacking."""
        refused = [ref.name for ref in self.bad if ref.name in self.refusals]
        judge = self.spec.holdout.spans or 0
        need = max(self.spec.window.min_spans, 1) + judge + self.spec.window.skip_recent
        if not refused or (self.good and len(self.good) + len(refused) < need):
            return ()
        return tuple(f"{name} ({self.refusals[name]})" for name in refused)

    def _digest(self, ref: SpanRef) -> Digest | None:
        span = self.known.get((ref.name, ref.fingerprint))
        return span.digest if span else None

    def _seen(self, holdout: Sequence[SpanRef]) -> list[str]:
        champion = self.world.champion
        if champion is None:
            return []
        return [ref.name for ref in holdout if self._digest(ref) in champion.window]

    def _key(self, chosen: Chosen) -> Digest | None:
        """The run key, where every chosen span has been read before."""
        found = [
            tuple(self.known[ref.name, ref.fingerprint] for ref in refs)
            for refs in chosen
            if all((ref.name, ref.fingerprint) in self.known for ref in refs)
        ]
        if len(found) < 2:
            return None
        world = self.world
        return run_key(
            self.spec, found[0], found[1], world.code, world.environment, world.own_checks
        )

    def _train(
        self,
        window: tuple[SpanRef, ...],
        holdout: tuple[SpanRef, ...],
        key: Digest | None,
        champion: ChampionRef | None,
        because: str,
    ) -> PlanResult:
        return PlanResult(
            decision="train",
            because=because,
            window=window,
            holdout=holdout,
            champion=champion,
            code=self.world.code,
            environment=self.world.environment,
            run_key=key,
            notes=tuple(self.notes),
        )

    def _skip(
        self, because: str, key: Digest | None = None, champion: ChampionRef | None = None
    ) -> PlanResult:
        return PlanResult(
            decision="skip",
            because=because,
            window=(),
            holdout=(),
            champion=champion or self.world.champion,
            code=self.world.code,
            environment=self.world.environment,
            run_key=key,
            notes=tuple(self.notes),
        )


def _spans(refs: Sequence[SpanRef]) -> str:
    if len(refs) == 1:
        return refs[0].name
    return f"{len(refs)} spans ({refs[0].name} to {refs[-1].name})"


def _count(number: int) -> str:
    return "1 span is" if number == 1 else f"{number} spans are"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
