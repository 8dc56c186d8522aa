"""What the holdout to come can tell, said before anything is trained on it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from pipeline_components.clock import iso, moment
from pipeline_components.contracts.base import Digest, digest_of
from pipeline_components.contracts.errors import IntegrityError
from pipeline_components.contracts.looks import Look
from pipeline_components.contracts.planning import PlanResult
from pipeline_components.contracts.spans import Span, SpanRef
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.ledger import Ledger
from pipeline_components.looks.coverage import YEAR
from pipeline_components.looks.policy import next_look, rows_to_refill, years_to_refill
from pipeline_components.looks.power import (
    REMEMBERED,
    detectable,
    half_width,
    needed,
    rows_to_detect,
    worth_finding,
)
from pipeline_components.looks.words import odds, rounded, time_of
from pipeline_components.report.page import short
from pipeline_components.store import Store

LOOKED_BACK = 12
"""Decisions looked back at for some with a comparison."""

Known = Mapping[tuple[str, str], Span]
"""Name and fingerprint → the span, where it was read before."""


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
    """Holdout rows for each row of the spans looked at."""
    wider: float
    """How much wider its interval was than one of the normal distribution."""


def forecast(
    spec: PipelineSpec, planned: PlanResult, known: Known, ledger: Ledger, store: Store
) -> str | None:
    """The smallest gain that the run's holdout will find, and whether it can promote at all.

    Parameters
    ----------
    planned : PlanResult
        One that trains.
    known : mapping
        The spans that were read before.
    ledger, store : Ledger, Store
        Read, not written.

    Returns
    -------
    str or None
        A sentence; None where no candidate was compared with a champion yet, as this one will be.
    """
    looks = ledger.looks(spec.name)
    look = ledger.look(planned.run_key) if planned.run_key else None
    if look is None:
        spans = _spans(planned.holdout or planned.window, known, looks)
        look = next_look(planned.run_key or digest_of("planned"), looks, spans, spec.gate)
    earlier = [one for one in looks if one.sequence < look.sequence]
    if not look.alpha:
        rows = rounded(rows_to_refill(earlier, look, spec.gate))
        time = time_of(years_to_refill(earlier, look, spec.gate))
        return (
            "the budget of looks at this holdout is exhausted, so the run will end in hold: about "
            f"{rows:,} new labelled rows ({time} of data) would refill it"
        )
    measured = list(
        islice(_measured(spec, planned.champion is not None, ledger, store), REMEMBERED)
    )
    return _said(spec, planned, look, measured) if measured else None


def _said(spec: PipelineSpec, planned: PlanResult, look: Look, measured: list[Measured]) -> str:
    gate, unit = spec.gate, spec.primary_metric
    score = measured[0].baseline
    if planned.champion is not None:
        score = planned.champion.scores.get(unit, score)
    rows = max(round(sum(span.rows for span in look.spans) * measured[0].kept), 1)
    errors = [one.error * math.sqrt(one.rows / rows) for one in measured]
    belows = [
        half_width(error, look.alpha) * one.wider
        for one, error in zip(measured, errors, strict=True)
    ]
    error, below = max(errors), max(belows)
    need, effect = needed(gate, score), worth_finding(gate, score)
    least = detectable(need, below, error)
    told = (
        f"about {rounded(rows):,} holdout rows at a level of {odds(look.alpha)} find a gain of "
        f"{short(least)} {unit} 8 times of 10, going by {_those(len(measured))}; the gate asks for "
        f"surely {'more than' if need >= 0 else 'no less than'} {short(need)}"
    )
    if effect <= need:
        return told
    if least <= effect:
        return f"{told}, and {short(effect)} is worth finding"
    more = rows_to_detect(effect, need, below, error, rows)
    takes = f": that takes about {rounded(more):,} rows" if more else ""
    return (
        f"{told}, and a gain of {short(effect)}, which is worth finding, will likely be missed"
        f"{takes}"
    )


def _spans(refs: Sequence[SpanRef], known: Known, looks: Sequence[Look]) -> list[Span]:
    """The spans; one not read yet is taken to be like those of the last look, and to follow."""
    read = [known.get((ref.name, ref.fingerprint)) for ref in refs]
    last = looks[-1].spans if looks else ()
    sizes = [span.rows for span in read if span] or [span.rows for span in last]
    rows = round(sum(sizes) / len(sizes)) if sizes else 0
    return [span or _unread(ref, rows, looks) for ref, span in zip(refs, read, strict=True)]


def _unread(ref: SpanRef, rows: int, looks: Sequence[Look]) -> Span:
    start, end = ref.period_start, ref.period_end
    ends = [found for look in looks for span in look.spans if (found := moment(span.end))]
    if start is None and ends:
        last = looks[-1].spans
        length = YEAR * (sum(span.years for span in last) / len(last)) if last else timedelta()
        start, end = iso(max(ends)), iso(max(ends) + length)
    digest: Digest = digest_of([ref.name, ref.fingerprint])
    return Span(
        name=ref.name, digest=digest, rows=rows, size=ref.size or 0,
        period_start=start, period_end=end,
    )  # fmt: skip


def _those(count: int) -> str:
    return "the last comparison" if count == 1 else f"the widest of the last {count} comparisons"


def _measured(
    spec: PipelineSpec, with_champion: bool, ledger: Ledger, store: Store
) -> Iterator[Measured]:
    """Comparisons that decisions tell of, newest first: by the metric, with the like of what comes.

    Beside a dummy the losses of a row differ far more than beside a champion, so that the one tells
    nothing of the other.
    """
    for verdict in reversed(ledger.verdicts(spec.name)[-LOOKED_BACK:]):
        look = ledger.look(verdict.run_key)
        looked = sum(span.rows for span in look.spans) if look else 0
        told = _power(verdict.decision, store)
        if told.get("metric") != spec.primary_metric or not looked:
            continue
        if str(told.get("against")).startswith("champion") != with_champion:
            continue
        error, rows, alpha, below = (told.get(name) for name in ("error", "rows", "alpha", "below"))
        if error and rows:
            yield Measured(
                error=error,
                rows=rows,
                baseline=told["baseline"],
                kept=rows / looked,
                wider=below / half_width(error, alpha) if alpha and below else 1.0,
            )


def _power(decision: Digest, store: Store) -> dict[str, Any]:
    """What the POWER check of a decision measured; nothing where it tells none."""
    try:
        checks = json.loads(store.get(decision))["checks"]
    except (IntegrityError, ValueError, KeyError):
        return {}  # cleared away, or of another Everfit: nothing rests on it
    return next((check.get("values", {}) for check in checks if check.get("code") == "POWER"), {})
