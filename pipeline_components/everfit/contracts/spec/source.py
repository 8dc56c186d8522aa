"""Where a pipeline's table comes from: one model for each kind of source, told apart by ``kind``.

The kind need not be written: it follows from the address (``s3://…`` is ``s3``, a path is
``files``) or from a ``query`` (``sql``). A scheme that is none of these is the kind of a source
type of your own, whose module in ``everfit/data/sources`` reads what stands under ``options``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from everfit.contracts.base import Frozen
from everfit.contracts.spec.durations import Duration
from everfit.contracts.spec.expression import parse_expression
from everfit.contracts.spec.table_schema import ColumnType
from everfit.contracts.spec.time_format import known_format

Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ConnectionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


MISSING = (
    *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NaN", "nan", "-NaN", "-nan"),
    *("null", "NULL", "None", "#NULL!", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
"""Texts that spreadsheets, databases and programs write for a value that is not there."""


class CsvOptions(Frozen):
    """How a CSV is read; what is left open is found in the file, and recorded in the lineage."""

    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="one character; default: found"
    )
    encoding: str | None = Field(
        None,
        description="text encoding; default: found by a byte order mark, as UTF-8, or as cp1252",
    )
    null_values: tuple[str, ...] = Field(MISSING, description="texts read as missing")
    decimal: str = Field(
        ".", pattern=r"^[.,]$", description="decimal mark of numbers, ``,`` or ``.``"
    )
    thousands: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="what groups the digits of numbers, such as ``,``",
    )
    currency: str | None = Field(
        None,
        min_length=1,
        max_length=5,
        description="what stands before or after the digits of numbers, such as ``$`` or ``EUR``",
    )
    names: tuple[Column, ...] | None = Field(
        None,
        min_length=1,
        description="a name for every column, for files without a header; a header that is there "
        "is replaced",
    )
    skip_rows: int | None = Field(
        None,
        ge=0,
        le=10_000,
        description="lines before the header (or, with ``names``, before the first row); default: "
        "titles of one field are found",
    )
    comment: str | None = Field(
        None, min_length=1, max_length=1, description="lines that begin with it are left out"
    )
    quote: str = Field(
        '"', max_length=1, description="what texts are quoted with; empty: nothing is quoted"
    )
    max_ragged: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="share of rows that may have more or fewer fields than the header: they are "
        "left out, counted; above it the span is refused",
    )

    @field_validator("names")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if (names or ()).count(name) > 1:
                raise ValueError(f"a name is given once: {name!r} is there twice")
        return names

    @model_validator(mode="after")
    def _apart(self) -> CsvOptions:
        marks = [mark for mark in (self.delimiter, self.quote, self.comment) if mark]
        if len(set(marks)) < len(marks):
            raise ValueError("delimiter, quote and comment are three different characters")
        if self.thousands == self.decimal:
            raise ValueError("decimal and thousands are two different marks")
        return self


class CompleteSpec(Frozen):
    """How a writer says that what it wrote is whole: data first, the marker or manifest last."""

    marker: str | None = Field(
        None,
        pattern=r"^[^/*?\[\]]{1,200}$",
        description="a file such as ``_SUCCESS``: a folder's files count once it is there, and is "
        "not older than they are",
    )
    manifest: str | None = Field(
        None,
        pattern=r"^[^/].{0,199}$",
        description="glob of manifests below the source, such as ``*.manifest.json``: only files "
        "that one names count, with the sizes, etags and sha256 it states",
    )

    @model_validator(mode="after")
    def _one_of(self) -> CompleteSpec:
        if (self.marker is None) == (self.manifest is None):
            raise ValueError("complete takes either marker or manifest")
        if self.manifest is not None and ".." in self.manifest.split("/"):
            raise ValueError("a manifest lies below the source: no .. in its path")
        return self


_KIND = "which kind of source; by default the address says it, or a query does"


class SourceFields(Frozen):
    """What every kind of source has: which columns and rows are read, and how a file is."""

    kind: str
    format: Literal["auto", "csv", "parquet", "jsonl", "feather", "excel"] = Field(
        "auto", description="auto: by suffix"
    )
    sheet: str | None = Field(
        None, max_length=100, description="sheet of an Excel workbook; default the first"
    )
    columns: tuple[Column, ...] | None = Field(None, description="read only these; default all")
    where: str | None = Field(None, description="expression; only rows where it is true are read")
    types: dict[Column, ColumnType] = Field(
        default_factory=dict,
        description="column → its type, where the values do not say it: ``{zip: string}``",
    )
    times: dict[Column, str] = Field(
        default_factory=dict,
        description="column → format of its times: a strptime pattern such as ``%d.%m.%Y %H:%M``, "
        "``epoch_s``, ``epoch_ms``, ``epoch_us`` or ``yyyymmdd``",
    )
    timezone: str | None = Field(
        None,
        description="zone of times that are written without one, such as ``Europe/Berlin``; all "
        "times are kept in UTC. Default: they are kept as they are written",
    )
    csv: CsvOptions = Field(CsvOptions(), description="how a CSV is read")

    @field_validator("where")
    @classmethod
    def _parses(cls, text: str | None) -> str | None:
        if text is not None:
            parse_expression(text)
        return text

    @field_validator("times")
    @classmethod
    def _formats(cls, times: dict[str, str]) -> dict[str, str]:
        for column, form in times.items():
            try:
                known_format(form)
            except ValueError as error:
                raise ValueError(f"{column}: {error}") from None
        return times

    @field_validator("timezone")
    @classmethod
    def _zone(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(
                    f"{zone!r} is no time zone: write one such as Europe/Berlin or UTC"
                ) from None
        return zone

    @model_validator(mode="after")
    def _types_and_times(self) -> SourceFields:
        for column in sorted(self.times.keys() & self.types.keys()):
            if self.types[column] != "timestamp":
                raise ValueError(
                    f"{column!r} has a format in times and is no timestamp in types: keep one"
                )
        return self

    @property
    def address(self) -> str:
        """Where it is, for people; holds no secret but what an author wrote into the address."""
        return self.kind

    @property
    def connection_name(self) -> str | None:
        """The connection whose credentials it needs, if it names one."""
        return None


class AddressedSource(SourceFields):
    """A source with an address; its spans are files or objects."""

    uri: str = Field(
        description="path or glob (``{data}`` is the data folder), ``s3://bucket/prefix`` or "
        "``https://…``"
    )
    period: str | None = Field(
        None,
        description="strptime pattern of the period in a file's name, such as ``%Y-%m``; where "
        "only its folders say it, the files of a period are one span",
    )
    span: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="which files are one span: those of a period in their path "
        "(``dt=%Y-%m-%d``), or of a ``folder``; default each file, but for hive folders of a time "
        "and data sets that Spark wrote",
    )

    @model_validator(mode="after")
    def _one_pattern(self) -> AddressedSource:
        if self.span is not None and self.period is not None and self.span != "folder":
            raise ValueError("span says the period already: give span or period")
        if self.span is not None and self.span != "folder" and "%" not in self.span:
            raise ValueError(
                f"span is a pattern such as dt=%Y-%m-%d, or the word folder; it is {self.span!r}"
            )
        return self

    @field_validator("uri")
    @classmethod
    def _an_address(cls, uri: str) -> str:
        if not uri.strip():
            raise ValueError("is empty: write a path, s3://bucket/prefix or https://…")
        if re.match(r"^[a-z0-9+]+://[^/]*@", uri):
            raise ValueError("a URI holds no credentials: name a connection instead")
        return uri

    @property
    def address(self) -> str:
        """The uri."""
        return self.uri


class ArrivingSource(AddressedSource):
    """A source into which somebody writes files while it is read."""

    settle: float = Field(
        0.0, ge=0, le=3600, description="seconds a file must have been left alone to count"
    )
    complete: CompleteSpec | None = Field(
        None, description="what tells that files have arrived whole"
    )


class FileSourceSpec(ArrivingSource):
    """Files on this machine."""

    kind: Literal["files"] = Field("files", description=_KIND)


class S3SourceSpec(ArrivingSource):
    """Objects in a bucket."""

    kind: Literal["s3"] = Field("s3", description=_KIND)
    queue: str | None = Field(
        None,
        pattern=r"^https?://[^/@\s]+/\S+$",
        description="URL of an SQS queue with this bucket's notifications; new objects are then "
        "noticed within seconds",
    )


class HttpsSourceSpec(AddressedSource):
    """One file that a server offers."""

    kind: Literal["https"] = Field("https", description=_KIND)

    @field_validator("uri")
    @classmethod
    def _of_a_server(cls, uri: str) -> str:
        if re.search(r"[^!-~]", uri):
            raise ValueError("an address holds plain letters and signs: write a space as %20")
        try:
            parts = urlsplit(uri)
            whole = bool(parts.hostname) and parts.port != 0
        except ValueError:
            whole = False
        if not whole:
            raise ValueError("an address is written like https://host/folder/file.csv")
        return uri


class SqlSourceSpec(SourceFields):
    """The rows of a query, cut into spans by time."""

    kind: Literal["sql"] = Field("sql", description=_KIND)
    connection: ConnectionName = Field(
        description="name of the Airflow connection or ``EVERFIT_CONN_<NAME>`` variable"
    )
    query: str = Field(min_length=1, description="a SELECT, without a trailing semicolon")
    watermark: Column = Field(description="timestamp that cuts spans")
    every: Literal["hour", "day", "week", "month"] = Field(
        "month", description="a span's length; only windows already over are spans"
    )
    late: Duration | None = Field(
        None,
        description="how long after its end a window still waits for rows, such as ``6h``; default "
        "until a row of a later window is there",
    )

    @model_validator(mode="before")
    @classmethod
    def _address(cls, value: Any) -> Any:
        """``uri: sql`` says what ``query`` says already."""
        if isinstance(value, Mapping) and value.get("uri") == "sql":
            return {name: given for name, given in value.items() if name != "uri"}
        return value

    @property
    def address(self) -> str:
        """The connection, in the form of an address."""
        return f"sql:{self.connection}"

    @property
    def connection_name(self) -> str | None:
        """The connection."""
        return self.connection


class OwnSourceSpec(AddressedSource):
    """A source type of your own: a module of its kind in ``everfit/data/sources``."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9_+.-]{0,30}$", description=_KIND)
    connection: ConnectionName | None = Field(
        None, description="name of the Airflow connection or ``EVERFIT_CONN_<NAME>`` variable"
    )
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="what the source type reads"
    )

    @model_validator(mode="before")
    @classmethod
    def _kind(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "kind" not in value:
            return {**value, "kind": scheme_of(str(value.get("uri", "")))}
        return value

    @property
    def connection_name(self) -> str | None:
        """The connection."""
        return self.connection


OF_SCHEME = {"": "files", "file": "files", "s3": "s3", "https": "https", "http": "https"}
"""Scheme of an address → kind; of a path that has none, files."""

KINDS: dict[str, type[SourceFields]] = {
    "files": FileSourceSpec,
    "s3": S3SourceSpec,
    "https": HttpsSourceSpec,
    "sql": SqlSourceSpec,
    "own": OwnSourceSpec,
}
"""The tag in the place of an error → its model."""


def scheme_of(uri: str) -> str:
    """What stands before ``://``; empty for a path."""
    return uri.split("://", 1)[0] if "://" in uri else ""


def kind_of(value: Any) -> str | None:
    """Which of ``KINDS`` a source is, as written or as a model."""
    if isinstance(value, SourceFields):
        return value.kind if value.kind in KINDS else "own"
    if not isinstance(value, Mapping):
        return None
    written, uri = value.get("kind"), value.get("uri")
    if written is not None:
        return written if written in KINDS else "own"
    if uri == "sql" or (uri is None and "query" in value):
        return "sql"
    return OF_SCHEME.get(scheme_of(uri), "own") if isinstance(uri, str) else "files"


SourceSpec = Annotated[
    Annotated[FileSourceSpec, Tag("files")]
    | Annotated[S3SourceSpec, Tag("s3")]
    | Annotated[HttpsSourceSpec, Tag("https")]
    | Annotated[SqlSourceSpec, Tag("sql")]
    | Annotated[OwnSourceSpec, Tag("own")],
    Discriminator(kind_of),
]
"""A source of any kind."""


def read_source(**fields: Any) -> SourceSpec:
    """A source from the fields a spec would have.

    Examples
    --------
    >>> read_source(uri="s3://bucket/daily/").kind
    's3'
    >>> read_source(connection="db", query="SELECT * FROM t", watermark="at").kind
    'sql'
    >>> read_source(uri="gs://bucket/daily/").kind
    'gs'
    """
    source: SourceSpec = TypeAdapter(SourceSpec).validate_python(fields)
    return source
