"""What counts as giving the target away, on constructed columns; ranks against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from everfit.steps.validate.leaks import _correlation, _ranks, find_leaks

ROWS = 2_000


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_ranks_and_correlation_are_scipys(rng):
    one, other = rng.integers(0, 50, ROWS).astype(float), rng.normal(size=ROWS)
    assert np.array_equal(_ranks(one), stats.rankdata(one))
    assert np.isclose(_correlation(_ranks(one), _ranks(other)), stats.spearmanr(one, other)[0])
    assert np.isclose(_correlation(1e200 * one, other), stats.pearsonr(one, other)[0])


def test_one_outlier_makes_no_leak(rng):
    """Linear correlation alone would be above 0.9999."""
    target = rng.exponential(size=ROWS)
    feature = rng.exponential(size=ROWS)
    target[0] = feature[0] = 1e6
    assert stats.pearsonr(target, feature)[0] > 0.9999
    assert find_leaks(target, {"f": feature}) == {}


def test_a_good_feature_is_no_leak(rng):
    target = rng.normal(size=ROWS)
    feature = target + 0.05 * rng.normal(size=ROWS)
    assert 0.998 < stats.pearsonr(target, feature)[0] < 0.9999
    assert find_leaks(target, {"f": feature}) == {}


def test_classes_behind_codes(rng):
    classes = rng.integers(0, 3, ROWS)  # texts, as codes
    code = classes * 2.0 + rng.integers(0, 2, ROWS)  # two codes to a class
    noisy = np.where(rng.random(ROWS) < 0.02, 0.0, code)
    key = rng.permutation(ROWS).astype(float)  # one row each: tells nothing
    assert set(find_leaks(classes, {"code": code, "noisy": noisy, "key": key})) == {"code"}
    assert set(find_leaks(classes, {"text": classes[::1] + 0})) == {"text"}


def test_a_number_behind_each_text(rng):
    texts = rng.integers(0, 20, ROWS)
    target = texts * 1000.0 + rng.normal(size=ROWS)
    assert set(find_leaks(target, {"text": texts})) == {"text"}
    assert find_leaks(texts + 10 * rng.normal(size=ROWS), {"text": texts}) == {}


def test_a_rare_class_that_is_mostly_told_is_no_leak(rng):
    target = np.zeros(ROWS)
    target[:5] = 1.0  # too few to tell a rule from chance
    assert find_leaks(target, {"f": (np.arange(ROWS) < 900).astype(np.int64)}) == {}


def test_missing_values_are_left_out(rng):
    target = rng.normal(size=ROWS)
    copy = target.copy()
    copy[::3] = np.nan
    assert set(find_leaks(target, {"copy": copy})) == {"copy"}
    copy[: ROWS * 2 // 3] = np.nan  # mostly missing
    assert find_leaks(target, {"copy": copy}) == {}


def test_few_rows_prove_nothing():
    assert find_leaks(np.arange(20.0), {"copy": np.arange(20.0)}) == {}
    assert find_leaks(np.zeros(ROWS), {"constant": np.zeros(ROWS)}) == {}
