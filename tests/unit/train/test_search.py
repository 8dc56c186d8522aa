"""Settings and folds: deterministic and without repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from everfit.steps.train.folds import make_folds
from everfit.steps.train.search_settings import settings_to_try

SPACE = {"a": (1, 2, 3), "b": ("x", "y")}


def test_the_defaults_come_first_and_nothing_twice():
    found = settings_to_try(SPACE, {"a": 2, "b": "x", "c": 0}, 6, seed=0)
    assert found[0] == {"a": 2, "b": "x", "c": 0}
    assert len(found) == 6 == len({tuple(s.items()) for s in found})


def test_a_small_grid_of_the_users_own_is_tried_whole_and_in_order():
    found = settings_to_try(SPACE, {}, 99, seed=5, first=())
    assert [(s["a"], s["b"]) for s in found] == [
        (1, "x"),
        (1, "y"),
        (2, "x"),
        (2, "y"),
        (3, "x"),
        (3, "y"),
    ]


def test_a_huge_grid_is_sampled_by_seed_alone():
    space = {f"p{i}": tuple(range(10)) for i in range(30)}
    first = settings_to_try(space, {}, 5, seed=1, first=())
    assert first == settings_to_try(space, {}, 5, seed=1, first=())
    assert first != settings_to_try(space, {}, 5, seed=2, first=())
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
