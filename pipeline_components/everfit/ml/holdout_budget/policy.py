"""What the next evaluation on a holdout may spend, from the evaluations there were.

``gate.false_promotions`` is what all evaluations of a year of data may spend; new rows of new time
refill the budget they spend from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from everfit.contracts.base import Digest
from everfit.contracts.clock import iso, moment
from everfit.contracts.messages.evaluations import ChampionDecay, EvaluatedSpan, HoldoutEvaluation
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.durations import duration
from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.coverage import Stretch, merged, stretch_of, uncovered, years
from everfit.ml.holdout_budget.spend import least_level, level_cap, spend

LONGEST = 1.0
"""Years: however much time an evaluation covers, it brings the budget of one year at most."""
_HAIR = 1e-9


@dataclass(frozen=True)
class HoldoutRows:
    """What is known of an evaluation's rows beside their spans.

    Attributes
    ----------
    now : datetime
        When they are evaluated: nothing dated later counts.
    first_seen : mapping
        Digest of a span → when it was first seen, which dates it where nothing else does.
    usual : (datetime, datetime) or None
        Where the times of nearly all rows lie.
    new : float
        Share of the rows that were in no earlier evaluation.
    shared_with : tuple of str
        Other pipelines that were evaluated on some of these rows.
    """

    now: datetime
    first_seen: Mapping[Digest, datetime] = field(default_factory=dict)
    usual: Stretch | None = None
    new: float = 1.0
    shared_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvaluatedRun:
    """The run whose candidate is evaluated."""

    run_key: Digest
    pipeline: str
    target: str


def next_evaluation(
    run: EvaluatedRun,
    earlier: Sequence[HoldoutEvaluation],
    spans: Sequence[Span],
    gate: GateSpec,
    rows: HoldoutRows,
    sequence: int | None = None,
    decay: ChampionDecay | None = None,
) -> HoldoutEvaluation:
    """Decide what a run's evaluation spends.

    Parameters
    ----------
    run : EvaluatedRun
    earlier : sequence of HoldoutEvaluation
        Every evaluation before it that shares its budget, oldest first.
    spans : sequence of Span
        Those whose rows it is evaluated on; with ``holdout.fraction`` the spans of the window.
    gate : GateSpec
        ``false_promotions``, ``confidence`` and ``span_lasts`` count.
    rows : HoldoutRows
    sequence : int, optional
        Its number among all evaluations with this target; one more than the last by default.
    decay : ChampionDecay, optional
        What monitoring has found of the champion, where the gate has ``when_decayed``.

    Returns
    -------
    HoldoutEvaluation
        ``alpha`` 0 where the budget is exhausted.
    """
    evaluated = evaluated_spans(earlier, spans, duration(gate.span_lasts), rows)
    time = min(
        sum(span.new for span in evaluated), rows.new * sum(span.years for span in evaluated)
    )
    refilled = gate.false_promotions * min(time, LONGEST)
    kept = 0.0
    if decay is not None and gate.when_decayed is not None:
        idle = min(idle_time(earlier, evaluated), LONGEST)
        kept = gate.false_promotions * idle + gate.when_decayed.share * refilled
        refilled += gate.false_promotions * idle
        decay = decay.model_copy(update={"idle": idle, "kept": kept})
    pool = pool_after(earlier) + refilled
    if decay is None or not decay.before:
        pool -= kept_after(earlier) + kept
    pool = max(pool, 0.0)
    last = max((one.sequence for one in earlier), default=0)
    evaluation = HoldoutEvaluation(
        run_key=run.run_key,
        pipeline=run.pipeline,
        target=run.target,
        sequence=sequence or last + 1,
        number=len(earlier) + 1,
        spans=evaluated,
        new_rows=rows.new,
        shared_with=rows.shared_with,
        refilled=refilled,
        pool=pool,
        alpha=0.0,
        decay=decay,
    )
    left = gate.false_promotions - sum(one.alpha for one in last_year(earlier, evaluation))
    alpha = spend(pool, whole(evaluation, gate), level_cap(gate.confidence), max(left, 0.0))
    return evaluation.model_copy(update={"alpha": float(alpha)})


def evaluated_spans(
    earlier: Sequence[HoldoutEvaluation],
    spans: Sequence[Span],
    lasts: timedelta,
    rows: HoldoutRows,
) -> tuple[EvaluatedSpan, ...]:
    """The spans of an evaluation, with the time they cover and what of it is new.

    Parameters
    ----------
    earlier : sequence of HoldoutEvaluation
        Those before it that share its budget, oldest first.
    spans : sequence of Span
        Whose rows it judges on; one that comes twice counts once.
    lasts : timedelta
        Length of a span whose rows are all of one moment.
    rows : HoldoutRows
        A sample of what was evaluated on, by which copies under other names are recognized.
    """
    seen = {span.digest: span for one in earlier for span in one.spans}
    covered = merged(filter(None, map(_stretch, seen.values())))
    here: list[Stretch] = []
    found: dict[Digest, EvaluatedSpan] = {}
    for span in spans:
        if span.digest in found:
            continue
        fresh = span.digest not in seen
        first_seen = rows.first_seen.get(span.digest)
        stretch = stretch_of(span, lasts, rows.now, usual=rows.usual, first_seen=first_seen)
        found[span.digest] = EvaluatedSpan(
            digest=span.digest,
            rows=span.rows,
            years=years(uncovered(stretch, here)),
            fresh=fresh,
            new=years(uncovered(stretch, merged([*covered, *here]))) if fresh else 0.0,
            start=iso(stretch[0]),
            end=iso(stretch[1]),
        )
        here = merged([*here, stretch])
    return tuple(found.values())


def pool_after(evaluations: Sequence[HoldoutEvaluation]) -> float:
    """What evaluations have left of all that was added."""
    return math.fsum([*(one.refilled for one in evaluations), *(-one.alpha for one in evaluations)])


def kept_after(evaluations: Sequence[HoldoutEvaluation]) -> float:
    """What evaluations have left of what is kept for decayed champions.

    Those may spend all there is, and spend what is kept for them first.
    """
    left = 0.0
    for one in evaluations:
        if one.decay is None:
            continue
        left += one.decay.kept
        if one.decay.before:
            left = max(left - one.alpha, 0.0)
    return left


def idle_time(earlier: Sequence[HoldoutEvaluation], evaluated: Sequence[EvaluatedSpan]) -> float:
    """Years from the newest time evaluated before to the new time of an evaluation.

    Parameters
    ----------
    earlier : sequence of HoldoutEvaluation
        Those before it that share its budget.
    evaluated : sequence of EvaluatedSpan
        The spans it is on; where none of their time is new, nothing has passed.
    """
    ends = [end for one in earlier for span in one.spans if (end := moment(span.end))]
    starts = [start for span in evaluated if span.new and (start := moment(span.start))]
    if not ends or not starts:
        return 0.0
    return max(years(min(starts) - max(ends)), 0.0)


def whole(evaluation: HoldoutEvaluation, gate: GateSpec) -> float:
    """What the evaluation's spans would bring if all were new."""
    return gate.false_promotions * min(sum(span.years for span in evaluation.spans), LONGEST)


