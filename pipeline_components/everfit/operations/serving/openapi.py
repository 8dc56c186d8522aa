"""The OpenAPI document: what each pipeline's model reads and answers, from the model itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from everfit.contracts.version import VERSION
from everfit.operations.serving.loaded import EXAMPLE_ROWS, LoadedVersion
from everfit.operations.serving.rows import as_records
from everfit.operations.serving.tensors import DATATYPES

TYPES: dict[str, dict[str, Any]] = {
    "integer": {"type": ["integer", "null"]},
    "float": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "string": {"type": ["string", "null"]},
    "timestamp": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "ISO 8601; UTC where it names no zone",
    },
}
"""Type of a column → its JSON schema; null is missing."""

_TYPICAL = {
    "integer": 1,
    "float": 1.5,
    "boolean": True,
    "string": "text",
    "timestamp": "2026-03-31T14:00:00Z",
}

_ERRORS = {
    "401": "the API key is missing or wrong",
    "404": "there is no such pipeline",
    "408": "the body did not arrive in time",
    "413": "the body or the number of rows is too large",
    "415": "the body is packed or binary",
    "429": "the client makes too many requests a second",
    "503": "the pipeline has no champion yet",
    "504": "there was no answer in time",
}


def describe(
    versions: Sequence[LoadedVersion], most_rows: int, *, with_key: bool
) -> dict[str, Any]:
    """The document for what answers now.

    Parameters
    ----------
    versions : sequence of LoadedVersion
    most_rows : int
        That a request may have.
    with_key : bool
        Whether requests must bear the API key.
    """
    paths: dict[str, Any] = {}
    for version in versions:
        paths[f"/v1/{version.pipeline}/predict"] = {"post": _predict(version, most_rows)}
        paths[f"/v2/models/{version.pipeline}"] = {"get": _plain("The model's inputs and outputs.")}
        paths[f"/v2/models/{version.pipeline}/ready"] = {
            "get": _plain("Whether the model answers.")
        }
        paths[f"/v2/models/{version.pipeline}/infer"] = {"post": _infer(version)}
    for path, text in {
        "/v2": "The server, as the Open Inference Protocol describes it.",
        "/v2/health/live": "The process is alive.",
        "/v2/health/ready": "Every pipeline has a version that answers.",
        "/healthz": "The process is alive.",
        "/readyz": "Every pipeline has a version that answers; what is wrong, if anything.",
        "/metrics": "Metrics in Prometheus' text format.",
    }.items():
        paths[path] = {"get": _plain(text)}
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Everfit", "version": VERSION},
        "paths": paths,
        "components": {"schemas": {"Problem": _PROBLEM}},
    }
    if with_key:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def record_schema(columns: Mapping[str, str]) -> dict[str, Any]:
    """The JSON schema of one row."""
    return {
        "type": "object",
        "properties": {name: TYPES[kind] for name, kind in columns.items()},
        "required": list(columns),
        "additionalProperties": True,
    }


def example_rows(version: LoadedVersion) -> list[dict[str, Any]]:
    """Rows of the version's recorded sample; else one of typical values."""
    found = as_records(version.sample.head(EXAMPLE_ROWS), version.columns)
    return found or [{name: _TYPICAL[kind] for name, kind in version.columns.items()}]


def _predict(version: LoadedVersion, most_rows: int) -> dict[str, Any]:
    body = {
        "schema": {
            "type": "array",
            "minItems": 1,
            "maxItems": most_rows,
            "items": record_schema(version.columns),
        },
        "example": example_rows(version),
    }
    answer = {
        "type": "object",
        "properties": {
            "pipeline": {"type": "string"},
            "version": {"type": "integer"},
            "request_id": {"type": "string"},
            "predictions": {"type": "array", "items": _prediction(version)},
        },
        "required": ["pipeline", "version", "request_id", "predictions"],
    }
    return _operation(
        f"Predictions of {version.pipeline}; version {version.version} answers now.",
        body,
        answer,
        {"422": "a row or a field cannot be used"},
    )


def _prediction(version: LoadedVersion) -> dict[str, Any]:
    if not version.classes:
        return {"type": "number"}
    names = list(version.classes)
    return {
        "type": "object",
        "properties": {
            "class": {"type": "string", "enum": names},
            "probabilities": {
                "type": "object",
                "properties": {name: {"type": "number"} for name in names},
                "required": names,
            },
        },
        "required": ["class", "probabilities"],
    }


def _infer(version: LoadedVersion) -> dict[str, Any]:
    rows = example_rows(version)
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "datatype": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "data": {"type": "array", "items": {}},
        },
        "required": ["name", "datatype", "shape", "data"],
    }
    body = {
        "schema": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "inputs": {"type": "array", "items": tensor},
                "outputs": {"type": "array", "items": {"type": "object"}},
            },
            "required": ["inputs"],
        },
        "example": {
            "inputs": [
                {
                    "name": name,
                    "datatype": DATATYPES[kind],
                    "shape": [len(rows)],
                    "data": [row[name] for row in rows],
                }
                for name, kind in version.columns.items()
            ]
        },
    }
    answer = {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": tensor},
        },
        "required": ["model_name", "model_version", "id", "outputs"],
    }
    return _operation(
        f"The same as named tensors; version {version.version} answers now.",
        body,
        answer,
        {"400": "a tensor or a value cannot be used"},
    )


def _operation(
    summary: str, body: dict[str, Any], answer: dict[str, Any], errors: Mapping[str, str]
) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {
                "description": "predictions, in the order of the rows",
                "content": {"application/json": {"schema": answer}},
            },
            **{
                status: {"description": text, "content": problem}
                for status, text in sorted({**_ERRORS, **errors}.items())
            },
        },
    }


def _plain(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "yes"}}}


_PROBLEM = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": "integer", "description": "from 0"},
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "errors_in_total": {"type": "integer"},
    },
    "required": ["code", "message"],
}
