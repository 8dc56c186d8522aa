"""Pictures: well-formed, equal bytes for equal input, and unmoved by strange names."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.evaluate.pictures import importances_picture, scores_picture, shortened
from pipeline_components.evaluate.pictures_classes import (
    calibration,
    confusion,
    confusion_counts,
    curves,
)
from pipeline_components.evaluate.pictures_regression import predicted_and_residuals
from pipeline_components.report.figure import house_style
from pipeline_components.scoring.scored import Scored

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
DRAWN = {
    "residuals": lambda: predicted_and_residuals(REGRESSION, HOSTILE),
    "curves": lambda: curves(BINARY, FLAT),
    "curves alone": lambda: curves(BINARY, None),
    "calibration": lambda: calibration(BINARY, FLAT, HOSTILE),
    "confusion": lambda: confusion(MANY, MANY, [f"{HOSTILE}{k}" for k in range(20)]),
    "scores": lambda: scores_picture("mae", SCORES, 0.95, {"candidate": HOSTILE}),
    "importances": lambda: importances_picture(
        "mae", {f"{HOSTILE}{k}": 0.1 * k - 0.3 for k in range(30)}
    ),
    "one constant row": lambda: predicted_and_residuals(
        Scored.of("regression", np.ones(1), np.ones(1)), "y"
    ),
    "one class": lambda: curves(
        Scored.of("binary", np.ones(4, dtype=np.int64), np.full((4, 2), 0.5)), None
    ),
    "no importance": lambda: importances_picture("mae", {"a": 0.0}),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_well_formed_and_always_the_same(name):
    with house_style():
        first = DRAWN[name]()
        again = DRAWN[name]()
    assert first == again
    root = ElementTree.fromstring(first)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.find("{http://www.w3.org/2000/svg}title").text
    assert b"<script" not in first
    assert len(first) < 200_000


def texts(picture: bytes) -> list[str]:
    return [
        "".join(node.itertext()).strip()
        for node in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    ]


def test_every_model_stands_in_the_forest_with_its_score():
    with house_style():
        found = texts(scores_picture("mae", SCORES, 0.9, {"baseline": "champion v3"}))
    assert {"candidate", "champion v3", "b", "dummy", "1", "2", "2.5", "1.2"} <= set(found)
    assert "mae, 90 % interval (less is better)" in found


def test_a_dummy_that_is_the_baseline_stands_there_once():
    scores = {"candidate": SCORES["candidate"], "dummy": SCORES["dummy"]}
    scores["baseline"] = scores["dummy"]
    with house_style():
        found = texts(scores_picture("mae", scores, 0.95, {"baseline": "mean"}))
    assert "mean" in found
    assert "dummy" not in found


def test_only_the_first_importances_are_drawn_in_order():
    with house_style():
        found = texts(importances_picture("mae", {f"c{k}": float(k) for k in range(40)}))
    names = [text for text in found if text.startswith("c")]
    assert names[::-1] == sorted(names, key=lambda name: int(name[1:])) or names == sorted(
        names, key=lambda name: -int(name[1:])
    )
    assert len(names) == 15
    assert "c39" in names


def test_confusion_is_counted_by_actual_and_predicted():
    scores = np.eye(3)[[0, 1, 1, 2, 0]]
    scored = Scored.of("multiclass", np.array([0, 0, 1, 2, 2]), scores)
    assert confusion_counts(scored).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_long_names_leave_room():
    assert len(shortened("x" * 200)) <= 32
    assert shortened("a$b") == r"a\$b"
