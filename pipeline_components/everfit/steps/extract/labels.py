"""The labels of a span's rows: those that are due, as of their horizon, and no others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from everfit.contracts.clock import moment
from everfit.contracts.messages.joined import Labelled
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.contracts.spec.durations import duration
from everfit.contracts.spec.labels import LabelsSpec
from everfit.data.sources.refused import SpanRefused
from everfit.data.tables.column_types import type_name
from everfit.data.tables.point_in_time import NEVER
from everfit.engine.context import Context
from everfit.steps.extract.joined_table import Found, Table

log = logging.getLogger(__name__)

MICROSECOND = timedelta(microseconds=1)

SLACK = timedelta(days=1)
"""Clocks without a zone may be ahead of ours by so much."""


class Labels:
    """Labels that were read, joined to spans that were read.

    Parameters
    ----------
    labels : LabelsSpec
    parts : sequence of Snapshot
        The spans of their table, oldest first; none: nothing is known yet.
    row_by_row : bool
        Rows count one by one, where rows are held out and not spans; else a span's labels count
        once they are due for all of its rows.
    context : Context
    """

    def __init__(
        self, labels: LabelsSpec, parts: Sequence[Snapshot], row_by_row: bool, context: Context
    ) -> None:
        self.table = Table("labels", labels.as_join, parts, context)
        self.known_until = known_until(labels, parts, context.clock())
        self._horizon = duration(labels.horizon)
        self._row_by_row, self._parts = row_by_row, parts

    def look_up(
        self, ref: SpanRef, file: Any, apart: Snapshot, time: str
    ) -> tuple[Found, Labelled]:
        """Find the label of each row of a span.

        Parameters
        ----------
        ref : SpanRef
        file : pyarrow.parquet.ParquetFile
            Of the span.
        apart : Snapshot
            The same span.
        time : str
            The pipeline's.

        Raises
        ------
        SpanRefused
            If the two do not fit together.
        """
        self._dated(ref, file, time)
        horizon = self._horizon // MICROSECOND
        found, matches, read = self.table.find(ref, file, time, horizon=horizon)
        times = np.zeros(0, dtype=np.int64) if read is None else read
        clock = moment(self.known_until)
        newest = moment(apart.span.time_max)
        due = newest + self._horizon if newest is not None else None
        mature: Any = np.zeros(len(times), dtype=np.bool_)
        if clock is not None and (self._row_by_row or (due is not None and due <= clock)):
            limit = int(np.datetime64(clock.replace(tzinfo=None), "us").astype(np.int64))
            mature = (times != NEVER) & (times <= limit - horizon)
        labelled = mature & (matches.at >= 0)
        place = np.where(labelled, found.place, -1)
        counts = Labelled(
            rows=len(times),
            labelled=int(labelled.sum()),
            immature=int((~mature).sum()),
            late=int((mature & ~labelled & matches.known).sum()),
            entries=matches.candidates,
            repeated=matches.candidates - matches.used,
            mature=bool(mature.any()),
            due=due.replace(tzinfo=None).isoformat() if due is not None else None,
            known_until=self.known_until,
        )
        return Found(found.counts, found.values, place), counts

    @staticmethod
    def _dated(ref: SpanRef, file: Any, time: str) -> None:
        """Refuse a span whose rows do not say when they are."""
        kind = file.schema_arrow.field(time).type if time in file.schema_arrow.names else None
        if kind is None or type_name(kind) != "timestamp":
            raise SpanRefused(
                "SPAN-JOIN",
                ref,
                f"a table that is joined must fit: {time!r} says when the label of a row is due",
                f"it is of type {type_name(kind)}" if kind else "it is not there",
                "Correct time, or say how it is read: source.times",
            )


def known_until(labels: LabelsSpec, parts: Sequence[Snapshot], now: datetime) -> str | None:
    """The time up to which labels are known; None: nothing says so.

    The newest time of a label or, where labels have none, the end of the newest period; never the
    time on the wall. A label dated after now would make rows mature that are not: where a part has
    one, three quarters of its labels count, as far as they are not dated so themselves.

    Parameters
    ----------
    labels : LabelsSpec
    parts : sequence of Snapshot
        The spans of their table.
    now : datetime
    """
    found = []
    for one in parts:
        if labels.time is None:
            ends = [one.span.period_end]
        else:
            ends = [one.span.time_max, one.times.end if one.times else None]
        for end in ends:
            when = moment(end)
            if end is not None and when is not None and when <= now + SLACK:
                found.append(end)
                break
        else:
            log.warning("labels of %s are dated after now, up to %s", one.span.name, ends[0])
    return max(found, default=None)
