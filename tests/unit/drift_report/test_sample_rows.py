"""The rows a report is made from."""

from __future__ import annotations

import numpy as np
from scipy import stats

from everfit.steps.drift_report.sample_rows import sample


def test_all_rows_of_few_in_their_order(context, snapshot):
    spans = (snapshot("a", {"x": [1, 2], "y": [1.0, 2.0]}), snapshot("b", {"x": [3, 4, 5]}))
    found = sample(context, spans, ("x",))
    assert list(found["x"]) == [1, 2, 3, 4, 5]
    assert list(found.columns) == ["x"]


def test_a_column_some_spans_lack_is_missing_there(context, snapshot):
    spans = (snapshot("a", {"x": [1, 2]}), snapshot("b", {"x": [3], "y": [1.5]}))
    found = sample(context, spans, ("x", "y"))
    assert list(found["y"].isna()) == [True, True, False]


def test_of_many_rows_the_same_ones_each_time_and_none_twice(context, snapshot):
    spans = (
        snapshot("a", {"x": np.arange(5000)}),
        snapshot("b", {"x": np.arange(5000, 20_000)}),
    )
    first, second = (list(sample(context, spans, ("x",), 2000)["x"]) for _ in range(2))
    assert first == second
    assert len(set(first)) == 2000
    # Each row with the same chance: a quarter from the first span, and evenly within.
    assert stats.kstest(np.array(first) / 20_000, "uniform").pvalue > 0.001
    assert stats.binomtest(sum(x < 5000 for x in first), 2000, 0.25).pvalue > 0.001


def test_other_data_gives_other_rows(context, snapshot):
    one = sample(context, [snapshot("a", {"x": np.arange(5000)})], ("x",), 100)
    other = sample(context, [snapshot("b", {"x": np.arange(5000) + 1})], ("x",), 100)
    assert list(one["x"]) != list(other["x"] - 1)
