"""What Evidently is not given, and under which names it gets the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.steps.drift_report.comparable import (
    MOST_CATEGORIES,
    NOTHING,
    OTHERS,
    comparable,
    harmless,
)

GOOD = pd.DataFrame({"x": [1.0, 2.0, 3.0], "c": pd.array(["a", "b", None], dtype="str")})


@pytest.mark.parametrize(
    ("current", "kind", "why"),
    [
        ([np.nan, np.nan, np.nan], "number", "no value in the span"),
        ([1.0, np.inf, -np.inf], "number", "2 infinite values in the span's sample"),
        ([7.0, 7.0, 7.0], "number", "only one value in the span's sample"),
        (["1", "two", "3"], "number", "not numbers in the span"),
        ([1.0, 2.0, 3.0], "missing", "compared by its share of missing values alone"),
        (None, "number", "the span does not have it"),
    ],
)
def test_a_column_that_evidently_fails_on_or_passes_over_is_named(current, kind, why):
    span = pd.DataFrame({"other": [1, 2, 3]} if current is None else {"x": current})
    found = comparable(GOOD, span, {"x": kind})
    assert found.left_out == (f"x: {why}",)
    assert found.columns == []


def test_numbers_and_categories_are_kept_in_the_order_asked_for():
    found = comparable(GOOD, GOOD, {"c": "category", "x": "number"})
    assert found.columns == ["c", "x"]
    assert (found.numbers, found.categories, found.left_out) == (("x",), ("c",), ())
    assert list(found.current["c"]) == ["a", "b", NOTHING]


def test_rare_categories_are_one_and_no_row_is_lost():
    before = pd.DataFrame({"c": [f"v{i % 40}" for i in range(400)]})
    after = pd.DataFrame({"c": [f"v{i % 90}" for i in range(400)]})
    found = comparable(before, after, {"c": "category"})
    assert found.reference["c"].nunique() <= MOST_CATEGORIES + 1
    assert OTHERS in set(found.current["c"])
    assert len(found.current) == len(found.reference) == 400


def test_two_names_that_would_read_alike_stay_two():
    frame = pd.DataFrame({"a<": [1.0, 2.0], "a‹": [3.0, 4.0]})
    found = comparable(frame, frame, {"a<": "number", "a‹": "number"})
    assert found.columns == ["a‹", "a‹ (2)"]


@given(st.text(max_size=200))
def test_no_text_can_become_markup(text):
    shown = harmless(text)
    assert not set(shown) & set("<>&\n\r\t\0\u2028")
    assert len(shown) <= 60
