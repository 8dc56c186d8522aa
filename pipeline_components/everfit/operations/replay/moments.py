"""When spans arrived, and when a replay looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit.contracts.clock import iso, read_iso
from everfit.contracts.errors import UserError
from everfit.contracts.messages.spans import SpanRef
from everfit.storage.ledger.records import SpanRecord


@dataclass(frozen=True)
class Arrival:
    """A span and the time it was there."""

    at: datetime
    span: SpanRef


def arrivals(
    pipeline: str,
    spans: Sequence[SpanRef],
    records: Sequence[SpanRecord],
    rows_end: Mapping[str, datetime] | None = None,
) -> tuple[Arrival, ...]:
    """When each span arrived, oldest first.

    Parameters
    ----------
    spans : sequence of SpanRef
        As the source lists them.
    records : sequence of SpanRecord
        What the ledger knows of them.
    rows_end : mapping, optional
        Name of a span → the time of its latest row, see ``end_of_rows``.

    Returns
    -------
    tuple of Arrival
        At the end of the span's period where the source names one, else at its latest row's time,
        else when the ledger first saw it.

    Raises
    ------
    UserError
        If a span has none: nobody can tell when it was there.
    """
    seen: dict[str, str] = {}
    for record in records:
        seen.setdefault(record.name, record.at)
    found = []
    for span in spans:
        dated = None if span.period_end else (rows_end or {}).get(span.name)
        text = span.period_end or (iso(dated) if dated else seen.get(span.name))
        if text is None:
            raise UserError(
                "REPLAY-TIME",
                f"{pipeline} {span.name}",
                "a replay must know when a span arrived",
                "its name holds no period, its rows no time, and no run has read it",
                "Say time or source.period in the spec, or run the pipeline first",
            )
        found.append(Arrival(read_iso(text), span))
    return tuple(sorted(found, key=lambda arrival: arrival.at))


def moments(
    found: Sequence[Arrival], since: datetime, until: datetime, every: timedelta
) -> list[datetime]:
    """When to look: at the start, at every arrival, and between them every so often."""
    times = {arrival.at for arrival in found if since <= arrival.at <= until}
    times.add(since)
    moment = since
    while moment < until:
        moment += every
        times.add(min(moment, until))
    return sorted(times)
