"""Which spans train and which judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.messages.spans import SpanRef, choose
from everfit.contracts.spec.pipeline import HoldoutSpec, WindowSpec


def refs(count: int) -> list[SpanRef]:
    return [SpanRef(name=f"{i:02d}", fingerprint="f", location="l") for i in range(count)]


def names(spans: tuple[SpanRef, ...]) -> list[int]:
    return [int(span.name) for span in spans]


@pytest.mark.parametrize(
    ("count", "window", "holdout", "train", "judge"),
    [
        (6, {"spans": 3}, {"spans": 1}, [2, 3, 4], [5]),
        (6, {"spans": "all"}, {"spans": 2}, [0, 1, 2, 3], [4, 5]),
        (6, {"spans": 3, "skip_recent": 2}, {"spans": 1}, [0, 1, 2], [3]),
        (2, {"spans": 3, "min_spans": 2}, {"spans": 1}, [], []),
        (1, {"spans": "all"}, {"fraction": 0.2}, [0], []),
        (1, {"spans": "all"}, {"spans": 1}, [], []),
        (0, {"spans": "all"}, {"spans": 1}, [], []),
        (1, {"spans": "all", "skip_recent": 3}, {"fraction": 0.2}, [], []),
    ],
)
def test_by_hand(count, window, holdout, train, judge) -> None:
    found = choose(refs(count), WindowSpec(**window), HoldoutSpec(**holdout))
    assert names(found[0]) == train
    assert names(found[1]) == judge


@given(
    st.integers(0, 40),
    st.one_of(st.just("all"), st.integers(1, 40)),
    st.integers(0, 45),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_sides_are_disjoint_ordered_and_adjacent(count, spans, skip, least, judged) -> None:
    if spans != "all":
        least = min(least, spans)
    window, holdout = choose(
        refs(count),
        WindowSpec(spans=spans, skip_recent=skip, min_spans=least),
        HoldoutSpec(spans=judged),
    )
    both = names(window) + names(holdout)
    assert both == sorted(set(both))
    if both:
        assert len(holdout) == judged
        assert both == list(range(both[0], both[-1] + 1))
        assert both[-1] == count - skip - 1
        assert len(window) >= least
