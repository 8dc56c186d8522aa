"""Spans that are calendar windows of a query's watermark column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from everfit.contracts.clock import now
from everfit.contracts.errors import SourceError
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.settings import Settings
from everfit.contracts.spec.durations import duration
from everfit.contracts.spec.source import SourceSpec, SqlSourceSpec
from everfit.contracts.wording import count
from everfit.data.sources.periods import end_of, start_of
from everfit.data.sources.source import Fetching, Listing, SourceOfRows
from everfit.data.sources.sql_connection import read_only, translated_errors, url_of
from everfit.data.sources.sql_query import check_query

BATCH_ROWS = 20_000
"""Rows asked of the database at a time."""

_NAMES = {"month": "%Y-%m", "week": "%G-W%V", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
"""How a window is called."""

_ZONES = timedelta(hours=14)
"""How far a clock without a zone may be ahead of UTC."""


class SqlSource(SourceOfRows):
    """The windows of ``source.every`` that are over and hold rows.

    A window is over once its end and ``source.late`` have passed, and a row at or after its end
    has arrived; a row dated after now closes nothing. Its fingerprint is its bounds, its number
    of rows and its newest watermark, and on PostgreSQL a hash of all it holds: rows that arrive
    late, and labels that arrive by UPDATE, make it a new span.
    """

    kind = "sql"

    def __init__(self, source: SourceSpec, settings: Settings) -> None:
        super().__init__(source, settings)
        assert isinstance(source, SqlSourceSpec)
        self._source = source

    def list(self) -> Listing:
        """Count the rows of each window."""
        with connect(self._source) as database:
            return database.windows()

    @contextmanager
    def fetch_rows(self, ref: SpanRef) -> Iterator[Fetching]:
        """Ask for the rows of one window, in batches."""
        source = self._source
        with connect(source) as database:
            names, batches = database.rows(ref)
            yield Fetching(
                names,
                batches,
                listed=int(ref.fingerprint.partition(" rows=")[2].partition(" ")[0] or 0),
                same=lambda: database.evidence(ref) == ref.fingerprint,
                origin={
                    "connection": source.connection,
                    "query": source.query,
                    "watermark": source.watermark,
                    "window": [ref.period_start, ref.period_end],
                },
                texts_may_be_times=database.dialect == "sqlite",
            )


@contextmanager
def connect(source: SqlSourceSpec) -> Iterator[Database]:
    """Open the source's connection for reading, and for nothing else.

    Raises
    ------
    SourceError
        If the query is not one SELECT.
    """
    import sqlalchemy as sa

    check_query(source.query)
    name = f"EVERFIT_CONN_{source.connection.upper()}"
    url = url_of(name)
    with translated_errors(name):
        engine = sa.create_engine(url)
    try:
        with translated_errors(name), engine.connect() as connection:
            read_only(connection)
            yield Database(source, connection)
    finally:
        engine.dispose()


class Database:
    """The query of a source on an open connection."""

    def __init__(self, source: SqlSourceSpec, connection: Any) -> None:
        import sqlalchemy as sa

        self._source, self._connection = source, connection
        self.dialect: str = connection.dialect.name
        query = source.query.strip().rstrip(";")
        # Colons would be taken for parameters; none of the user's are.
        text = sa.text("(" + re.sub(r"(?<!\\):", r"\\:", query) + "\n) AS everfit_source")
        self._from = text
        self._watermark: Any = sa.column(source.watermark)

    def windows(self) -> Listing:
        """The windows that are over and hold rows, oldest first."""
        import sqlalchemy as sa

        low, high = self._connection.execute(
            sa.select(sa.func.min(self._watermark), sa.func.max(self._watermark)).select_from(
                self._from
            )
        ).one()
        where = f"{self._source.watermark}"
        if low is None or high is None:
            return Listing((), (), "the query gives no row with a watermark")
        first, last = self._moment(low), self._moment(high)
        notes = []
        today = now().replace(tzinfo=None)
        if last > today + _ZONES:
            last, ahead = self._not_ahead(today + _ZONES, low)
            notes.append(
                f"{count(ahead, 'row')} {'is' if ahead == 1 else 'are'} dated after now, up to "
                f"{str(high)[:30]}: no window is closed by them"
            )
        last = min(last, today + _ZONES)
        if self._source.late is not None:
            last = min(last, today - duration(self._source.late))
        every = self._source.every
        start = start_of(first, every)
        over = []
        while (end := end_of(start, every)) <= last:
            over.append((start, end))
            start = end
        spans = [
            ref for i in range(0, len(over), 50) for ref in self._counted(over[i : i + 50], low)
        ]
        notes.append(f"the {every} from {start.isoformat()} is not over yet: it is left out")
        empty = "" if spans else f"no {every} of {where} is over yet"
        return Listing(tuple(spans), tuple(notes), empty)

    def _not_ahead(self, limit: datetime, sample: Any) -> tuple[datetime, int]:
        """The newest watermark that is not after a time, and how many rows are."""
        import sqlalchemy as sa

        not_ahead, _ = self._between(limit, limit, sample)
        newest = self._connection.execute(
            sa.select(sa.func.max(self._watermark))
            .select_from(self._from)
            .where(sa.not_(not_ahead))
        ).scalar()
        ahead = self._connection.execute(
            sa.select(sa.func.count()).select_from(self._from).where(not_ahead)
        ).scalar_one()
        return self._moment(newest if newest is not None else sample), int(ahead)

    def _counted(self, windows: list[tuple[datetime, datetime]], sample: Any) -> Iterator[SpanRef]:
        """The windows that hold rows, counted in one statement."""
        import sqlalchemy as sa

        counts = sa.union_all(
            *(
                sa.select(sa.literal(number), *self._evidence())
                .select_from(self._from)
                .where(*self._between(start, end, sample))
                for number, (start, end) in enumerate(windows)
            )
        )
        found = {number: more for number, *more in self._connection.execute(counts)}
        for number, (start, end) in enumerate(windows):
            rows, newest, *content = found[number]
            if rows:
                yield self._ref(start, end, rows, newest, *content)

    def _evidence(self) -> list[Any]:
        """What a window's fingerprint is made of: a hash of its content where that is cheap."""
        import sqlalchemy as sa

        found: list[Any] = [sa.func.count(), sa.func.max(self._watermark)]
        if self.dialect == "postgresql":
            row: Any = sa.literal_column("CAST(everfit_source AS text)")
            found.append(
                sa.func.sum(sa.cast(sa.func.hashtextextended(row, 0), sa.Numeric)).label("content")
            )
        return found

    def rows(self, ref: SpanRef) -> tuple[list[str], Iterator[list[Any]]]:
        """Column names, and the rows of one window in batches, in a fixed order.

        Only ``source.columns`` (and what ``source.where`` reads) is asked for. Rows come by
        watermark, then by every other column, so that equal rows always come alike.
        """
        import sqlalchemy as sa

        from everfit.contracts.spec.expression import columns_of

        there = list(
            self._connection.execute(
                sa.select(sa.text("*")).select_from(self._from).limit(0)
            ).keys()
        )
        wanted = there
        if self._source.columns is not None:
            needed = columns_of(self._source.where) if self._source.where else frozenset()
            wanted = [name for name in there if name in {*self._source.columns, *needed}]
        columns: list[Any] = [sa.column(name) for name in wanted or there]
        query = (
            sa.select(*columns)
            .select_from(self._from)
            .where(*self._within(ref))
            .order_by(self._watermark, *(sa.column(name) for name in there))
        )
        result = self._connection.execution_options(
            stream_results=True, yield_per=BATCH_ROWS
        ).execute(query)
        return [column.name for column in columns], (
            list(batch) for batch in result.partitions(BATCH_ROWS)
        )

    def evidence(self, ref: SpanRef) -> str:
        """The window's fingerprint as of now."""
        import sqlalchemy as sa

        rows, newest, *content = self._connection.execute(
            sa.select(*self._evidence()).select_from(self._from).where(*self._within(ref))
        ).one()
        return _fingerprint(_time(ref.period_start), _time(ref.period_end), rows, newest, *content)

    def _within(self, ref: SpanRef) -> tuple[Any, Any]:
        import sqlalchemy as sa

        sample = self._connection.execute(
            sa.select(self._watermark).select_from(self._from).limit(1)
        ).scalar()
        return self._between(_time(ref.period_start), _time(ref.period_end), sample)

    def _between(self, start: datetime, end: datetime, sample: Any) -> tuple[Any, Any]:
        import sqlalchemy as sa

        low, high = _as(start, sample), _as(end, sample)
        kind = sa.Text() if isinstance(low, str) else None
        return (
            self._watermark >= sa.bindparam("everfit_low", low, type_=kind, unique=True),
            self._watermark < sa.bindparam("everfit_high", high, type_=kind, unique=True),
        )

    def _ref(
        self, start: datetime, end: datetime, rows: int, newest: Any, content: Any = None
    ) -> SpanRef:
        return SpanRef(
            name=start.strftime(_NAMES[self._source.every]),
            fingerprint=_fingerprint(start, end, rows, newest, content),
            location=f"sql:{self._source.connection}",
            period_start=start.isoformat(),
            period_end=end.isoformat(),
        )

    def _moment(self, value: Any) -> datetime:
        try:
            return _utc(value)
        except (TypeError, ValueError):
            raise SourceError(
                "SOURCE-WATERMARK",
                f"source.watermark {self._source.watermark}",
                "a watermark must be a timestamp",
                f"it is {type(value).__name__} {str(value)[:40]!r}",
                "Name a timestamp column, or cast it in the query",
            ) from None


def _fingerprint(
    start: datetime, end: datetime, rows: int, newest: Any, content: Any = None
) -> str:
    last = _utc(newest).isoformat() if newest is not None else None
    seen = f"[{start.isoformat()}, {end.isoformat()}) rows={rows} newest={last}"
    return seen if content is None else f"{seen} content={int(content)}"


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text or "")


def _utc(value: Any) -> datetime:
    """A watermark as a naive UTC time."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise TypeError(type(value).__name__)


def _as(moment: datetime, sample: Any) -> Any:
    """A bound in the form the column's own values have, so that the database compares like."""
    if isinstance(sample, str):  # SQLite keeps times as text
        if len(sample) == 10:
            # A date: the first whole day at or after the bound.
            whole = moment.replace(hour=0, minute=0, second=0, microsecond=0)
            return (whole if whole == moment else whole + timedelta(days=1)).date().isoformat()
        return moment.isoformat("T" if "T" in sample else " ")
    if isinstance(sample, datetime):
        return moment.replace(tzinfo=UTC) if sample.tzinfo else moment
    if isinstance(sample, date):
        return moment.date()
    return moment
