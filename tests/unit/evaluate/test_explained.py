"""Columns that tell the target: noisy copies, and two that hide it between them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.explained import FEWEST, explained

ROWS = 1_500
RNG = np.random.default_rng


def table(rows: int = ROWS) -> tuple[pd.DataFrame, np.ndarray]:
    """Twelve honest columns, of which the first explains a third; some values are missing."""
    rng = RNG(1)
    frame = pd.DataFrame({f"x{i}": rng.normal(size=rows) for i in range(10)})
    frame["town"] = rng.choice(["Ulm", "Bonn", None], size=rows)
    frame["at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="h")
    target = 0.7 * frame["x0"].to_numpy() + rng.normal(size=rows)
    frame.loc[::7, "x1"] = np.nan
    return frame, target


def asked(frame, target, matters=(), task="regression", chosen=None):
    if task == "regression":
        scored = Scored(task, target, target * 0.5)
    else:
        k = int(target.max()) + 1
        scored = Scored(task, target.astype(np.int64), np.full((len(target), k), 1 / k))
    importances = dict.fromkeys(matters, 1.0)
    rows = np.arange(len(frame)) if chosen is None else chosen
    return explained(frame, {"candidate": scored}, list(frame), importances, rows)


def test_honest_columns_explain_what_they_do():
    found = asked(*table(), matters=("x0", "x2"))
    assert found.column.columns == ("x0",)
    assert 0.2 < found.column.share < 0.45
    assert set(found.pair.columns) >= {"x0"}
    assert found.candidate == pytest.approx(0.75, abs=0.01)
    assert found.rows == ROWS // 2


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_a_noisy_copy_of_a_number_is_named(noise):
    frame, target = table()
    frame["hint"] = target + noise * target.std() * RNG(2).normal(size=ROWS)
    found = asked(frame, target)
    assert found.column.columns == ("hint",)
    assert found.column.share > 0.85


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_a_noisy_copy_of_a_class_is_named(noise, classes):
    frame, _ = table()
    target = RNG(3).integers(classes, size=ROWS)
    frame["hint"] = target + noise * RNG(2).normal(size=ROWS)
    found = asked(frame, target, task="binary" if classes == 2 else "multiclass")
    assert found.column.columns == ("hint",)
    assert found.column.share > 0.75


def test_a_class_written_as_text_is_named():
    frame, _ = table()
    target = RNG(3).integers(3, size=ROWS)
    frame["state"] = np.array(["won", "lost", "open"])[target]
    found = asked(frame, target, task="multiclass")
    assert (found.column.columns, found.column.share > 0.95) == (("state",), True)


def masks() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Target and two columns of which neither tells much of it alone."""
    rng = RNG(4)
    target, mask = rng.normal(size=ROWS), 5 * rng.normal(size=ROWS)
    scale, bit = np.exp(rng.normal(size=ROWS)), rng.integers(2, size=ROWS)
    return {
        "sum": (target, target + mask, mask),
        "ratio": (target, target / scale, scale),
        "exclusive or": (target > 0, (target > 0) ^ bit, bit),
    }


@pytest.mark.parametrize("kind", ["sum", "ratio", "exclusive or"])
def test_two_columns_that_hide_the_target_between_them_are_named(kind):
    frame, _ = table()
    target, frame["one"], frame["other"] = masks()[kind]
    task = "binary" if kind == "exclusive or" else "regression"
    found = asked(frame, target, matters=("one", "other"), task=task)
    assert found.column.share < 0.75
    assert set(found.pair.columns) == {"one", "other"}
    assert found.pair.share > 0.9


def test_it_is_scored_on_rows_that_it_was_not_fitted_on():
    """A name of its own for each row tells nothing of others."""
    _, target = table()
    frame = pd.DataFrame({"name": [f"row {i}" for i in range(ROWS)]})
    assert asked(frame, target).column.share < 0.01


@pytest.mark.parametrize(
    ("rows", "constant"), [(FEWEST - 1, False), (200, True)], ids=["few rows", "a single value"]
)
def test_nothing_is_said_where_nothing_can_be(rows, constant):
    frame, target = table(rows)
    assert asked(frame, target * 0 if constant else target) is None


def test_columns_without_a_value_and_infinities_are_no_trouble():
    frame, target = table()
    frame["empty"] = np.nan
    frame.loc[:700, "late"] = 1.0
    frame.loc[3, "x0"] = np.inf
    assert asked(frame, target).column.columns == ("x0",)


def test_without_features_there_is_no_column():
    frame, target = table()
    found = asked(frame[[]], target)
    assert (found.column, found.pair) == (None, None)
