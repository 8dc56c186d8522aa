"""Reading Parquet in streaming batches of the five types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_components.contracts.spans import SpanRef
from pipeline_components.source.refused import SpanRefused
from pipeline_components.table.column_types import ARROW, cast, normal_type

from .inspect_bytes import corrupt

BATCH_ROWS = 32_768

Made = TypeVar("Made")


class ParquetSpan:
    """One Parquet file.

    Raises
    ------
    SpanRefused
        If its footer cannot be read.
    """

    def __init__(self, path: Path, ref: SpanRef) -> None:
        self._path, self._ref = path, ref
        try:
            with pq.ParquetFile(path) as file:
                self._schema = file.schema_arrow
                self._rows = file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise corrupt(ref, f"its Parquet footer cannot be read ({_first(error)})") from None
        self.columns: list[str] = list(self._schema.names)
        if len(set(self.columns)) != len(self.columns):
            name = next(n for n in self.columns if self.columns.count(n) > 1)
            raise SpanRefused(
                "SPAN-HEADER", ref, "every column must have a name of its own",
                f"{name!r} is there twice", "Rename one of them where the file is written",
            )  # fmt: skip

    def convert(
        self, columns: list[str], types: dict[str, str], make: Callable[[Any, Iterator[Any]], Made],
        progress: Callable[[float], None],
    ) -> Made:  # fmt: skip
        """Convert the file; see ``CsvSpan.convert``.

        A curated type is taken where every value fits it; a column that does not fit keeps the
        type it has in the file, and an integer too large becomes a float.

        Raises
        ------
        SpanRefused
            If a column is a list, a struct or binary, or a page cannot be decoded.
        """
        own = {name: self._own_type(name) for name in columns}
        chosen = {name: ARROW[types[name]] if name in types else own[name] for name in columns}
        while True:
            schema = pa.schema([(name, chosen[name]) for name in columns])
            try:
                return make(schema, self._batches(schema, progress))
            except _DoesNotFit as failed:
                name = failed.column
                chosen[name] = own[name] if chosen[name] != own[name] else pa.float64()
            except (pa.ArrowException, OSError) as error:
                raise corrupt(self._ref, f"a page cannot be decoded ({_first(error)})") from None

    def _own_type(self, name: str) -> Any:
        kind = self._schema.field(name).type
        normal = normal_type(kind)
        if normal is None:
            raise SpanRefused(
                "SPAN-COLUMN-TYPE",
                self._ref,
                "a column must hold numbers, texts, booleans or times",
                f"{name!r} holds {kind}",
                "Name the other columns in source.columns, or write this one flat",
            )
        return normal

    def _batches(self, schema: Any, progress: Callable[[float], None]) -> Iterator[Any]:
        done = 0
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=schema.names, use_threads=False):
                columns = []
                for field in schema:
                    try:
                        columns.append(cast(batch.column(field.name), field.type))
                    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                        raise _DoesNotFit(field.name) from None
                done += batch.num_rows
                progress(done / max(self._rows, 1))
                yield pa.RecordBatch.from_arrays(columns, schema=schema)


class _DoesNotFit(Exception):
    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def _first(error: BaseException) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
