"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import everfit
from everfit.contracts.spec.metrics import METRICS

PACKAGE = Path(everfit.__file__).parent
MODULES = sorted(
    ".".join(("everfit", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_are_true(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_an_example(name: str) -> None:
    found = doctest.testmod(import_module(f"everfit.contracts.spec.metrics.{name}"))
    assert found.attempted >= 2  # an import and a score
