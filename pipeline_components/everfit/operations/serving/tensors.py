"""Rows and predictions as the named tensors of the Open Inference Protocol, version 2 (REST)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everfit.contracts.errors import shortlist
from everfit.operations.serving.loaded import LoadedVersion
from everfit.operations.serving.rows import (
    FieldError,
    Problem,
    read_values,
    refusal,
    refuse_count,
)

DATATYPES = {
    "integer": "INT64",
    "float": "FP64",
    "boolean": "BOOL",
    "string": "BYTES",
    "timestamp": "BYTES",
}
"""Type of a column → datatype it is described as; a time is text in ISO 8601."""

_WHOLE = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_NUMBERS = _WHOLE | {"FP16", "FP32", "FP64"}
_TAKEN = {
    "integer": _NUMBERS,
    "float": _NUMBERS,
    "boolean": frozenset({"BOOL"}),
    "string": frozenset({"BYTES"}),
    "timestamp": frozenset({"BYTES"}),
}


def read_tensors(request: Any, columns: Mapping[str, str], most_rows: int) -> dict[str, list[Any]]:
    """Columns of values from named tensors of shape ``[n]`` or ``[n, 1]``.

    Returns
    -------
    dict
        Column → n values in its type in training; null is missing.

    Raises
    ------
    Problem
        If a tensor is absent, of another length or datatype, or a value is of another type.
    """
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list) or not all(isinstance(one, dict) for one in inputs):
        raise Problem(422, "BODY", 'The body must be {"inputs": [tensor, …]}.')
    given = {one.get("name"): one for one in inputs if isinstance(one.get("name"), str)}
    absent = [name for name in columns if name not in given]
    if absent:
        raise Problem(422, "INPUTS", f"An input is missing for {shortlist(absent)}.")
    rows = _rows(given[next(iter(columns))])
    refuse_count(rows, most_rows)
    errors: list[FieldError] = []
    found = {
        name: read_values(_data(given[name], kind, rows), name, kind, errors)
        for name, kind in columns.items()
    }
    if errors:
        raise refusal(sorted(errors, key=lambda error: error.row))
    return found


def others(request: Any, name: str, rows: int) -> list[Any]:
    """The values of an input that the model does not read; None where there are none that fit."""
    for one in request["inputs"]:
        data = one.get("data")
        if one.get("name") == name and isinstance(data, list) and len(data) == rows:
            return [value[0] if isinstance(value, list) and value else value for value in data]
    return [None] * rows


def requested(request: Any) -> tuple[str, ...] | None:
    """The names of the outputs a request asks for; None for all.

    Raises
    ------
    Problem
        If it cannot be read.
    """
    outputs = request.get("outputs")
    if outputs is None:
        return None
    try:
        return tuple(str(one["name"]) for one in outputs)
    except (TypeError, KeyError):
        raise Problem(422, "OUTPUTS", 'Outputs must be [{"name": …}, …].') from None


def tensors(
    loaded: LoadedVersion, scores: Any, wanted: tuple[str, ...] | None
) -> list[dict[str, Any]]:
    """Predictions as named tensors, in the order asked for.

    Raises
    ------
    Problem
        If there is no output of a name that is asked for.
    """
    rows = len(scores)
    if not loaded.classes:
        found = {"prediction": _tensor("prediction", "FP64", [rows], scores.tolist())}
    else:
        best = [loaded.classes[place] for place in scores.argmax(axis=1).tolist()]
        shape = [rows, len(loaded.classes)]
        found = {
            "class": _tensor("class", "BYTES", [rows], best),
            "probabilities": _tensor("probabilities", "FP64", shape, scores.reshape(-1).tolist()),
        }
    strange = [name for name in wanted or () if name not in found]
    if strange:
        raise Problem(
            422, "OUTPUTS", f"There is no output {shortlist(strange)}; there is {shortlist(found)}."
        )
    return [found[name] for name in (found if wanted is None else wanted)]


def metadata(loaded: LoadedVersion) -> dict[str, Any]:
    """The model, its inputs and outputs, as ``GET /v2/models/<name>`` describes them."""
    outputs: list[dict[str, Any]] = [{"name": "prediction", "datatype": "FP64", "shape": [-1]}]
    if loaded.classes:
        outputs = [
            {"name": "class", "datatype": "BYTES", "shape": [-1]},
            {
                "name": "probabilities",
                "datatype": "FP64",
                "shape": [-1, len(loaded.classes)],
                "parameters": {"classes": list(loaded.classes)},
            },
        ]
    return {
        "name": loaded.pipeline,
        "versions": [str(loaded.version)],
        "platform": "everfit",
        "inputs": [
            {"name": name, "datatype": DATATYPES[kind], "shape": [-1]}
            for name, kind in loaded.columns.items()
        ],
        "outputs": outputs,
    }


def _rows(tensor: dict[str, Any]) -> int:
    shape = tensor.get("shape")
    if (
        not isinstance(shape, list)
        or not shape
        or any(type(size) is not int or size < 0 for size in shape)
        or any(size != 1 for size in shape[1:])
    ):
        raise Problem(422, "INPUTS", f"{_name(tensor)}: shape must be [n] or [n, 1].")
    return int(shape[0])


def _data(tensor: dict[str, Any], kind: str, rows: int) -> list[Any]:
    datatype, data = tensor.get("datatype"), tensor.get("data")
    if datatype not in _TAKEN[kind]:
        raise Problem(
            422, "INPUTS", f"{_name(tensor)}: datatype must be {DATATYPES[kind]}, or fit it."
        )
    if not isinstance(data, list):
        raise Problem(422, "INPUTS", f"{_name(tensor)}: data must be a list.")
    if data and all(isinstance(one, list) and len(one) == 1 for one in data):
        data = [one[0] for one in data]
    if _rows(tensor) != rows or len(data) != rows:
        raise Problem(
            422,
            "INPUTS",
            f"{_name(tensor)}: all inputs must have as many values as their shape says, and as "
            f"many as the first: {rows:,}.",
        )
    return data


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def _name(tensor: dict[str, Any]) -> str:
    return f"Input {str(tensor.get('name'))[:80]}"
