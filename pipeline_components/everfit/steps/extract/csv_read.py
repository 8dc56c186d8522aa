"""Reading CSV in streaming batches, with types that hold for the whole file.

First pyarrow infers types from the first block and converts everything by them. Columns of texts,
and those that a later value does not fit, are read once more as text to find the type of nearly all
of their values (``text_column.py``), and the conversion starts again. So a clean file is read once,
and the outcome never depends on where a block ends.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.source import CsvOptions
from everfit.contracts.wording import count
from everfit.data.sources.reader import Reading
from everfit.data.sources.refused import SpanRefused
from everfit.steps.extract.csv_types import CsvTypes, Doubt, has_leading_zero
from everfit.steps.extract.dialect import check_names, find_dialect
from everfit.steps.extract.inspect_bytes import Looked, no_rows
from everfit.steps.extract.packed import corrupt, reading, truncated

BLOCK = 1 << 20
"""Bytes parsed at a time; a row must fit."""

_COLUMN = re.compile(r"In CSV column #(\d+)")
_ROW = re.compile(r"Row #(\d+)")

Made = TypeVar("Made")


class CsvSpan:
    """One CSV file.

    Parameters
    ----------
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

    def __init__(self, ref: SpanRef, looked: Looked, options: CsvOptions) -> None:
        self._path, self._ref, self._looked, self._options = looked.path, ref, looked, options
        try:
            codecs.lookup(options.encoding or "utf-8")
        except LookupError:
            raise SourceError(
                "SOURCE-ENCODING",
                "source.csv.encoding",
                "an encoding must be one Python knows",
                f"it is {options.encoding!r}",
                "Write utf-8, latin-1 or utf-16, say",
            ) from None
        self._dialect = find_dialect(looked, ref, options)
        if looked.quotes % 2 and self._dialect.quote == '"':
            self._check_quotes()
        self._check_decoded(self._dialect.names)
        self._physical = self._dialect.names
        self.columns = self._dialect.columns
        self._verified: tuple[str, ...] = ()
        self._skipped: list[Any] = []
        self.told: tuple[ColumnReading, ...] = ()

    def restrict(self, wanted: Sequence[str] | None, _dropped: Sequence[str]) -> None:
        """Refuse a header that does not name every column that is read.

        Raises
        ------
        SpanRefused
            ``SPAN-HEADER``.
        """
        check_names(self._dialect, self._ref, wanted)
        self._verified = self._dialect.blank if wanted is None else ()

    @property
    def found(self) -> dict[str, Any]:
        """How it is written, for the lineage."""
        dialect = self._dialect
        return {
            "delimiter": dialect.delimiter,
            "encoding": dialect.encoding,
            "skip_rows": dialect.skip,
        }

    @property
    def unread(self) -> tuple[str, ...]:
        """Columns that are dropped and of a type nobody reads: a CSV has none."""
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found and what was left out, a phrase each; rows only after ``convert``."""
        if not self._skipped:
            return self._dialect.notes
        row, rows = self._skipped[0], len(self._skipped)
        at = f"row {row.number}" if row.number is not None else "one"
        return (
            *self._dialect.notes,
            f"{count(rows, 'row')} with more or fewer than {row.expected_columns} fields "
            f"{'is' if rows == 1 else 'are'} left out ({at} has {row.actual_columns}; "
            "source.csv.max_ragged)",
        )

    def convert(
        self,
        columns: list[str],
        reading: Reading,
        make: Callable[[Any, Iterator[Any]], Made],
        progress: Callable[[float], None],
    ) -> Made:
        """Convert the file, as often as it takes to find types that hold.

        Parameters
        ----------
        columns : list of str
            Columns to read.
        reading : Reading
            Types are tried first; values that do not fit overrule one.
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
        types = CsvTypes(columns, reading, self._options)
        zeros_sought = False
        while True:
            bad: list[Any] = []
            inferred: dict[str, Any] = {}
            try:
                reader = self._open(columns, types.fixed, bad)
                inferred = {field.name: field.type for field in reader.schema}
                self._check_binary(inferred)
                again = types.undecided(inferred)
                whole = [] if zeros_sought else types.whole(inferred)
                if whole:
                    zeros_sought = True
                    again += whole if self._has_leading_zeros() else []
                if again:
                    self._look_at_texts(types, again)
                    continue
                made = make(
                    types.schema(inferred), self._batches(reader, types, inferred, bad, progress)
                )
            except UnicodeError as error:
                raise self._encoding(str(error)) from None
            except Doubt as doubt:
                self._look_at_texts(types, types.doubted(doubt.column, inferred))
                continue
            except pa.ArrowInvalid as error:
                doubted = types.doubted(self._conflict(error, bad), inferred)
                if doubted:
                    self._look_at_texts(types, doubted)
                continue
            except pa.ArrowException as error:
                raise corrupt(self._ref, str(error).splitlines()[0][:120]) from None
            self._skipped = bad
            self.told = types.told
            return made

    def _open(self, columns: list[str], fixed: dict[str, Any], bad: list[Any]) -> Any:
        def note(row: Any) -> str:
            bad.append(row)
            return "skip"

        dialect = self._dialect
        verified = dict.fromkeys(self._verified, pa.string())
        read = [*columns, *verified]
        self._source, stream = self._stream()
        return pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(
                block_size=BLOCK,
                use_threads=False,
                encoding=dialect.encoding,
                column_names=list(self._physical),
                skip_rows=dialect.skip,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                newlines_in_values=self._looked.quotes > 0 if dialect.quote == '"' else True,
                invalid_row_handler=note,
            ),
            convert_options=pacsv.ConvertOptions(
                include_columns=read,
                column_types=verified | {name: fixed[name] for name in columns if name in fixed},
                null_values=list(self._options.null_values),
                strings_can_be_null=True,
                decimal_point=self._options.decimal,
            ),
        )

    def _stream(self) -> tuple[Any, Any]:
        """The file, and its text."""
        codec = {"gz": "gzip", "bz2": "bz2", "zst": "zstd"}.get(self._looked.packing)
        source = pa.OSFile(str(self._path), "rb")
        return source, pa.CompressedInputStream(source, codec) if codec else source

    def _has_leading_zeros(self) -> bool:
        """Whether any field may be a code such as 007: whole numbers lose the zeros."""
        if self._dialect.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
            return True
        kept = b"\n"
        _, stream = self._stream()
        while piece := stream.read(BLOCK):
            if has_leading_zero(kept + piece, self._dialect.delimiter):
                return True
            kept = (kept + piece)[-2:]
        return False

    def _batches(
        self,
        reader: Any,
        types: CsvTypes,
        inferred: dict[str, Any],
        bad: list[Any],
        progress: Callable[[float], None],
    ) -> Iterator[Any]:
        schema = types.schema(inferred)
        rows = 0
        for batch in reader:
            progress(self._source.tell() / max(self._looked.size, 1))
            rows += batch.num_rows
            for name in self._verified:
                self._check_blank(name, batch.column(name))
            columns = [
                types.convert(field.name, batch.column(field.name), field.type) for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
        if bad and (self._is_cut(bad) or len(bad) > self._options.max_ragged * (rows + len(bad))):
            raise self._ragged(bad, rows)

    def _check_blank(self, name: str, column: Any) -> None:
        """Refuse a nameless column that was taken for nothing but trailing delimiters."""
        values = column.drop_null()
        for value in values.filter(pc.not_equal(pc.utf8_trim_whitespace(values), "")).slice(0, 1):
            raise SpanRefused(
                "SPAN-HEADER",
                self._ref,
                "the first line must name every column",
                f"{self._dialect.nameless[name]}, and it holds {value.as_py()[:40]!r}",
                "Name the column, set source.csv.names, or list those to read in source.columns",
            )

    def _look_at_texts(self, types: CsvTypes, names: list[str]) -> None:
        """See the texts of some columns, over the whole file unless all are plainly text."""
        bad: list[Any] = []
        seen = types.tallies(names)
        try:
            for batch in self._open(names, dict.fromkeys(names, pa.string()), bad):
                for name in names:
                    seen[name].see(batch.column(name))
                if all(column.hopeless for column in seen.values()):
                    break
        except UnicodeError as error:
            raise self._encoding(str(error)) from None
        except pa.ArrowInvalid as error:
            self._conflict(error, bad)
            raise self._encoding("text that is none") from None
        types.decide(seen)

    def _check_binary(self, inferred: dict[str, Any]) -> None:
        """What pyarrow takes for bytes is text in another encoding."""
        for name, kind in inferred.items():
            if pa.types.is_binary(kind):
                raise self._encoding(f"column {name!r} holds bytes that are not")

    def _conflict(self, error: Exception, bad: list[Any]) -> str:
        """The column whose type failed; anything else is a refusal."""
        text = str(error)
        if "invalid UTF8" in text:
            raise self._encoding(_at(text)) from None
        match = _COLUMN.search(text)
        if match is None:
            if "Empty CSV" in text or "Could not skip" in text:
                if bad:
                    raise self._ragged(bad, 0) from None
                raise no_rows(self._ref, 0, self._looked.kind) from None
            if "straddling object" in text:
                raise SpanRefused(
                    "SPAN-RAGGED",
                    self._ref,
                    "a row must be shorter than 1 MB",
                    "one is longer, or a quote is never closed",
                    "Look for a stray quote, or correct source.csv.delimiter",
                ) from None
            raise corrupt(self._ref, text.splitlines()[0]) from None
        return self._physical[int(match.group(1))]

    def _check_decoded(self, names: Sequence[str]) -> None:
        if any("\ufffd" in name for name in names):
            raise self._encoding("the header holds bytes that are not")

    def _check_quotes(self) -> None:
        """An odd number of quotes: one is stray inside a text, or one is never closed."""
        with (
            self._path.open("rb") as raw,
            reading(raw, self._ref, self._looked.packing) as plain,
            io.TextIOWrapper(
                plain, encoding=self._dialect.encoding, errors="replace", newline=""
            ) as text,
        ):
            rows = csv.reader(text, delimiter=self._dialect.delimiter, strict=True)
            line = 0
            try:
                for _ in rows:
                    line = rows.line_num
            except csv.Error as error:
                if "unexpected end of data" in str(error) or "field limit" in str(error):
                    raise truncated(
                        self._ref, f"a quote that opens on line {line + 1} is never closed"
                    ) from None

    def _is_cut(self, bad: list[Any]) -> bool:
        """Whether the last line is short: what a copy that was cut off looks like."""
        row = bad[-1]
        last = self._looked.tail.rstrip(b"\r\n").rpartition(b"\n")[2].strip(b"\r")
        if row.actual_columns >= row.expected_columns:
            return False
        text: str = row.text.strip("\r\n")
        return text.encode(self._dialect.encoding, "replace") == last

    def _ragged(self, bad: list[Any], rows: int) -> SpanRefused:
        row = bad[0]
        if self._is_cut(bad) and (len(bad) == 1 or rows):
            row = bad[-1]
            return truncated(
                self._ref,
                f"the last line has {row.actual_columns} of {row.expected_columns} fields",
            )
        at = f"row {row.number}" if row.number is not None else "a row"
        if not rows:
            todo = "Name every column in source.csv.names, or correct source.csv.delimiter"
        else:
            todo = (
                "Quote texts that hold the delimiter, correct source.csv.delimiter, or allow more "
                f"than {self._options.max_ragged:g} in source.csv.max_ragged"
            )
        more = f"; {len(bad):,} of {rows + len(bad):,} rows differ" if len(bad) > 1 else ""
        return SpanRefused(
            "SPAN-RAGGED",
            self._ref,
            f"every row must have as many fields as the header ({row.expected_columns})",
            f"{at} has {row.actual_columns}{more}",
            todo,
        )

    def _encoding(self, found: str) -> SpanRefused:
        return SpanRefused(
            "SPAN-ENCODING",
            self._ref,
            f"a CSV must be in the encoding source.csv.encoding names ({self._dialect.encoding})",
            found,
            "Set source.csv.encoding (latin-1 or cp1252, perhaps), or write the file as UTF-8",
        )


def _at(text: str) -> str:
    row = _ROW.search(text)
    return f"row {row.group(1)} holds bytes that are not" if row else "some of its bytes are not"
