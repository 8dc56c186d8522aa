"""Holm's correction against a hand count and its definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.ml.scoring.holm import holm


def test_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, never falling.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx((0.06, 0.04, 0.06, 0.06))
    assert holm([]) == ()
    assert holm([0.7, 0.9]) == (1.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.3))
def test_rejects_what_stepping_down_rejects(p_values, level):
    rejected = set()
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for place, index in enumerate(order):
        if not (len(p_values) - place) * p_values[index] < level:
            break
        rejected.add(index)
    assert {i for i, p in enumerate(holm(p_values)) if p < level} == rejected
