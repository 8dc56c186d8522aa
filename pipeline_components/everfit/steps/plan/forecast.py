"""What the holdout to come can detect, said before anything is trained on it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from pydantic import BaseModel

from everfit.contracts.base import Digest, digest_of
from everfit.contracts.clock import iso, moment
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.evaluations import ChampionDecay, HoldoutEvaluation
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.spans import Span, SpanRef
from everfit.contracts.messages.trigger_facts import MeasuredSpan
from everfit.contracts.spec.margins import required_in_words
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import about, apart, confidence, duration, setting
from everfit.ml.holdout_budget.coverage import YEAR
from everfit.ml.holdout_budget.policy import (
    EvaluatedRun,
    HoldoutRows,
    next_evaluation,
    rows_to_refill,
    years_to_refill,
)
from everfit.ml.holdout_budget.power import (
    REMEMBERED,
    detectable,
    half_width,
    needed,
    rows_to_detect,
    rows_to_shrink,
    worth_finding,
)
from everfit.ml.holdout_budget.record import sharing
from everfit.storage.ledger import Ledger
from everfit.storage.store import Store

SURE = 1.645
"""Standard errors to the upper 95 % bound of a gain."""
LOOKED_BACK = 12
"""Decisions looked back at for some with a comparison."""

Known = Mapping[tuple[str, str], Span]
"""Name and fingerprint → the span, where it was read before."""


@dataclass(frozen=True)
class Forecast:
    """What a run could come to."""

    told: str | None = None
    """A sentence; None where no candidate was compared with a champion yet, as this one will be."""
    must_hold: str = ""
    """Why it can only end in hold, and what would change that; empty: it may promote."""


@dataclass(frozen=True)
class Measured:
    """A comparison there was."""

    error: float
    """Standard error of its gain."""
    rows: int
    """Holdout rows behind it."""
    baseline: float
    """Score of what the candidate was compared with."""
    kept: float
    """Holdout rows for each row of the evaluated spans."""
    wider: float
    """How much wider its interval was than one of the normal distribution."""
    gain: float | None
    """The gain it found; None where it is not known."""


def forecast(
    spec: PipelineSpec,
    planned: PlanResult,
    known: Known,
    ledger: Ledger,
    store: Store,
    now: datetime,
    watched: Sequence[MeasuredSpan] = (),
    decay: ChampionDecay | None = None,
) -> Forecast:
    """The smallest gain that the run's holdout will detect, and whether it can promote at all.

    Parameters
    ----------
    planned : PlanResult
        One that trains.
    known : mapping
        The spans that were read before.
    ledger, store : Ledger, Store
        Read, not written.
    now : datetime
    watched : sequence of MeasuredSpan
        What monitoring measured of the champion: how much there may be to gain.
    decay : ChampionDecay, optional
        The same, where the gate has ``when_decayed``.
    """
    target = spec.target.name
    everyone = ledger.holdout_evaluations(spec.name, target)
    evaluations, _ = sharing(everyone, spec.name)
    evaluation = ledger.holdout_evaluation(planned.run_key) if planned.run_key else None
    if evaluation is None:
        spans = _spans(planned.holdout or planned.window, known, evaluations)
        run = EvaluatedRun(planned.run_key or digest_of("planned"), spec.name, target)
        # What has not arrived yet is dated as it is going to be.
        rows = HoldoutRows(now)
        evaluation = next_evaluation(run, evaluations, spans, spec.gate, rows, decay=decay)
    key = evaluation.run_key
    earlier = list(takewhile(lambda one: one.run_key != key, evaluations))
    if not evaluation.alpha:
        more = about(rows_to_refill(earlier, evaluation, spec.gate))
        time = duration(years_to_refill(earlier, evaluation, spec.gate) * YEAR.total_seconds())
        refill = f"about {more} new labelled rows ({time} of data) would refill it"
        exhausted = "the evaluation budget of this holdout is exhausted"
        return Forecast(
            f"{exhausted}, so the run will end in hold: {refill}", f"{exhausted}: {refill}"
        )
    measured = list(
        islice(_measured(spec, planned.champion is not None, ledger, store), REMEMBERED)
    )
    if measured:
        return _expected(spec, planned, evaluation, measured, watched)
    if planned.champion is not None and evaluation.decayed:
        return Forecast(_instead(spec, evaluation))
    return Forecast()


def _instead(spec: PipelineSpec, evaluation: HoldoutEvaluation) -> str:
    """That the gate asks what it asks of a decayed champion, and why."""
    asks = spec.gate.asks(decayed=True)
    asked = required_in_words(asks.intention, asks.margin.text, "the champion’s")
    because = evaluation.decay.because if evaluation.decay else ""
    return f"{because}, so the gate asks for {metric_title(spec.primary_metric)} {asked}"


def _expected(
    spec: PipelineSpec,
    planned: PlanResult,
    evaluation: HoldoutEvaluation,
    measured: list[Measured],
    watched: Sequence[MeasuredSpan],
) -> Forecast:
    gate, name = spec.gate, spec.primary_metric
    score = measured[0].baseline
    if planned.champion is not None:
        score = planned.champion.scores.get(name, score)
    rows = max(round(sum(span.rows for span in evaluation.spans) * measured[0].kept), 1)
    errors = [one.error * math.sqrt(one.rows / rows) for one in measured]
    belows = [
        half_width(error, evaluation.alpha) * one.wider
        for one, error in zip(measured, errors, strict=True)
    ]
    error, below = max(errors), max(belows)
    decayed = planned.champion is not None and evaluation.decayed
    need, effect = needed(gate, score, decayed), worth_finding(gate, score, decayed)
    unit = metric_unit(name, spec.target.unit)
    least, worth = apart(detectable(need, below, error), effect, unit=unit)
    told = (
        f"about {about(rows)} holdout rows at {confidence(evaluation.alpha)} detect a gain of "
        f"{least} in {metric_title(name)} with 80 % power, going by {_those(len(measured))}; the "
        f"gate asks for {'more than' if need >= 0 else 'no less than'} {setting(need, unit)}"
    )
    if decayed:
        told = f"{told}; {_instead(spec, evaluation)}"
    must_hold = ""
    most = _most_to_gain(name, measured, watched, error) if planned.champion is not None else None
    # The narrowest that an interval may come out: one that was wider may have been so by chance.
    narrow = min(half_width(one, evaluation.alpha) for one in errors)
    if most is not None and most < need + narrow:
        reach, least = apart(most, need + narrow, unit=unit)
        more = rows_to_shrink(rows, narrow, most - need)
        takes = f"; about {about(more)} rows would do" if more else ""
        must_hold = (
            f"its holdout of about {about(rows)} rows is too small for any gain seen so far: "
            f"{least} in {metric_title(name)} is needed, {reach} at most is to be had{takes}"
        )
    if effect <= need:
        return Forecast(told, must_hold)
    if detectable(need, below, error) <= effect:
        return Forecast(f"{told}, and {worth} is worth finding", must_hold)
    more = rows_to_detect(effect, need, below, error, rows)
    takes = f": that takes about {about(more)} rows" if more else ""
    told += f", and a gain of {worth}, which is worth finding, will likely be missed{takes}"
    return Forecast(told, must_hold)


def _most_to_gain(
    metric: str, measured: list[Measured], watched: Sequence[MeasuredSpan], error: float
) -> float | None:
    """The largest gain that anything seen so far lets one hope for; None where nobody can tell.

    Nobody can where the champion's loss is not known on any span since it was judged: it may have
    become worse by any amount. Each figure is taken at its upper 95 % bound.
    """
    rises = [rise for span in watched if (rise := span.rise(metric)) is not None]
    gains = [one.gain + SURE * error for one in measured if one.gain is not None]
    if not rises or not gains:
        return None
    return max(*gains, *(2 * rise.excess - rise.excess_low for rise in rises))


def _spans(
    refs: Sequence[SpanRef], known: Known, evaluations: Sequence[HoldoutEvaluation]
) -> list[Span]:
    """The spans; one not read yet is taken to be like those evaluated last, and to follow."""
    read = [known.get((ref.name, ref.fingerprint)) for ref in refs]
    last = evaluations[-1].spans if evaluations else ()
    sizes = [span.rows for span in read if span] or [span.rows for span in last]
    rows = round(sum(sizes) / len(sizes)) if sizes else 0
    return [span or _unread(ref, rows, evaluations) for ref, span in zip(refs, read, strict=True)]


def _unread(ref: SpanRef, rows: int, evaluations: Sequence[HoldoutEvaluation]) -> Span:
    start, end = ref.period_start, ref.period_end
    ends = [found for one in evaluations for span in one.spans if (found := moment(span.end))]
    if start is None and ends:
        last = evaluations[-1].spans
        length = YEAR * (sum(span.years for span in last) / len(last)) if last else timedelta()
        start, end = iso(max(ends)), iso(max(ends) + length)
    digest: Digest = digest_of([ref.name, ref.fingerprint])
    return Span(
        name=ref.name,
        digest=digest,
        rows=rows,
        size=ref.size or 0,
        period_start=start,
        period_end=end,
    )


def _those(count: int) -> str:
    return "the last comparison" if count == 1 else f"the widest of the last {count} comparisons"


def _measured(
    spec: PipelineSpec, with_champion: bool, ledger: Ledger, store: Store
) -> Iterator[Measured]:
    """Comparisons of earlier decisions, newest first: by the same metric, with the same baseline.

    The losses of a row differ far more from a dummy's than from a champion's, so that comparisons
    with the one say nothing about the other.
    """
    for verdict in reversed(ledger.verdicts(spec.name)[-LOOKED_BACK:]):
        evaluation = ledger.holdout_evaluation(verdict.run_key)
        evaluated = sum(span.rows for span in evaluation.spans) if evaluation else 0
        power, gain = _power(verdict.decision, store)
        if power is None or power.metric != spec.primary_metric or not evaluated:
            continue
        if power.against.startswith("champion") != with_champion:
            continue
        if power.error and power.rows:
            wider = 1.0
            if power.alpha and power.below:
                wider = power.below / half_width(power.error, power.alpha)
            yield Measured(
                error=power.error,
                rows=power.rows,
                baseline=power.baseline,
                kept=power.rows / evaluated,
                wider=wider,
                gain=gain,
            )


class _Power(BaseModel):
    """The values of a decision's POWER check that a forecast needs."""

    metric: str
    against: str
    baseline: float
    error: float | None = None
    rows: int | None = None
    alpha: float | None = None
    below: float | None = None


def _power(decision: Digest, store: Store) -> tuple[_Power | None, float | None]:
    """What POWER and GAIN of a decision measured; None where they measured nothing."""
    try:
        checks = json.loads(store.get(decision))["checks"]
        (values,) = (check["values"] for check in checks if check["code"] == "POWER")
        gains = [check["values"].get("gain") for check in checks if check["code"] == "GAIN"]
        return _Power.model_validate(values), gains[0] if gains else None
    except (IntegrityError, ValueError, KeyError):
        return None, None  # pruned, or written by another version: nothing depends on it
