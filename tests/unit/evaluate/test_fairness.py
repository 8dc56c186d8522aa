"""Gaps between groups, against fairlearn asked directly and by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    false_positive_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

from everfit.contracts.spec.gate import FairnessSpec
from everfit.ml.scoring.resampling import Design, resample
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.fairness import fairness_gaps, group_names

ROWS = 1_200
RNG = np.random.default_rng(4)
GROUP = RNG.choice(["red", "blue", "green"], ROWS, p=[0.5, 0.3, 0.2])
TRUTH = (RNG.random(ROWS) < 0.5).astype(np.int64)
P = np.clip(0.25 + 0.5 * TRUTH + 0.2 * (GROUP == "red") + 0.2 * RNG.normal(size=ROWS), 0, 1)
BINARY = Scored.of("binary", TRUTH, np.column_stack([1 - P, P]))
FRAME = pd.DataFrame({"team": pd.array(GROUP, dtype="str")})


def gap(metric, scored=BINARY, frame=FRAME, by="team", min_rows=10):
    item = FairnessSpec(by=by, metric=metric, max_gap=0.1, min_rows=min_rows)
    resampling = resample(Design(scored.rows, False, None, 0, "rows"), 0.95)
    (found,) = fairness_gaps((item,), frame, scored, resampling, 0.95)
    return found


@pytest.mark.parametrize(
    ("metric", "theirs"),
    [
        ("true_positive_rate", true_positive_rate),
        ("false_positive_rate", false_positive_rate),
        ("accuracy", accuracy_score),
    ],
)
def test_as_fairlearn_has_it(metric, theirs):
    frame = MetricFrame(
        metrics=theirs, y_true=TRUTH, y_pred=(P > 0.5).astype(int), sensitive_features=GROUP
    )
    found = gap(metric)
    assert {one.group: one.value for one in found.groups} == pytest.approx(frame.by_group.to_dict())
    assert found.gap.value == pytest.approx(frame.difference(method="between_groups"))
    assert found.gap.low <= found.gap.value <= found.gap.high
    assert found.why == ""


def test_the_gap_of_selection_rates_is_demographic_parity():
    chosen = (P > 0.5).astype(int)
    theirs = demographic_parity_difference(TRUTH, chosen, sensitive_features=GROUP)
    found = gap("selection_rate")
    assert found.gap.value == pytest.approx(theirs)
    assert [one.group for one in found.groups] == ["red", "blue", "green"]  # the largest first
    assert [one.rows for one in found.groups] == pd.Series(GROUP).value_counts().tolist()


def test_the_positive_class_is_the_declared_one():
    other = Scored("binary", TRUTH, BINARY.scores, positive=0)
    theirs = MetricFrame(
        metrics=true_positive_rate,
        y_true=1 - TRUTH,
        y_pred=(P <= 0.5).astype(int),
        sensitive_features=GROUP,
    )
    found = gap("true_positive_rate", other)
    assert {one.group: one.value for one in found.groups} == pytest.approx(
        theirs.by_group.to_dict()
    )


def test_numbers_by_hand():
    truth = np.tile([1.0, 2.0, 3.0, 4.0], 10)
    error = np.tile([1.0, -1.0, 2.0, 2.0], 10)
    frame = pd.DataFrame({"side": np.tile([0, 0, 1, 1], 10)})
    scored = Scored.of("regression", truth, truth + error)
    found = gap("mean_error", scored, frame, "side")
    assert [(one.group, one.value) for one in found.groups] == [("0", 0.0), ("1", 2.0)]
    assert found.gap.value == 2.0
    found = gap("mae", scored, frame, "side")
    assert [one.value for one in found.groups] == [1.0, 2.0]


def test_several_classes_have_accuracies():
    scores = np.eye(3)[np.tile([0, 1, 2, 0], 10)]
    scored = Scored.of("multiclass", np.tile([0, 1, 1, 1], 10), scores)
    found = gap("accuracy", scored, pd.DataFrame({"side": np.tile([0, 0, 1, 1], 10)}), "side")
    assert [one.value for one in found.groups] == [1.0, 0.0]
    assert (found.gap.value, found.gap.low, found.gap.high) == (1.0, 1.0, 1.0)


def test_a_missing_value_is_a_group():
    frame = pd.DataFrame({"team": FRAME["team"].where(FRAME["team"] != "green")})
    found = gap("accuracy", frame=frame)
    assert {one.group: one.rows for one in found.groups}["missing"] == int((GROUP == "green").sum())
    assert found.gap.value == gap("accuracy").gap.value


def test_whole_numbers_and_booleans_have_plain_names():
    assert group_names(pd.Series([2.0, np.nan, 1.0]))[0] == ["1", "2", "missing"]
    assert group_names(pd.Series([True, False]))[0] == ["False", "True"]


def test_small_groups_are_listed_and_not_compared():
    green = int((GROUP == "green").sum())
    found = gap("selection_rate", min_rows=green + 1)
    assert {one.group for one in found.groups if one.value is None} == {"green"}
    two = gap("selection_rate", frame=FRAME.assign(team=FRAME["team"].replace("green", "blue")))
    assert found.gap.value != two.gap.value
    rates = {one.group: one.value for one in found.groups}
    assert found.gap.value == pytest.approx(abs(rates["red"] - rates["blue"]))


def test_a_rate_counts_the_rows_it_is_a_mean_of():
    found = gap("true_positive_rate", min_rows=200)
    counted = {one.group: one.counted for one in found.groups}
    assert counted["red"] == int(TRUTH[GROUP == "red"].sum())
    assert {one.group for one in found.groups if one.value is None} == {
        name for name, rows in counted.items() if rows < 200
    }


@pytest.mark.parametrize(
    ("frame", "scored", "words"),
    [
        (FRAME.assign(team="red"), BINARY, "only one group has 10 rows or more"),
        (
            FRAME.assign(team=[f"t{i % 51}" for i in range(ROWS)]),
            BINARY,
            "'team' has 51 different values, at most 50 are compared",
        ),
        (FRAME.assign(team=[f"t{i % 50}" for i in range(ROWS)]), BINARY, ""),
        (FRAME.drop(columns="team"), BINARY, "the holdout has no column 'team'"),
        (
            FRAME,
            Scored.of("binary", TRUTH, np.full((ROWS, 2), np.nan)),
            "not every prediction is finite",
        ),
    ],
)
def test_why_there_is_no_gap(frame, scored, words):
    found = gap("accuracy", scored, frame)
    assert found.why == words
    assert (found.gap is None) == bool(words)


def test_chance_alone_is_not_surely_a_gap():
    sure = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = rng.random(ROWS)
        scored = Scored.of("binary", TRUTH, np.column_stack([1 - p, p]))
        sure += gap("selection_rate", scored).gap.low > 0
    assert sure <= 4  # 2.5 in 100 are expected


def test_fairlearn_is_imported_only_where_groups_are_declared():
    code = "import sys, everfit.steps.evaluate.score_models; sys.exit('fairlearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_weighted_groups_are_compared_by_weight():
    frame = pd.DataFrame({"who": np.repeat(["a", "b", "c"], 100)})
    error = np.concatenate([np.tile([1.0, 3.0], 100), np.full(100, 9.0)])
    weight = np.concatenate([np.ones(100), np.tile([1.0, 3.0], 50), np.zeros(100)])
    scored = Scored("regression", np.zeros(300), error, weight=weight)
    resampling = resample(Design(300, False, None, 0, "rows", weight), 0.9)
    item = FairnessSpec(by="who", metric="mae", max_gap=1.0, min_rows=50)
    (found,) = fairness_gaps([item], frame, scored, resampling, 0.9)
    assert found.gap.value == pytest.approx(0.5)  # 2 and 2.5; no row of c has a weight
    assert [(one.group, one.counted) for one in found.groups] == [("a", 100), ("b", 100), ("c", 0)]