def last_year(
    earlier: Sequence[HoldoutEvaluation], evaluation: HoldoutEvaluation
) -> tuple[HoldoutEvaluation, ...]:
    """The evaluations before one that share a year of data with it, oldest first.

    An evaluation moves time on by what is new of its spans; one more on the same rows does not.
    Those belong to the year whose new time, with that of ``evaluation``, is a year at most.
    """
    gone = new_time(evaluation)
    found: list[HoldoutEvaluation] = []
    for one in reversed(earlier):
        gone += evaluated_time(one)
        if gone > 1 + _HAIR:
            break
        found.append(one)
        gone += new_time(one) - evaluated_time(one)
    return tuple(reversed(found))


def new_time(evaluation: HoldoutEvaluation) -> float:
    """Years that an evaluation moves time on by; at most one."""
    idle = evaluation.decay.idle if evaluation.decay else 0.0
    return min(evaluated_time(evaluation) + idle, LONGEST)


def evaluated_time(evaluation: HoldoutEvaluation) -> float:
    """Years of its spans that were in no evaluation before; at most one."""
    return min(sum(span.new for span in evaluation.spans), LONGEST)


def years_to_refill(
    earlier: Sequence[HoldoutEvaluation], evaluation: HoldoutEvaluation, gate: GateSpec
) -> float:
    """How much new time an exhausted budget needs until an evaluation like this may spend again.

    Parameters
    ----------
    earlier : sequence of HoldoutEvaluation
        Those before it that share its budget, oldest first.
    evaluation : HoldoutEvaluation
        One that spent nothing.
    gate : GateSpec
        ``false_promotions`` counts.

    Returns
    -------
    float
        Years of 365.25 days; 0 where it spent.
    """
    if evaluation.alpha > 0:
        return 0.0
    least = float(least_level(whole(evaluation, gate)))
    waits = max(2 * least - evaluation.pool, 0.0) / gate.false_promotions
    # The year's own bound: an evaluation counts no more once a year of new time has passed.
    spent = last_year(earlier, evaluation)
    left = gate.false_promotions - sum(one.alpha for one in spent)
    since = new_time(evaluation) + sum(map(new_time, spent))
    for one in spent:
        if left >= least:
            break
        waits = max(waits, 1 - since)
        left += one.alpha
        since -= new_time(one)
    return waits + _HAIR


def rows_to_refill(
    earlier: Sequence[HoldoutEvaluation], evaluation: HoldoutEvaluation, gate: GateSpec
) -> int:
    """Estimate how many new labelled rows that is, at the rows a year of the evaluation's spans.

    Parameters
    ----------
    earlier, evaluation, gate
        As for ``years_to_refill``.
    """
    time = sum(span.years for span in evaluation.spans)
    rows = sum(span.rows for span in evaluation.spans)
    if not time:
        return 0
    return max(math.ceil(years_to_refill(earlier, evaluation, gate) * rows / time), 1)


def _stretch(span: EvaluatedSpan) -> Stretch | None:
    start, end = moment(span.start), moment(span.end)
    return (start, end) if start and end else None
