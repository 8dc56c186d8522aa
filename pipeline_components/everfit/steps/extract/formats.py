"""Opening a file by what is inside: a CSV and Parquet as they lie, the rest by way of Parquet."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.source import SourceSpec
from everfit.data.sources.refused import SpanRefused
from everfit.steps.extract.inspect_bytes import Looked, encoding_of, look_inside
from everfit.steps.extract.packed import BEGINS, Kind, corrupt, reading, wide

CHUNK = 20_000
"""Rows of JSON Lines that are taken at a time."""

MOST_LINE = 64 << 20
"""Letters of a line of JSON Lines."""

MOST_WORKBOOK = 512 << 20
"""Bytes that a workbook, which is a zip archive, may unpack to: all of it is held in memory."""


def open_span(looked: Looked, ref: SpanRef, source: SourceSpec, scratch: Path) -> Any:
    """What reads a file: a ``CsvSpan`` or a ``ParquetSpan``.

    Raises
    ------
    SpanRefused
        If it is not the shape its format asks for.
    """
    from everfit.steps.extract.csv_read import CsvSpan
    from everfit.steps.extract.parquet_read import ParquetSpan

    if looked.format == "csv":
        if source.csv.comment is not None:
            looked = _without_comments(looked, ref, source, scratch)
        return CsvSpan(ref, looked, source.csv)
    if looked.format == "parquet":
        return ParquetSpan(looked.path, ref)
    target = scratch / "table.parquet"
    if looked.format == "feather":
        _feather_to_parquet(looked.path, ref, target)
    elif looked.format == "excel":
        _excel_to_parquet(looked.path, ref, source.sheet, target)
    else:
        _json_lines_to_parquet(looked, ref, source, target)
    return ParquetSpan(target, ref)


def _without_comments(looked: Looked, ref: SpanRef, source: SourceSpec, scratch: Path) -> Looked:
    """The same text without the lines that begin with ``csv.comment``."""
    encoding, _ = encoding_of(looked, ref, source.csv)
    target = scratch / "without_comments.csv"
    mark, quote, inside = source.csv.comment or "", source.csv.quote, False
    import io

    with (
        looked.path.open("rb") as raw,
        reading(raw, ref, looked.packing) as plain,
        io.TextIOWrapper(plain, encoding=encoding, errors="surrogateescape", newline="") as text,
        target.open("w", encoding=encoding, errors="surrogateescape", newline="") as kept,
    ):
        for line in text:
            if not inside and line.startswith(mark):
                continue
            inside ^= bool(quote) and line.count(quote) % 2 == 1
            kept.write(line)
    again = look_inside(target, ref, Kind("csv"), source)
    return replace(again, raw=looked.raw)


def _feather_to_parquet(path: Path, ref: SpanRef, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            pa.OSFile(str(path), "rb") as file,
            pa.ipc.open_file(file) as reader,
            pq.ParquetWriter(target, reader.schema) as writer,
        ):
            for number in range(reader.num_record_batches):
                writer.write_batch(reader.get_batch(number))
    except (pa.ArrowException, OSError) as error:
        raise corrupt(ref, f"Arrow says: {_first(error)}") from None


def _check_workbook(path: Path, ref: SpanRef) -> None:
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise corrupt(ref, f"zip says: {_first(error)}") from None
    if unpacked > MOST_WORKBOOK:
        raise wide(MOST_WORKBOOK, "a workbook", ref)


def _excel_to_parquet(path: Path, ref: SpanRef, sheet: str | None, target: Path) -> None:
    _check_workbook(path, ref)
    if importlib.util.find_spec("openpyxl") is None:
        raise SpanRefused(
            "SPAN-FORMAT",
            ref,
            "an Excel workbook needs the library openpyxl, which the components do not have",
            f"it is {BEGINS['excel'][0]}",
            "Install openpyxl in the components' environment (pip install openpyxl), or save the "
            "sheet as CSV",
        )
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pd.ExcelFile(path, engine="openpyxl") as book:
            if sheet is not None and sheet not in book.sheet_names:
                raise SpanRefused(
                    "SPAN-SHEET",
                    ref,
                    "a workbook must have the sheet that source.sheet names",
                    f"it has {', '.join(map(repr, book.sheet_names[:5]))}",
                    "Correct source.sheet",
                )
            frame = book.parse(sheet if sheet is not None else 0)
    except SpanRefused:
        raise
    except Exception as error:
        raise corrupt(ref, f"openpyxl says: {_first(error)}") from None
    unnamed = [str(name) for name in frame if str(name).startswith("Unnamed: ")]
    empty = [name for name in unnamed if frame[name].isna().all()]
    frame = frame.drop(columns=empty).rename(columns=str)
    for name in frame:
        if frame[name].dtype == object:
            frame[name] = [None if pd.isna(cell) else str(cell) for cell in frame[name]]
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), target)


def _json_lines_to_parquet(looked: Looked, ref: SpanRef, source: SourceSpec, target: Path) -> None:
    """Two passes: the types that hold every row, then the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from everfit.data.tables.column_types import Narrowing, cast

    texts: dict[str, Any] = {}
    types: dict[str, Any] = {}
    for rows in _chunks(looked, ref, source):
        for name in dict.fromkeys(name for row in rows for name in row):
            column = _column(rows, name)
            types[name] = _both(types.get(name, pa.null()), column.type)
            if pa.types.is_string(column.type):
                texts.setdefault(name, Narrowing(Narrowing.TIMES)).see(column)
    if not types:
        raise SpanRefused(
            "SPAN-NO-ROWS",
            ref,
            "a span must hold rows",
            "its objects have no keys",
            "Write the file again, or remove it",
        )
    for name, kind in types.items():
        if pa.types.is_string(kind) and name in texts:
            types[name] = texts[name].found if texts[name].found != pa.float64() else kind
    schema = pa.schema(list(types.items()))
    with pq.ParquetWriter(target, schema) as writer:
        for rows in _chunks(looked, ref, source):
            columns = []
            for field in schema:
                column = _column(rows, field.name)
                if pa.types.is_string(field.type) and not pa.types.is_string(column.type):
                    column = pa.array([_text(row.get(field.name)) for row in rows], pa.string())
                columns.append(
                    cast(column, field.type)
                    if not pa.types.is_nested(field.type)
                    else column.cast(field.type)
                )
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _chunks(looked: Looked, ref: SpanRef, source: SourceSpec) -> Iterator[list[dict[str, Any]]]:
    import io

    encoding, _ = encoding_of(looked, ref, source.csv)
    rows: list[dict[str, Any]] = []
    with (
        looked.path.open("rb") as raw,
        reading(raw, ref, looked.packing) as plain,
        io.TextIOWrapper(plain, encoding=encoding, errors="strict") as text,
    ):
        try:
            size = 0
            for number, line in enumerate(iter(lambda: text.readline(MOST_LINE + 1), ""), 1):
                if len(line) > MOST_LINE:
                    raise wide(MOST_LINE, f"line {number}", ref)
                size += len(line)
                if line.strip("\ufeff \t\r\n"):
                    rows.append(_object(line.lstrip("\ufeff"), number, ref))
                if len(rows) == CHUNK or size > MOST_LINE:
                    yield rows
                    rows, size = [], 0
        except UnicodeDecodeError:
            raise SpanRefused(
                "SPAN-ENCODING",
                ref,
                f"JSON Lines must be in the encoding source.csv.encoding names ({encoding})",
                "some of its bytes are not",
                "Write the file as UTF-8",
            ) from None
    if rows:
        yield rows


