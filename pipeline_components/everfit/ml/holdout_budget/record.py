"""A run's evaluation on its holdout, decided once and written into the ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from everfit.contracts.base import Digest
from everfit.contracts.clock import moment
from everfit.contracts.errors import Unavailable
from everfit.contracts.messages.evaluations import ChampionDecay, HoldoutEvaluation
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.policy import (
    EvaluatedRun,
    HoldoutRows,
    last_year,
    next_evaluation,
)
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import SpanRecord

if TYPE_CHECKING:
    from everfit.ml.holdout_budget.recognize import EvaluatedTable

log = logging.getLogger(__name__)

TRIES = 20
"""Each lost race means that another run's evaluation was recorded: so many there never are."""
SAME_ROWS = 0.05
"""Pipelines share a budget from this share of rows on that both were evaluated on."""


def record_evaluation(
    ledger: Ledger,
    run: EvaluatedRun,
    gate: GateSpec,
    now: datetime,
    open_table: Callable[[], EvaluatedTable] | None = None,
    decay: ChampionDecay | None = None,
) -> HoldoutEvaluation | None:
    """Record a run's evaluation on its holdout; one that is there already stays as it is.

    Parameters
    ----------
    ledger : Ledger
    run : EvaluatedRun
    gate : GateSpec
    now : datetime
    open_table : callable, optional
        Opens the holdout table, by whose rows those evaluated before are recognized.
    decay : ChampionDecay, optional
        What monitoring has found of the champion, where the gate has ``when_decayed``.

    Returns
    -------
    HoldoutEvaluation or None
        None where the ledger does not know the run or one of its spans: what it was evaluated on
        is not known then, so nothing is recorded and the gate will not promote.

    Raises
    ------
    Unavailable
        If other runs took every place that was tried.
    """
    known = ledger.holdout_evaluation(run.run_key)
    if known is not None:
        return known
    spans, first_seen = evaluated_on(ledger, run.pipeline, run.run_key)
    if not spans:
        log.warning(
            "run %s: no evaluation on its holdout is recorded, as its spans are not in the ledger",
            run.run_key[:12],
        )
        return None
    table = open_table() if open_table else None
    usual = table.usual_times() if table else None
    if table:
        # First, so that no evaluation is ever on record whose rows could not be recognized.
        ledger.record_evaluated_rows(table.sample(run))
    again: dict[Digest, float] = {}
    for _ in range(TRIES):
        everyone = ledger.holdout_evaluations(run.pipeline, run.target)
        for one in ledger.evaluated_rows(run.pipeline, run.target) if table else ():
            if table and one.run_key not in again and one.run_key != run.run_key:
                again[one.run_key] = table.share_of(one)
        digests = {span.digest for span in spans}
        earlier, shared_with = sharing(everyone, run.pipeline, again, digests)
        seen = max((again.get(one.run_key, 0.0) for one in earlier), default=0.0)
        numbers = [one.sequence for one in everyone if one.target == run.target]
        evaluation = next_evaluation(
            run,
            earlier,
            spans,
            gate,
            HoldoutRows(now, first_seen, usual, 1.0 - seen, shared_with),
            sequence=max(numbers, default=0) + 1,
            decay=decay,
        )
        stored = ledger.record_holdout_evaluation(evaluation)
        if stored is not None:
            return stored
    raise Unavailable(
        "EVALUATION-RACE",
        f"{run.pipeline} run {run.run_key[:12]}",
        "a run's evaluation on its holdout must find a place in the ledger",
        f"other runs took {TRIES} places first",
        "Try again",
    )


def sharing(
    everyone: Sequence[HoldoutEvaluation],
    pipeline: str,
    again: Mapping[Digest, float] | None = None,
    spans: frozenset[Digest] | set[Digest] = frozenset(),
) -> tuple[tuple[HoldoutEvaluation, ...], tuple[str, ...]]:
    """The evaluations that share a pipeline's budget, and the other pipelines they are of.

    A budget belongs to the data: pipelines that were ever evaluated on the same rows, for the
    same target, have one together, so that a copy of a pipeline under another name has none of
    its own.

    Parameters
    ----------
    everyone : sequence of HoldoutEvaluation
        Of the pipeline, and of all with its target; oldest first.
    pipeline : str
    again : mapping, optional
        Run key of an evaluation → the share of the rows at hand that were in it.
    spans : set of str, optional
        Digests of the spans at hand.

    Returns
    -------
    evaluations : tuple of HoldoutEvaluation
        Oldest first.
    pipelines : tuple of str
        By name, without ``pipeline``.
    """
    found = {pipeline}
    for one in everyone:
        same_rows = (again or {}).get(one.run_key, 0.0) >= SAME_ROWS
        if same_rows or any(span.digest in spans for span in one.spans):
            found.add(one.pipeline)
    while True:
        more = {
            name
            for one in everyone
            for name in (one.pipeline, *one.shared_with)
            if found & {one.pipeline, *one.shared_with}
        }
        if more <= found:
            break
        found |= more
    return (
        tuple(one for one in everyone if one.pipeline in found),
        tuple(sorted(found - {pipeline})),
    )


def evaluations_until(
    ledger: Ledger, run_key: Digest
) -> tuple[HoldoutEvaluation | None, tuple[HoldoutEvaluation, ...]]:
    """A run's evaluation, and those of the year of data before it that share its budget.

    Of the earlier ones only spans that moved time on are kept: a year of evaluations on windows
    that overlap would name each span hundreds of times. No time of recording is kept either, so
    that it is the same wherever the run is judged.
    """
    evaluation = ledger.holdout_evaluation(run_key)
    if evaluation is None:
        return None, ()
    family = {evaluation.pipeline, *evaluation.shared_with}
    everyone = ledger.holdout_evaluations(evaluation.pipeline, evaluation.target)
    place = next((n for n, one in enumerate(everyone) if one.run_key == run_key), len(everyone))
    earlier = [one for one in everyone[:place] if one.pipeline in family]
    before = tuple(
        one.model_copy(update={"at": "", "spans": tuple(span for span in one.spans if span.new)})
        for one in last_year(earlier, evaluation)
    )
    return evaluation.model_copy(update={"at": ""}), before


def evaluated_on(
    ledger: Ledger, pipeline: str, run_key: Digest
) -> tuple[tuple[Span, ...], dict[Digest, datetime]]:
    """The spans a run is evaluated on, and when each was first seen.

    With ``holdout.fraction`` they are those of its window.

    Parameters
    ----------
    ledger : Ledger
    pipeline : str
    run_key : Digest

    Returns
    -------
    spans : tuple of Span
    first_seen : dict
        Digest → time. Both are empty where the ledger does not know the run or one of the spans.
    """
    run = ledger.run(run_key)
    if run is None:
        return (), {}
    digests = run.holdout or run.window
    records = ledger.spans(pipeline)
    found = spans_of(records, digests)
    if len(found) != len({*digests}):
        return (), {}
    seen: dict[Digest, datetime] = {}
    for record in records:
        at = moment(record.at)
        if record.digest in found and at is not None:
            seen.setdefault(record.digest, at)
    return tuple(found[digest] for digest in digests), seen


def spans_of(records: Sequence[SpanRecord], digests: Sequence[Digest]) -> dict[Digest, Span]:
    """The spans of those digests that were read; of copies the one that was there first."""
    wanted = set(digests)
    found: dict[Digest, Span] = {}
    for record in records:
        if record.digest in wanted and record.snapshot is not None:
            span = Snapshot.model_validate(record.snapshot).span
            found.setdefault(span.digest, span)
    return found
