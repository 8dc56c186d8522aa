"""Named tensors, as the Open Inference Protocol has them."""

from __future__ import annotations

import pytest

from everfit.operations.serving.rows import Problem
from everfit.operations.serving.tensors import read_tensors, requested

COLUMNS = {"size": "float", "kind": "string"}
SIZE = {"name": "size", "datatype": "FP64", "shape": [2], "data": [1, None]}
KIND = {"name": "kind", "datatype": "BYTES", "shape": [2, 1], "data": [["a"], ["b"]]}


def test_tensors_are_read_by_name_in_any_order_and_shape() -> None:
    other = {"name": "not read", "datatype": "FP64", "shape": [9], "data": []}
    found = read_tensors({"inputs": [KIND, other, SIZE]}, COLUMNS, 10)
    assert found == {"size": [1.0, None], "kind": ["a", "b"]}


@pytest.mark.parametrize(
    ("inputs", "part"),
    [
        (None, "The body must be"),
        ([1], "The body must be"),
        ([SIZE], "missing for kind"),
        ([SIZE | {"name": ["size"]}, KIND], "missing for size"),
        ([SIZE | {"shape": [2, 2]}, KIND], "Input size: shape"),
        ([SIZE | {"shape": [-1]}, KIND], "Input size: shape"),
        ([SIZE | {"shape": [True]}, KIND], "Input size: shape"),
        ([SIZE | {"shape": [0], "data": []}, KIND], "at least one row"),
        ([SIZE | {"data": [1]}, KIND], "as many values"),
        ([SIZE, KIND | {"shape": [3], "data": ["a", "b", "c"]}], "as many as the first"),
        ([SIZE | {"datatype": "BYTES"}, KIND], "datatype must be FP64"),
        ([SIZE | {"data": "12"}, KIND], "data must be a list"),
        ([SIZE | {"data": [1, "x"]}, KIND], "missing or of another type: size"),
    ],
)
def test_tensors_that_cannot_be_used_are_a_problem(inputs, part) -> None:
    with pytest.raises(Problem, match=part):
        read_tensors({"inputs": inputs}, COLUMNS, 10)


@pytest.mark.parametrize("outputs", [1, [1], [{}]])
def test_outputs_that_cannot_be_read_are_a_problem(outputs) -> None:
    with pytest.raises(Problem, match="Outputs must be"):
        requested({"outputs": outputs})
