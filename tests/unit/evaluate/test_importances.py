"""Permutation importances against a closed form, and the choice of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from everfit.steps.evaluate.importances import (
    ALONE,
    CELLS,
    MOST_ROWS,
    PREDICTIONS,
    REPEATS,
    Shuffler,
    permutation_importances,
    rows_for,
    sample_rows,
)

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {"a": RNG.normal(size=2000), "b": RNG.normal(size=2000), "none": RNG.normal(size=2000)}
)
TARGET = 3 * FRAME["a"].to_numpy() - FRAME["b"].to_numpy() + RNG.normal(size=2000)


def predict(frame: pd.DataFrame) -> np.ndarray:
    return (3 * frame["a"] - frame["b"]).to_numpy()


def importances(**changes):
    asked = {
        "score": lambda scores: float(np.mean((TARGET - scores) ** 2)),
        "greater_is_better": False,
        "seed": 0,
    }
    return permutation_importances(Shuffler(FRAME, predict, **(asked | changes))).alone


def test_a_linear_models_importance_is_twice_the_squared_slope():
    """Squared error of y = βx: shuffling x adds 2 β² var(x) (Breiman's measure, by hand)."""
    found = importances()
    assert found["a"] == pytest.approx(2 * 9, rel=0.1)
    assert found["b"] == pytest.approx(2 * 1, rel=0.2)
    assert found["none"] == 0.0
    assert list(found) == ["a", "b", "none"]


def test_a_column_that_helps_is_positive_whichever_way_is_better():
    found = importances(
        score=lambda scores: -float(np.mean((TARGET - scores) ** 2)), greater_is_better=True
    )
    assert found == importances()


def test_equal_seeds_give_equal_numbers_and_the_frame_is_left_alone():
    before = FRAME.copy()
    assert importances() == importances()
    assert importances()["a"] != importances(seed=1)["a"]
    pd.testing.assert_frame_equal(FRAME, before)


def test_work_is_bounded():
    for columns in (1, 20, 100, 1_000):
        rows = rows_for(columns, 1_000_000)
        assert rows <= MOST_ROWS
        assert rows * columns * REPEATS <= max(PREDICTIONS, 100 * columns * REPEATS)
    assert rows_for(20, 57) == 57


def test_sample_rows_follow_content_not_order():
    digests = RNG.integers(0, 2**63, size=500, dtype=np.uint64)
    chosen = digests[sample_rows(digests, 50)]
    order = RNG.permutation(500)
    assert set(digests[order][sample_rows(digests[order], 50)]) == set(chosen)
    assert set(chosen) == set(np.sort(digests)[:50])
    assert sample_rows(digests[:3], 50).tolist() == [0, 1, 2]


def test_a_few_of_very_many_columns_are_found_and_the_others_told_as_blocks():
    """A column that no rank goes along with is found by halving the block that it is in."""
    columns, rows = 1_500, 100
    frame = pd.DataFrame(
        np.random.default_rng(1).normal(size=(rows, columns)),
        columns=[f"f{i}" for i in range(columns)],
    )
    target = (3 * frame["f7"] + 2 * frame["f900"] ** 2).to_numpy()
    predicted = 0

    def model(asked: pd.DataFrame) -> np.ndarray:
        nonlocal predicted
        predicted += asked.size
        return (3 * asked["f7"] + 2 * asked["f900"] ** 2).to_numpy()

    shuffler = Shuffler(
        frame,
        model,
        lambda scores: float(np.mean((target - scores) ** 2)),
        greater_is_better=False,
        seed=0,
    )
    found = permutation_importances(shuffler)
    assert {"f7", "f900"} <= set(found.alone)
    assert {name for name, lost in found.alone.items() if lost > 0} == {"f7", "f900"}
    told = [name for group in found.groups for name in group.columns]
    assert sorted([*found.alone, *told]) == sorted(frame.columns)
    assert all(group.importance == 0.0 and group.kind == "rest" for group in found.groups)
    assert columns > ALONE
    assert predicted <= CELLS + frame.size < columns * columns * rows * REPEATS


def test_as_many_columns_as_are_shuffled_alone_have_no_blocks():
    rows = 20
    frame = pd.DataFrame(np.zeros((rows, ALONE)), columns=[f"f{i}" for i in range(ALONE)])
    shuffler = Shuffler(
        frame,
        lambda asked: asked["f0"].to_numpy(),
        lambda scores: float(scores.mean()),
        greater_is_better=False,
        seed=0,
    )
    found = permutation_importances(shuffler)
    assert list(found.alone) == list(frame.columns)
    assert found.groups == ()
