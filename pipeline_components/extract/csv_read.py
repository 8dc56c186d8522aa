"""Reading CSV in streaming batches, with types that hold for the whole file.

First pyarrow infers types from the first block and converts everything by them; where a later
value does not fit, the columns in doubt are read once more as text to find the narrowest type that
holds all of them, and the conversion starts again. So a clean file is read once, and the outcome
never depends on where a block ends.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.csv as pacsv

from pipeline_components.contracts.errors import SourceError
from pipeline_components.contracts.spans import SpanRef
from pipeline_components.contracts.spec import CsvOptions
from pipeline_components.source.refused import SpanRefused
from pipeline_components.table.column_types import ARROW, Narrowing, normal_type
from pipeline_components.table.column_types import cast as cast_column

from .inspect_bytes import Looked, corrupt, no_rows, truncated

BLOCK = 1 << 20
"""Bytes parsed at a time; a row must fit."""

_COLUMN = re.compile(r"In CSV column #(\d+)")
_ROW = re.compile(r"Row #(\d+)")

Made = TypeVar("Made")


class CsvSpan:
    """One CSV file.

    Parameters
    ----------
    path : Path
        The file; may be gzipped.
    ref : SpanRef
        Its span, for messages.
    looked : Looked
        What a first pass over it showed.
    options : CsvOptions
        How it is written.

    Raises
    ------
    SpanRefused
        If it has no header, or not the shape of a CSV.
    """

    def __init__(self, path: Path, ref: SpanRef, looked: Looked, options: CsvOptions) -> None:
        self._path, self._ref, self._looked, self._options = path, ref, looked, options
        try:
            codecs.lookup(options.encoding)
        except LookupError:
            raise SourceError(
                "SOURCE-ENCODING", "source.csv.encoding", "an encoding must be one Python knows",
                f"it is {options.encoding!r}", "Write utf-8, latin-1 or utf-16, say",
            ) from None  # fmt: skip
        if looked.quotes % 2:
            self._check_quotes()
        self.columns = self._header()

    def convert(
        self, columns: list[str], types: dict[str, str], make: Callable[[Any, Iterator[Any]], Made],
        progress: Callable[[float], None],
    ) -> Made:  # fmt: skip
        """Convert the file, as often as it takes to find types that hold.

        Parameters
        ----------
        columns : list of str
            Columns to read.
        types : dict
            Column → our type name: tried first; a value that does not fit overrules it.
        make : callable
            Takes the schema and the batches and returns what is made of them; called anew, from
            the first batch, whenever a type proves wrong.
        progress : callable
            Told the share of the file that is read, 0 to 1.

        Raises
        ------
        SpanRefused
            If rows are ragged, the end is missing or the text is in another encoding.
        """
        fixed = {name: ARROW[types[name]] for name in columns if name in types}
        doubted: set[str] = set()
        while True:
            bad: list[Any] = []
            inferred: dict[str, Any] = {}
            try:
                reader = self._open(columns, fixed, bad)
                inferred = {field.name: field.type for field in reader.schema}
                again = self._as_text(inferred)
                if again:
                    fixed.update(dict.fromkeys(again, pa.string()))
                    continue
                schema = pa.schema([(name, normal_type(inferred[name])) for name in columns])
                made = make(schema, self._batches(reader, schema, progress))
            except UnicodeError as error:
                raise self._encoding(str(error)) from None
            except pa.ArrowInvalid as error:
                column = self._conflict(error, bad)
                if column in doubted:
                    fixed[column] = pa.string()
                    continue
                # Every column the first block left open, and the one that failed, in one reading.
                open_ = {
                    name
                    for name, kind in inferred.items()
                    if name not in fixed and not pa.types.is_string(kind)
                }
                doubt = sorted({column, *open_})
                fixed.update(self._narrow(doubt))
                doubted.update(doubt)
                continue
            except pa.ArrowException as error:
                raise corrupt(self._ref, str(error).splitlines()[0][:120]) from None
            if bad:
                raise self._ragged(bad)
            return made

    def _open(self, columns: list[str], fixed: dict[str, Any], bad: list[Any]) -> Any:
        def note(row: Any) -> str:
            bad.append(row)
            return "skip" if len(bad) == 1 else "error"

        encoding = self._options.encoding
        self._source = pa.OSFile(str(self._path), "rb")
        stream = (
            pa.CompressedInputStream(self._source, "gzip")
            if self._looked.kind == "csv.gz"
            else self._source
        )
        return pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(block_size=BLOCK, use_threads=False, encoding=encoding),
            parse_options=pacsv.ParseOptions(
                delimiter=self._options.delimiter,
                newlines_in_values=self._looked.quotes > 0,
                invalid_row_handler=note,
            ),
            convert_options=pacsv.ConvertOptions(
                include_columns=columns,
                column_types={name: fixed[name] for name in columns if name in fixed},
                null_values=list(self._options.null_values),
                strings_can_be_null=True,
            ),
        )

    def _batches(
        self, reader: Any, schema: Any, progress: Callable[[float], None]
    ) -> Iterator[Any]:
        for batch in reader:
            progress(self._source.tell() / max(self._looked.size, 1))
            columns = [
                cast_column(column, field.type)
                for column, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    def _narrow(self, names: list[str]) -> dict[str, Any]:
        """The narrowest type of each column, over the whole file."""
        bad: list[Any] = []
        seen = {name: Narrowing() for name in names}
        try:
            for batch in self._open(names, dict.fromkeys(names, pa.string()), bad):
                for name, column in zip(names, batch.columns, strict=True):
                    seen[name].see(column)
        except UnicodeError as error:
            raise self._encoding(str(error)) from None
        except pa.ArrowInvalid as error:
            self._conflict(error, bad)
            raise self._encoding("text that is none") from None
        if bad:
            raise self._ragged(bad)
        return {name: narrowing.found for name, narrowing in seen.items()}

    def _as_text(self, inferred: dict[str, Any]) -> list[str]:
        """Columns pyarrow reads as something a snapshot keeps as text."""
        for name, kind in inferred.items():
            if pa.types.is_binary(kind):
                raise self._encoding(f"column {name!r} holds bytes that are not")
        return [name for name, kind in inferred.items() if pa.types.is_time(kind)]

    def _conflict(self, error: Exception, bad: list[Any]) -> str:
        """The column whose type failed; anything else is a refusal."""
        text = str(error)
        if bad:
            raise self._ragged(bad) from None
        if "invalid UTF8" in text:
            raise self._encoding(_at(text)) from None
        match = _COLUMN.search(text)
        if match is None:
            if "Empty CSV" in text:
                raise no_rows(self._ref, 0, self._looked.kind) from None
            if "straddling object" in text:
                raise SpanRefused(
                    "SPAN-RAGGED", self._ref, "a row must be shorter than 1 MB",
                    "one is longer, or a quote is never closed",
                    "Look for a stray quote, or correct source.csv.delimiter",
                ) from None  # fmt: skip
            raise corrupt(self._ref, text.splitlines()[0]) from None
        return self.columns[int(match.group(1))]

    def _header(self) -> list[str]:
        encoding = self._options.encoding
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            encoding = "utf-8-sig"
        with self._text(encoding, "surrogateescape") as text:
            try:
                rows = csv.reader(text, delimiter=self._options.delimiter)
                names = next((row for row in rows if row), [])
            except UnicodeError as error:
                raise self._encoding(str(error)) from None
            except csv.Error as error:
                raise corrupt(self._ref, f"its header cannot be read: {error}") from None
        if any("\udc80" <= mark <= "\udcff" for name in names for mark in name):
            raise self._encoding("the header holds bytes that are not")
        self._check_header(names)
        return names

    def _check_header(self, names: list[str]) -> None:
        found = todo = ""
        repeated = sorted({name for name in names if names.count(name) > 1})
        if not names:
            found, todo = "there is none", "Write the file again, with a header"
        elif any(not name.strip() for name in names):
            blank = next(i for i, name in enumerate(names, 1) if not name.strip())
            found = f"column {blank} of {len(names)} has none"
            todo = "Name the column; a row index is best not written at all"
        elif repeated:
            found, todo = f"{repeated[0]!r} is there twice", "Give each column a name of its own"
        elif len(names) == 1:
            other = next((mark for mark in ";\t|," if mark in names[0]), None)
            if other:
                found = f"there is one column named {names[0][:60]!r}"
                todo = f"Set source.csv.delimiter to {other!r}"
        if found:
            raise SpanRefused(
                "SPAN-HEADER", self._ref, "the first line must name every column", found, todo
            )

    def _text(self, encoding: str, errors: str) -> io.TextIOWrapper:
        opened: Any = gzip.open if self._looked.kind == "csv.gz" else open
        text: io.TextIOWrapper = opened(
            self._path, "rt", encoding=encoding, errors=errors, newline=""
        )
        return text

    def _check_quotes(self) -> None:
        """An odd number of quotes: one is stray inside a text, or one is never closed."""
        with self._text(self._options.encoding, "replace") as text:
            rows = csv.reader(text, delimiter=self._options.delimiter, strict=True)
            line = 0
            try:
                for _ in rows:
                    line = rows.line_num
            except csv.Error as error:
                if "unexpected end of data" in str(error) or "field limit" in str(error):
                    raise truncated(
                        self._ref, f"a quote that opens on line {line + 1} is never closed"
                    ) from None

    def _ragged(self, bad: list[Any]) -> SpanRefused:
        row = bad[0]
        last = self._looked.tail.rstrip(b"\r\n").rpartition(b"\n")[2].strip(b"\r")
        if (
            len(bad) == 1
            and row.actual_columns < row.expected_columns
            and row.text.strip("\r\n").encode(self._options.encoding, "replace") == last
        ):
            return truncated(
                self._ref,
                f"the last line has {row.actual_columns} of {row.expected_columns} fields",
            )
        at = f"row {row.number}" if row.number is not None else "a row"
        return SpanRefused(
            "SPAN-RAGGED",
            self._ref,
            f"every row must have as many fields as the header ({row.expected_columns})",
            f"{at} has {row.actual_columns}",
            "Quote texts that hold the delimiter, or correct source.csv.delimiter",
        )

    def _encoding(self, found: str) -> SpanRefused:
        return SpanRefused(
            "SPAN-ENCODING",
            self._ref,
            f"a CSV must be in the encoding source.csv.encoding names ({self._options.encoding})",
            found,
            "Set source.csv.encoding (latin-1 or cp1252, perhaps), or write the file as UTF-8",
        )


def _at(text: str) -> str:
    row = _ROW.search(text)
    return f"row {row.group(1)} holds bytes that are not" if row else "some of its bytes are not"
