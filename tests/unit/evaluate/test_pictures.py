"""Pictures: well-formed, equal bytes for equal input, and unmoved by strange names."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from everfit.contracts.messages.verdicts import Estimate
from everfit.ml.scoring.scored import Scored
from everfit.reporting.svg import Drawing, read_drawing
from everfit.steps.evaluate.report.pictures import importances_picture, scores_picture
from everfit.steps.evaluate.report.pictures_classes import (
    calibration,
    confusion,
    confusion_counts,
    precision_recall,
    recall_of_classes,
    roc,
)
from everfit.steps.evaluate.report.pictures_regression import errors, predicted_and_actual
from tests.drawings import assert_readable, texts

RNG = np.random.default_rng(0)
P = RNG.random(300)
BINARY = Scored.of("binary", (RNG.random(300) < P).astype(np.int64), np.column_stack([1 - P, P]))
FLAT = Scored.of("binary", BINARY.truth, np.full((300, 2), 0.5))
MANY = Scored.of("multiclass", RNG.integers(0, 20, 400), RNG.dirichlet(np.ones(20), 400))
TRUTH = RNG.gamma(2, 5, 400)
REGRESSION = Scored.of("regression", TRUTH, TRUTH + RNG.normal(size=400))
HOSTILE = "$x_1^<script>&\"' \\frac{"


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=value - 0.1, high=value + 0.1, rows=9, method="m")


SCORES = {
    who: {"mae": estimate(value)}
    for who, value in {"candidate": 1.0, "baseline": 2.0, "dummy": 2.5, "family:b": 1.2}.items()
}
CLASSES = [f"{HOSTILE}{k}" for k in range(20)]
ONE_CLASS = Scored.of("binary", np.ones(4, dtype=np.int64), np.full((4, 2), 0.5))
ONE_ROW = Scored.of("regression", np.ones(1), np.ones(1))
DRAWN = {
    "predicted and actual": lambda: predicted_and_actual(REGRESSION, HOSTILE, "$"),
    "errors": lambda: errors(REGRESSION, "min"),
    "roc": lambda: roc(BINARY, FLAT),
    "roc alone": lambda: roc(BINARY, None),
    "precision and recall": lambda: precision_recall(BINARY, FLAT),
    "calibration": lambda: calibration(BINARY, FLAT, HOSTILE),
    "confusion": lambda: confusion(MANY, CLASSES),
    "recall": lambda: recall_of_classes(MANY, MANY, CLASSES),
    "scores": lambda: scores_picture("mae", SCORES, 0.95, {"candidate": HOSTILE}, "$"),
    "importances": lambda: importances_picture(
        "mae", {f"{HOSTILE}{k}": 0.1 * k - 0.3 for k in range(30)}, "kWh"
    ),
    "one constant row": lambda: predicted_and_actual(ONE_ROW, "y"),
    "errors of one row": lambda: errors(ONE_ROW),
    "one class": lambda: roc(ONE_CLASS, None),
    "precision of one class": lambda: precision_recall(ONE_CLASS, None),
    "no importance": lambda: importances_picture("mae", {"a": 0.0}),
    "only harm": lambda: importances_picture("mae", {"a": -0.5, "b": -0.1}),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_well_formed_and_always_the_same(name: str) -> None:
    first = DRAWN[name]().file()
    assert first == DRAWN[name]().file()
    root = ElementTree.fromstring(first)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.find("{http://www.w3.org/2000/svg}title").text
    assert b"<script" not in first
    assert len(first) < 200_000


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_can_be_read_and_goes_into_a_page_whole(name: str) -> None:
    """Nothing is cut or overprinted, and a page shows what the file shows."""
    drawing = DRAWN[name]()
    assert_readable(drawing)
    again = read_drawing(drawing.file(), drawing.label)
    assert again is not None
    assert again.file() == drawing.file()
    assert again.inline() == drawing.inline()


def words(drawing: Drawing) -> list[str]:
    return [placed.text for placed in texts(drawing)]


def test_every_model_stands_in_the_forest_with_its_score() -> None:
    found = words(scores_picture("mae", SCORES, 0.9, {"baseline": "champion v3"}, "$"))
    assert {"candidate", "champion v3", "b", "dummy"} <= set(found)
    assert {"$1.00 ($0.900 to $1.10)", "$2.50 ($2.40 to $2.60)"} <= set(found)
    assert "90\xa0% interval; lower is better" in found
    assert "MAE" in found


def test_what_lies_far_off_is_told_and_pointed_to() -> None:
    far = {**SCORES, "dummy": {"mae": estimate(1e6)}}
    drawing = scores_picture("mae", far, 0.9, {})
    assert "1,000,000 (999,999.9 to 1,000,000)" in words(drawing)
    dots = [part for part in drawing.body if part.startswith("<circle")]
    assert len(dots) == 3  # candidate, baseline and the other family are drawn to scale


def test_a_dummy_that_is_the_baseline_stands_there_once() -> None:
    scores = {"candidate": SCORES["candidate"], "dummy": SCORES["dummy"]}
    scores["baseline"] = scores["dummy"]
    found = words(scores_picture("mae", scores, 0.95, {"baseline": "mean"}))
    assert "mean" in found
    assert "dummy" not in found


def test_only_the_first_importances_are_drawn_in_order() -> None:
    drawing = importances_picture("mae", {f"c{k}": float(k) for k in range(40)})
    names = [placed for placed in texts(drawing) if placed.text.startswith("c")]
    assert [placed.text for placed in names] == [f"c{k}" for k in range(39, 24, -1)]
    assert [placed.baseline for placed in names] == sorted(placed.baseline for placed in names)


def test_cells_are_counted_where_rows_are() -> None:
    """Two rows in the first corner and one in the last are two squares, the first one darker."""
    truth = np.array([0.0, 0.0, 10.0])
    drawing = predicted_and_actual(Scored.of("regression", truth, truth), "y")
    cells = [part for part in drawing.body if 'opacity="' in part and part.startswith("<path")]
    assert [part.count("M") for part in cells] == [1, 1]
    assert 'opacity="1"' in cells[1]


def test_confusion_is_counted_by_actual_and_predicted():
    scores = np.eye(3)[[0, 1, 1, 2, 0]]
    scored = Scored.of("multiclass", np.array([0, 0, 1, 2, 2]), scores)
    assert confusion_counts(scored).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]
