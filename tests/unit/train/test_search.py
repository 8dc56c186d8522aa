"""Settings, folds and scores: deterministic, without repeats, in the metric's own direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.train.folds import make_folds
from pipeline_components.train.score import metric_score
from pipeline_components.train.search_settings import settings_to_try

SPACE = {"a": (1, 2, 3), "b": ("x", "y")}


def test_the_defaults_come_first_and_nothing_twice():
    found = settings_to_try(SPACE, {"a": 2, "b": "x", "c": 0}, 6, seed=0)
    assert found[0] == {"a": 2, "b": "x", "c": 0}
    assert len(found) == 6 == len({tuple(s.items()) for s in found})


def test_a_small_grid_of_the_users_own_is_tried_whole_and_in_order():
    found = settings_to_try(SPACE, {}, 99, seed=5, defaults_first=False)
    assert [(s["a"], s["b"]) for s in found] == [
        (1, "x"), (1, "y"), (2, "x"), (2, "y"), (3, "x"), (3, "y"),
    ]  # fmt: skip


def test_a_huge_grid_is_sampled_by_seed_alone():
    space = {f"p{i}": tuple(range(10)) for i in range(30)}
    first = settings_to_try(space, {}, 5, seed=1, defaults_first=False)
    assert first == settings_to_try(space, {}, 5, seed=1, defaults_first=False)
    assert first != settings_to_try(space, {}, 5, seed=2, defaults_first=False)
    assert len(first) == 5


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(0, 3), unique=True).map(tuple)),
    st.integers(1, 30),
    st.integers(0, 9),
)
def test_as_many_as_asked_for_or_all_there_are(space, trials, seed):
    found = settings_to_try(space, {"a": 99}, trials, seed)
    total = 1 + int(np.prod([len(v) for v in space.values() if v])) * any(space.values())
    assert len(found) == min(trials, total)
    assert len({tuple(sorted(s.items())) for s in found}) == len(found)


@pytest.mark.parametrize(("rows", "folds"), [(100, 3), (101, 4), (7, 5)])
def test_time_folds_are_those_of_scikit_learn(rows, folds):
    expected = list(TimeSeriesSplit(folds).split(np.zeros(rows)))
    for (fit, score), (fit_, score_) in zip(
        make_folds(rows, folds, by_time=True), expected, strict=True
    ):
        np.testing.assert_array_equal(fit, fit_)
        np.testing.assert_array_equal(score, score_)


@pytest.mark.parametrize(("by_time", "people"), [(True, 900), (True, 20), (False, 40)])
def test_no_entity_is_on_both_sides_of_a_fold(by_time, people):
    who = np.random.default_rng(0).integers(0, people, 600, dtype=np.uint64)
    folds = make_folds(600, 3, by_time, entities=who)
    assert len(folds) == 3
    for fit, score in folds:
        assert not set(who[fit].tolist()) & set(who[score].tolist())
        assert len(fit) > 15
        if by_time and people == 900:
            assert fit.max() < score.min()


def test_classes_are_shared_out_evenly():
    classes = np.array([0] * 90 + [1] * 9)
    for fit, score in make_folds(99, 3, False, classes=classes):
        assert (classes[score] == 1).sum() == 3
        assert len(fit) + len(score) == 99


def test_a_fold_that_lacks_a_class_is_left_out():
    classes = np.array([0] * 30 + [0, 1] * 35)
    assert len(make_folds(100, 3, True, classes=classes)) == 2
    assert make_folds(100, 3, True, classes=np.array([0] * 99 + [1])) == []


def test_scores_match_hand_counts():
    truth, guess = np.array([1.0, 2, 3, 10]), np.array([1.0, 3, 3, 6])
    # Errors 0, 1, 0, 4; squares 0, 1, 0, 16; squares about the mean of 4: 9 + 4 + 1 + 36.
    assert metric_score("mae", truth, guess) == pytest.approx(1.25)
    assert metric_score("rmse", truth, guess) == pytest.approx(np.sqrt(17 / 4))
    assert metric_score("median_ae", truth, guess) == pytest.approx(0.5)
    assert metric_score("r2", truth, guess) == pytest.approx(1 - 17 / 50)
    classes = np.array([0, 1, 1, 0])
    chances = np.array([0.1, 0.8, 0.4, 0.3])
    both = np.column_stack([1 - chances, chances])
    assert metric_score("brier", classes, both) == pytest.approx((0.01 + 0.04 + 0.36 + 0.09) / 4)
    assert metric_score("log_loss", classes, both) == pytest.approx(
        -np.log([0.9, 0.8, 0.4, 0.7]).mean()
    )
    assert metric_score("roc_auc", classes, both) == 1.0
    assert metric_score("accuracy", classes, both) == 0.75
    assert metric_score("balanced_accuracy", classes, both) == 0.75
    assert metric_score("f1", classes, both) == pytest.approx(2 / 3)
    # With class 0 positive: hits 0 and 3 are guessed, as is row 2: precision 2/3, recall 1.
    assert metric_score("f1", classes, both, positive=0) == pytest.approx(0.8)
    assert metric_score("f1_macro", classes, both) == pytest.approx((2 / 3 + 0.8) / 2)
    assert metric_score("average_precision", classes, both) == pytest.approx(1.0)
    assert np.isnan(metric_score("roc_auc", np.ones(4), both))


def test_every_metric_of_the_contracts_is_scored():
    for name, metric in METRICS.items():
        for task in metric.tasks:
            k = {"binary": 2, "multiclass": 3}.get(task, 0)
            truth = np.arange(6) % k if k else np.arange(6.0)
            scores = np.full((6, k), 1 / k) if k else np.ones(6)
            assert np.isfinite(metric_score(name, truth, scores)), name
