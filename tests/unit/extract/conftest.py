"""Extract, from spec to result, without plan: the source is listed and every span is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.requests import ExtractRequest, ExtractResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.spec.source import read_source
from everfit.contracts.spec.table_schema import TableSchema
from everfit.data.sources import list_spans
from everfit.steps.extract.step import Extract


@dataclass
class Extractor:
    context: object

    def request(self, uri, *, curated=None, time=None, spans=None, **source) -> ExtractRequest:
        spec = read_source(uri=uri, **source)
        if spans is None:
            spans = list_spans(spec, self.context.settings).spans
        types = {name: {"type": kind} for name, kind in (curated or {}).items()}
        schema = TableSchema.model_validate({"columns": types}) if curated else None
        return ExtractRequest(pipeline="p", source=spec, curated=schema, time=time, spans=spans)

    def __call__(self, uri, **more) -> ExtractResult:
        request = self.request(uri, **more)
        result = Extract().run(request, self.context)
        self.record(request, result)
        return result

    def record(self, request, result):
        order = Order.model_construct(component="extract")
        if result.snapshots:
            Extract().record(request, result, self.context, order)
        else:
            with pytest.raises(SourceError, match="EXTRACT-NOTHING"):
                Extract().record(request, result, self.context, order)

    def table(self, snapshot):
        import pyarrow.parquet as pq

        path = self.context.store.local(snapshot.span.digest, self.context.scratch)
        return pq.read_table(path)


@pytest.fixture
def extract(context):
    return Extractor(context)


@pytest.fixture
def write(settings):
    def write(name, content):
        path = settings.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
