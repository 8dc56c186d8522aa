"""A run's look at its holdout, decided once and written into the ledger."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import Unavailable
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.looks import Look
from pipeline_components.contracts.spans import Snapshot, Span
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import SpanRecord

from .policy import last_year, next_look

log = logging.getLogger(__name__)

TRIES = 20
"""Each lost race means that another run's look was recorded: so many at once there never are."""


def record_look(ledger: Ledger, pipeline: str, run_key: Digest, gate: GateSpec) -> Look | None:
    """Have a run's look recorded; one that is there already stays as it is.

    Returns
    -------
    Look or None
        None where the ledger does not know the run or one of its spans: what was looked at is not
        known then, so nothing is recorded and the gate will not promote.

    Raises
    ------
    Unavailable
        If other runs took every place that was tried.
    """
    known = ledger.look(run_key)
    if known is not None:
        return known
    spans = judged_spans(ledger, pipeline, run_key)
    if not spans:
        log.warning(
            "run %s: no look at its holdout is recorded, as its spans are not in the ledger",
            run_key[:12],
        )
        return None
    for _ in range(TRIES):
        look = next_look(run_key, ledger.looks(pipeline), spans, gate)
        stored = ledger.record_look(pipeline, look)
        if stored is not None:
            return stored
    raise Unavailable(
        "LOOK-RACE", f"{pipeline} run {run_key[:12]}",
        "a run's look at its holdout must find a place in the ledger",
        f"other runs took {TRIES} places first", "Try again",
    )  # fmt: skip


def looks_until(
    ledger: Ledger, pipeline: str, run_key: Digest
) -> tuple[Look | None, tuple[Look, ...]]:
    """A run's look, and those of the year of data before it, oldest first.

    Of the earlier ones only spans that moved time on are kept: a year of looks at windows that
    overlap would name each span hundreds of times. No time of recording is kept either, so that
    it is the same wherever the run is judged.
    """
    look = ledger.look(run_key)
    if look is None:
        return None, ()
    earlier = [one for one in ledger.looks(pipeline) if one.sequence < look.sequence]
    before = tuple(
        one.model_copy(update={"at": "", "spans": tuple(span for span in one.spans if span.new)})
        for one in last_year(earlier, look)
    )
    return look.model_copy(update={"at": ""}), before


def judged_spans(ledger: Ledger, pipeline: str, run_key: Digest) -> tuple[Span, ...]:
    """The spans whose rows a run judges on; with ``holdout.fraction`` those of its window.

    Returns
    -------
    tuple of Span
        Empty where the ledger does not know the run or one of the spans.
    """
    run = ledger.run(run_key)
    if run is None:
        return ()
    digests = run.holdout or run.window
    found = spans_of(ledger.spans(pipeline), digests)
    return tuple(found[digest] for digest in digests) if len(found) == len({*digests}) else ()


def spans_of(records: Sequence[SpanRecord], digests: Sequence[Digest]) -> dict[Digest, Span]:
    """The spans of those digests that were read; of copies the one that was there first."""
    wanted = set(digests)
    found: dict[Digest, Span] = {}
    for record in records:
        if record.digest in wanted and record.snapshot is not None:
            span = Snapshot.model_validate(record.snapshot).span
            found.setdefault(span.digest, span)
    return found
