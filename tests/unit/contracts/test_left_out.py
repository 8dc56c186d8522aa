"""Whatever is dropped has a count, a reason in words and, where it is much, a warning."""

from __future__ import annotations

import ast
from pathlib import Path

import everfit
from everfit.contracts.left_out import left_out, much_left_out
from everfit.contracts.messages.left_out import LEFT_OUT


def test_a_twentieth_is_not_much_and_more_is():
    assert much_left_out({"target_missing": 5}, 100) == ""
    assert much_left_out({"target_missing": 4, "older_version": 2}, 100).startswith("Warning: 6 %")
    assert much_left_out({}, 0) == ""


def test_the_largest_count_stands_first_and_zero_is_not_told():
    told = left_out({"target_missing": 1, "older_version": 30, "seen_by_champion": 0}, 60)
    assert told == [
        "30 rows (50 %) that are older versions of a row (key)",
        "1 row (1.67 %) without a target",
    ]


def test_every_reason_that_prepare_counts_has_words():
    """By the subscripts of ``dropped`` in its code."""
    sources = (Path(everfit.__file__).parent / "steps" / "prepare").glob("*.py")
    counted = {
        node.slice.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "dropped"
        and isinstance(node.slice, ast.Constant)
    }
    assert counted == LEFT_OUT.keys()