def _object(line: str, number: int, ref: SpanRef) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        what = "no JSON"
    else:
        if isinstance(row, dict):
            return row
        what = f"a {type(row).__name__}"
    raise SpanRefused(
        "SPAN-JSON",
        ref,
        "every line must be one JSON object",
        f"line {number} is {what}: {line.strip()[:40]!r}",
        "Write one object a line (pandas: to_json(orient='records', lines=True))",
    )


def _column(rows: Sequence[dict[str, Any]], name: str) -> Any:
    """The values of a key as an Arrow array; texts where they are of several types."""
    import pyarrow as pa

    values = [row.get(name) for row in rows]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds:
        values = [None if value is None else float(value) for value in values]
    try:
        if len(kinds - {int, float}) + bool(kinds & {int, float}) <= 1:
            return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        pass
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _both(one: Any, other: Any) -> Any:
    """The type that holds the values of two types; text where none does."""
    import pyarrow as pa

    if pa.types.is_null(one) or one == other:
        return other
    if pa.types.is_null(other):
        return one
    numbers = [pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (one, other)]
    if all(numbers):
        return pa.float64()
    if pa.types.is_nested(one) and pa.types.is_nested(other):
        try:
            return (
                pa.unify_schemas(
                    [pa.schema([("x", one)]), pa.schema([("x", other)])],
                    promote_options="permissive",
                )
                .field("x")
                .type
            )
        except pa.ArrowException:
            pass
    return pa.string()


def _first(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
