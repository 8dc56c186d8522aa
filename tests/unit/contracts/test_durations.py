"""Lengths of time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.spec.durations import duration

SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


@given(st.integers(0, 99999), st.sampled_from("mhdw"))
def test_a_number_and_a_unit(number, unit):
    assert duration(f"{number}{unit}") == timedelta(seconds=number * SECONDS[unit])


@given(st.text(max_size=8))
def test_anything_else_is_refused_with_an_example(text):
    try:
        found = duration(text)
    except ValueError as error:
        assert "such as 6h or 30d" in str(error)
    else:
        assert text[-1] in SECONDS
        assert found.total_seconds() == int(text[:-1]) * SECONDS[text[-1]]


@pytest.mark.parametrize("text", ["", "h", "6", "6 h", "-6h", "1.5h", "6H", "6h\n", "1y"])
def test_these_are_none(text):
    with pytest.raises(ValueError, match="length of time"):
        duration(text)
