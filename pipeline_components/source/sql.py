"""Spans that are calendar windows of a query's watermark column."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline_components.contracts.errors import (
    CredentialsError,
    EverfitError,
    SourceError,
    Unavailable,
)
from pipeline_components.contracts.spans import SpanRef
from pipeline_components.contracts.spec import SourceSpec

from .listing import Listing
from .periods import end_of, start_of

BATCH_ROWS = 20_000
"""Rows asked of the database at a time."""

_NAMES = {"month": "%Y-%m", "week": "%G-W%V", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
"""How a window is called."""


def list_windows(source: SourceSpec) -> Listing:
    """The windows of ``source.every`` that are over and hold rows, oldest first.

    A window is over once a row at or after its end has arrived. Its fingerprint is its bounds,
    its number of rows and its newest watermark, so rows that arrive late make it a new span.

    Raises
    ------
    SourceError, CredentialsError
        If connection, query or watermark is not right.
    Unavailable
        If the database does not answer.
    """
    with connect(source) as database:
        return database.windows()


@contextmanager
def connect(source: SourceSpec) -> Iterator[Database]:
    """Open the source's connection for reading."""
    import sqlalchemy as sa

    name = f"EVERFIT_CONN_{(source.connection or '').upper()}"
    url = _url(name)
    with _errors(name):
        engine = sa.create_engine(url)
    try:
        with _errors(name), engine.connect() as connection:
            yield Database(source, connection)
    finally:
        engine.dispose()


class Database:
    """The query of a source on an open connection."""

    def __init__(self, source: SourceSpec, connection: Any) -> None:
        import sqlalchemy as sa

        self._source, self._connection = source, connection
        self.dialect: str = connection.dialect.name
        query = (source.query or "").strip().rstrip(";")
        # Colons would be taken for parameters; none of the user's are.
        text = sa.text("(" + re.sub(r"(?<!\\):", r"\\:", query) + "\n) AS everfit_source")
        self._from = text
        self._watermark: Any = sa.column(source.watermark or "")

    def windows(self) -> Listing:
        """See ``list_windows``."""
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
        every = self._source.every
        start = start_of(first, every)
        over = []
        while (end := end_of(start, every)) <= last:
            over.append((start, end))
            start = end
        spans = [
            ref for i in range(0, len(over), 50) for ref in self._counted(over[i : i + 50], low)
        ]
        notes = (f"the {every} from {start.isoformat()} is not over yet: it is left out",)
        empty = "" if spans else f"no {every} of {where} is over yet"
        return Listing(tuple(spans), notes, empty)

    def _counted(self, windows: list[tuple[datetime, datetime]], sample: Any) -> Iterator[SpanRef]:
        """The windows that hold rows, counted in one statement."""
        import sqlalchemy as sa

        counts = sa.union_all(
            *(
                sa.select(sa.literal(number), sa.func.count(), sa.func.max(self._watermark))
                .select_from(self._from)
                .where(*self._between(start, end, sample))
                for number, (start, end) in enumerate(windows)
            )
        )
        found = {number: more for number, *more in self._connection.execute(counts)}
        for number, (start, end) in enumerate(windows):
            rows, newest = found[number]
            if rows:
                yield self._ref(start, end, rows, newest)

    def rows(self, ref: SpanRef) -> tuple[list[str], Iterator[list[Any]]]:
        """Column names, and the rows of one window in batches, in a fixed order.

        Only ``source.columns`` (and what ``source.where`` reads) is asked for. Rows come by
        watermark, then by every other column, so that equal rows always come alike.
        """
        import sqlalchemy as sa

        from pipeline_components.contracts.expression import columns_of

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

        rows, newest = self._connection.execute(
            sa.select(sa.func.count(), sa.func.max(self._watermark))
            .select_from(self._from)
            .where(*self._within(ref))
        ).one()
        return _fingerprint(_time(ref.period_start), _time(ref.period_end), rows, newest)

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

    def _ref(self, start: datetime, end: datetime, rows: int, newest: Any) -> SpanRef:
        return SpanRef(
            name=start.strftime(_NAMES[self._source.every]),
            fingerprint=_fingerprint(start, end, rows, newest),
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


def _fingerprint(start: datetime, end: datetime, rows: int, newest: Any) -> str:
    last = _utc(newest).isoformat() if newest is not None else None
    return f"[{start.isoformat()}, {end.isoformat()}) rows={rows} newest={last}"


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


def _url(name: str) -> Any:
    import sqlalchemy as sa

    text = os.environ.get(name)
    if not text:
        raise CredentialsError(
            "SOURCE-CONNECTION", name, "the connection of a sql source must be set",
            "there is no such variable",
            f"Set {name} to a SQLAlchemy URL such as postgresql+psycopg://user:password@host/db",
        )  # fmt: skip
    try:
        url = sa.make_url(text)
        if "@" in (url.host or ""):
            raise ValueError("the rest of a password")
    except (sa.exc.ArgumentError, ValueError):  # whose text may hold a part of the password
        raise CredentialsError(
            "SOURCE-CONNECTION", name, "a connection must be a SQLAlchemy URL", "it is none",
            "Write it like postgresql+psycopg://user:password@host/db, and of the password "
            "@ / : ? # as %40 %2F %3A %3F %23",
        ) from None  # fmt: skip
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    missing = url.database and url.database != ":memory:" and "file:" not in url.database
    if url.get_backend_name() == "sqlite" and missing and not Path(url.database or "").exists():
        raise SourceError(
            "SOURCE-MISSING", name, "the database must exist",
            f"there is no file {url.database!r}", "Correct the connection",
        )  # fmt: skip
    return url


@contextmanager
def _errors(name: str) -> Iterator[None]:
    import sqlalchemy as sa

    try:
        yield
    except sa.exc.NoSuchModuleError as error:
        raise SourceError(
            "SOURCE-DRIVER", name, "the database's driver must be installed", str(error),
            "Install it where the components run",
        ) from error  # fmt: skip
    except ModuleNotFoundError as error:
        raise SourceError(
            "SOURCE-DRIVER", name, "the database's driver must be installed",
            f"there is no module {error.name!r}", "Install it where the components run",
        ) from error  # fmt: skip
    except sa.exc.DBAPIError as error:
        raise _translated(name, error) from error


def _translated(name: str, error: Any) -> EverfitError:
    import sqlalchemy as sa

    text = str(error.orig).splitlines()[0][:200] if str(error.orig) else type(error).__name__
    low = text.lower()
    if any(word in low for word in ("password", "authentication", "permission", "access denied")):
        return CredentialsError(
            "SOURCE-CREDENTIALS", name, "the database must accept the connection's user",
            text, "Correct the connection, or grant SELECT",
        )  # fmt: skip
    if "not a database" in low:
        return SourceError(
            "SOURCE-MISSING", name, "the database must be one", text, "Correct the connection"
        )
    ours = "no such" in low or "syntax" in low or "misuse" in low or "unable to open" in low
    if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError) and not ours:
        return Unavailable(
            "SOURCE-UNAVAILABLE",
            name,
            "the database must answer",
            text,
            "Check that it runs, and try again",
        )
    return SourceError(
        "SOURCE-QUERY", "source.query", "the query must be one the database can run",
        text, "Try it in the database's own shell",
    )  # fmt: skip
