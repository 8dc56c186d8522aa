"""Extract, from spec to result, without plan: the source is listed and every span is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pipeline_components.contracts.errors import SourceError
from pipeline_components.contracts.requests import ExtractRequest, ExtractResult
from pipeline_components.contracts.spec import SourceSpec
from pipeline_components.contracts.steps import Order
from pipeline_components.contracts.table_schema import TableSchema
from pipeline_components.extract import door
from pipeline_components.source import list_spans


@dataclass
class Extractor:
    context: object

    def request(self, uri, *, curated=None, time=None, spans=None, **source) -> ExtractRequest:
        spec = SourceSpec(uri=uri, **source)
        if spans is None:
            spans = list_spans(spec, self.context.settings).spans
        types = {name: {"type": kind} for name, kind in (curated or {}).items()}
        schema = TableSchema.model_validate({"columns": types}) if curated else None
        return ExtractRequest(pipeline="p", source=spec, curated=schema, time=time, spans=spans)

    def __call__(self, uri, **more) -> ExtractResult:
        request = self.request(uri, **more)
        result = door.run(request, self.context)
        self.settle(request, result)
        return result

    def settle(self, request, result):
        order = Order.model_construct(component="extract")
        if result.snapshots:
            door.settle(request, result, self.context, order)
        else:
            with pytest.raises(SourceError, match="EXTRACT-NOTHING"):
                door.settle(request, result, self.context, order)

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
