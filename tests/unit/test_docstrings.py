"""Public functions of three parameters or more say what each of them is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import everfit

PACKAGE = Path(everfit.__file__).parent


def described(text: str) -> set[str]:
    """The names that begin a line of a docstring: ``low, high : float``."""
    heads = (line.partition(":")[0] for line in text.splitlines())
    return {name.strip() for head in heads for name in head.split(",")}


def undescribed(source: str) -> Iterator[str]:
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        names = [one.arg for one in (*node.args.args, *node.args.kwonlyargs)]
        text = ast.get_docstring(node) or ""
        if len(names) >= 3 and not ("Parameters\n---" in text and {*names} <= described(text)):
            yield node.name


@pytest.mark.parametrize("folder", ["ml", "contracts/spec/metrics", "contracts/spec/families"])
def test_every_parameter_is_described(folder: str) -> None:
    paths = sorted((PACKAGE / folder).rglob("*.py"))
    assert paths
    assert [(path.name, one) for path in paths for one in undescribed(path.read_text())] == []


def test_a_function_that_leaves_one_out_is_found() -> None:
    source = (
        'def f(a, b, c):\n    """It.\n\n    Parameters\n    ----------\n    a, b : int\n    """\n'
    )
    assert list(undescribed(source)) == ["f"]
    assert list(undescribed(source.replace("a, b :", "a, b, c :"))) == []
