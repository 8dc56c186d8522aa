"""What the next look at a holdout may spend, from the looks there were.

A *look* is one run's candidate scored on a holdout. ``gate.false_promotions`` is what all looks of
a year of data may spend together; fresh rows refill the pool they spend from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from pipeline_components.clock import iso, moment
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.durations import duration
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.looks import Look, LookedAt
from pipeline_components.contracts.spans import Span

from .coverage import Stretch, merged, stretch_of, uncovered, years
from .spend import FAINTEST, level_cap, spend

LONGEST = 1.0
"""Years: however much time a look's spans cover, it brings the budget of one year at most."""
_HAIR = 1e-9


def next_look(
    run_key: Digest, earlier: Sequence[Look], spans: Sequence[Span], gate: GateSpec
) -> Look:
    """Decide what a run's look spends.

    Parameters
    ----------
    run_key : Digest
        Of the run.
    earlier : sequence of Look
        Every look of the pipeline before it, oldest first.
    spans : sequence of Span
        Those whose rows it judges on; with ``holdout.fraction`` the spans of the window.
    gate : GateSpec
        ``false_promotions``, ``confidence`` and ``span_lasts`` count.

    Returns
    -------
    Look
        ``alpha`` 0 where the budget is exhausted.
    """
    looked = looked_at(earlier, spans, duration(gate.span_lasts))
    refilled = gate.false_promotions * min(sum(span.new for span in looked), LONGEST)
    pool = max(pool_after(earlier) + refilled, 0.0)
    look = Look(
        run_key=run_key,
        sequence=earlier[-1].sequence + 1 if earlier else 1,
        spans=looked,
        refilled=refilled,
        pool=pool,
        alpha=0.0,
    )
    left = gate.false_promotions - sum(one.alpha for one in last_year(earlier, look))
    alpha = spend(pool, whole(look, gate), level_cap(gate.confidence), max(left, 0.0))
    return look.model_copy(update={"alpha": float(alpha)})


def looked_at(
    earlier: Sequence[Look], spans: Sequence[Span], lasts: timedelta
) -> tuple[LookedAt, ...]:
    """The spans of a look, with the time they cover and what of it is new."""
    seen = {span.digest: span for look in earlier for span in look.spans}
    covered = merged(filter(None, map(_stretch, seen.values())))
    here: list[Stretch] = []
    found: dict[Digest, LookedAt] = {}
    for span in spans:
        if span.digest in found:
            continue
        fresh = span.digest not in seen
        stretch = stretch_of(span, lasts)
        if stretch is None:
            own = years(lasts)
            new = own if fresh else 0.0
        else:
            own = years(uncovered(stretch, here))
            new = years(uncovered(stretch, merged([*covered, *here]))) if fresh else 0.0
            here = merged([*here, stretch])
        found[span.digest] = LookedAt(
            digest=span.digest,
            rows=span.rows,
            years=own,
            fresh=fresh,
            new=new,
            start=iso(stretch[0]) if stretch else None,
            end=iso(stretch[1]) if stretch else None,
        )
    return tuple(found.values())


def pool_after(looks: Sequence[Look]) -> float:
    """What looks have left of all that was added."""
    return math.fsum([*(one.refilled for one in looks), *(-one.alpha for one in looks)])


def whole(look: Look, gate: GateSpec) -> float:
    """What the look's spans would bring if all were fresh."""
    return gate.false_promotions * min(sum(span.years for span in look.spans), LONGEST)


def last_year(earlier: Sequence[Look], look: Look) -> tuple[Look, ...]:
    """The looks before one that share a year of data with it, oldest first.

    A look moves time on by what is new of its spans; one more look at the same rows does not. Those
    belong to the year whose new time, with that of ``look``, comes to a year at most.
    """
    gone = new_time(look)
    found: list[Look] = []
    for one in reversed(earlier):
        gone += new_time(one)
        if gone > 1 + _HAIR:
            break
        found.append(one)
    return tuple(reversed(found))


def new_time(look: Look) -> float:
    """Years that nobody had looked at before; one look moves on by one at most."""
    return min(sum(span.new for span in look.spans), LONGEST)


def years_to_refill(earlier: Sequence[Look], look: Look, gate: GateSpec) -> float:
    """How much new time an exhausted budget needs until a look like this one may spend again.

    Parameters
    ----------
    earlier : sequence of Look
        Every look before it, oldest first.
    look : Look
        One that spent nothing.

    Returns
    -------
    float
        Years of 365.25 days; 0 where it spent.
    """
    if look.alpha > 0:
        return 0.0
    least = whole(look, gate) * FAINTEST
    waits = max(2 * least - look.pool, 0.0) / gate.false_promotions
    # The year's own bound: a look counts no more once a year of new time has passed since it.
    spent = last_year(earlier, look)
    left = gate.false_promotions - sum(one.alpha for one in spent)
    since = new_time(look) + sum(map(new_time, spent))
    for one in spent:
        if left >= least:
            break
        waits = max(waits, 1 - since)
        left += one.alpha
        since -= new_time(one)
    return waits + _HAIR


def rows_to_refill(earlier: Sequence[Look], look: Look, gate: GateSpec) -> int:
    """About how many new labelled rows that is, at the rows a year of the look's spans."""
    time = sum(span.years for span in look.spans)
    rows = sum(span.rows for span in look.spans)
    if not time:
        return 0
    return max(math.ceil(years_to_refill(earlier, look, gate) * rows / time), 1)


def _stretch(span: LookedAt) -> Stretch | None:
    start, end = moment(span.start), moment(span.end)
    return (start, end) if start and end else None
