"""The rows to score, read as the pipeline's own source is read, with the types of training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everfit.contracts.base import Digest
from everfit.contracts.errors import shortlist
from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.source import (
    AddressedSource,
    SourceFields,
    SourceSpec,
    read_source,
    scheme_of,
)
from everfit.contracts.spec.table_schema import ColumnSchema, ColumnType, TableSchema
from everfit.data.sources import Source, open_source
from everfit.data.sources.listing import has_known_suffix
from everfit.data.sources.reader import reader_digest
from everfit.engine.context import Context
from everfit.engine.reading import snapshot_of
from everfit.steps.score.whole_query import WholeQuery, is_database, whole_query


@dataclass(frozen=True)
class Input:
    """Where rows come from.

    Attributes
    ----------
    spec : SourceSpec
    open : callable
        Opens the source that such a spec names.
    notes : tuple of str
        What of the spec's reading does not apply.
    """

    spec: SourceSpec
    open: Callable[[SourceSpec], Source]
    notes: tuple[str, ...] = ()


def open_input(pipeline: PipelineSpec, address: str | None, context: Context) -> Input:
    """Open what is to be scored.

    Parameters
    ----------
    pipeline : PipelineSpec
        Whose source says how files are read.
    address : str, optional
        A path, a glob, ``s3://…``, ``https://…``, or ``sql:connection:table`` (or a SELECT in the
        table's place); default the pipeline's own source.
    context : Context
    """
    own = pipeline.source
    notes: tuple[str, ...] = ()
    where = own.where
    hidden = {pipeline.target.name, *pipeline.target_columns} - set(pipeline.features.keep)
    if where is not None and (unknown := sorted(columns_of(where) & hidden)):
        notes = (
            f"source.where reads {shortlist(unknown)}, which is not known when rows are scored: "
            "it leaves no row out here",
        )
        where = None
    if address is not None and is_database(address):
        query = whole_query(address, _common(own, where))
        return Input(query, lambda spec: WholeQuery(spec, context.settings), notes)
    if address is None:
        spec = own.model_copy(update={"where": where})
    else:
        spec = _of_address(address, own, where)
    return Input(spec, lambda one: open_source(one, context.settings), notes)


def _of_address(address: str, own: SourceSpec, where: str | None) -> SourceSpec:
    scheme = scheme_of(address)
    if not scheme and "{data}" not in address:
        path = Path(address).expanduser()
        address = (path if path.is_absolute() else Path.cwd() / path).as_posix()
    fields = _common(own, where)
    if isinstance(own, AddressedSource) and not has_known_suffix(address, address):
        fields["format"] = own.format
    return read_source(uri=address, **fields)


def _common(own: SourceFields, where: str | None) -> dict[str, Any]:
    return {
        "sheet": own.sheet,
        "where": where,
        "types": dict(own.types),
        "times": dict(own.times),
        "timezone": own.timezone,
        "csv": own.csv,
    }


class Reader:
    """Reads spans of an input for one model.

    Parameters
    ----------
    pipeline : PipelineSpec
    source : Input
    trained : mapping
        Column the model reads → type in training; a type that the spec names comes first.
    keys : sequence of str
        Columns to keep beside the predictions, as far as they are there.
    """

    def __init__(
        self,
        pipeline: PipelineSpec,
        source: Input,
        trained: Mapping[str, ColumnType],
        keys: Sequence[str],
    ) -> None:
        reviewed = pipeline.curated.columns if pipeline.curated else {}
        types = {name: column.type for name, column in reviewed.items() if name in keys}
        types |= trained
        wanted = tuple(dict.fromkeys((*keys, *trained)))
        given = source.spec
        spec = given.model_copy(
            update={
                "columns": wanted,
                "types": {n: kind for n, kind in given.types.items() if n in wanted},
                "times": {n: form for n, form in given.times.items() if n in wanted},
            }
        )
        self._source = source.open(spec)
        # What the model lacks is for the caller to name: here nothing is required.
        typed = {name: ColumnSchema(type=kind, required=False) for name, kind in types.items()}
        self._request = ExtractRequest(
            pipeline=pipeline.name,
            source=spec,
            curated=TableSchema(columns=typed),
            time=pipeline.time if pipeline.time in wanted else None,
            spans=(),
        )

    @property
    def digest(self) -> Digest:
        """Of everything that shapes what is read of the same bytes, wherever they lie."""
        request = self._request
        source = request.source
        if isinstance(source, AddressedSource):
            source = source.model_copy(update={"uri": ""})
        return reader_digest(source, request.curated, request.time)

    def place_of(self, ref: SpanRef) -> str:
        """Where a span lies, however the input was written; holds no secret."""
        from everfit.data.sources.files import FileSource

        if isinstance(self._source, FileSource):
            return (self._source.base / ref.name).resolve().as_posix()
        return ref.location

    def snapshot(
        self, ref: SpanRef, context: Context, progress: Callable[[float], None]
    ) -> Snapshot:
        """The span as a typed table in the store; the same bytes are converted once.

        Raises
        ------
        SpanRefused
            If it cannot be read.
        """
        return snapshot_of(self._request, self._source, ref, context, progress)
