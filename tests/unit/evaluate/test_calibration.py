"""The calibration error, against scikit-learn's curve and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from everfit.ml.scoring.resampling import Design, resample
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.calibration import calibration, groups


def binary(probability, truth) -> Scored:
    p = np.asarray(probability, dtype=np.float64)
    return Scored.of("binary", np.asarray(truth, dtype=np.int64), np.column_stack([1 - p, p]))


def measured(candidate: Scored, baseline: Scored | None = None):
    resampling = resample(Design(candidate.rows, False, None, 0, "rows"), 0.95)
    scored = {"candidate": candidate}
    if baseline is not None:
        scored["baseline"] = baseline
    return calibration(scored, resampling, 0.95)


def drawn(rows: int, shift: float = 0.0, seed: int = 0) -> Scored:
    """True probabilities between 0.1 and 0.8; those said are ``shift`` larger."""
    rng = np.random.default_rng(seed)
    true = 0.1 + 0.7 * rng.random(rows)
    return binary(true + shift, rng.random(rows) < true)


def test_by_hand():
    # two groups of two rows: |(0.2 + 0.4 - 1)| and |(0.6 + 0.8 - 2)|, over four rows
    found = measured(binary([0.2, 0.4, 0.6, 0.8], [1, 0, 1, 1]))
    assert found.candidate.value == pytest.approx((0.4 + 0.6) / 4)
    assert [(b.rows, b.predicted, b.observed) for b in found.bins] == [
        (2, pytest.approx(0.3), 0.5),
        (2, pytest.approx(0.7), 1.0),
    ]


def test_as_scikit_learns_curve_has_it():
    scored = drawn(3_000, 0.07)
    came, said = calibration_curve(scored.truth, scored.probability, n_bins=10, strategy="quantile")
    found = measured(scored)
    assert [b.predicted for b in found.bins] == pytest.approx(said.tolist())
    assert [b.observed for b in found.bins] == pytest.approx(came.tolist())
    assert {b.rows for b in found.bins} == {300}
    assert found.candidate.value == pytest.approx(np.abs(came - said).mean())


def test_of_several_classes_it_is_the_one_that_was_chosen():
    scores = np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.0, 0.9], [0.2, 0.6, 0.2]])
    found = measured(Scored.of("multiclass", np.array([0, 1, 1, 0]), scores))
    # chosen with 0.5, 0.7, 0.9, 0.6; right, right, wrong, wrong; two groups by probability
    assert found.candidate.value == pytest.approx((abs(1.1 - 1) + abs(1.6 - 1)) / 4)


def test_a_known_shift_is_inside_its_interval_and_chance_alone_is_not_surely_an_error():
    found = measured(drawn(4_000, 0.1))
    assert found.candidate.low < 0.1 < found.candidate.high
    assert found.candidate.low > 0.05
    honest = [measured(drawn(1_000, seed=seed)) for seed in range(40)]
    assert sum(one.candidate.low > 0 for one in honest) <= 4  # 2.5 in 100 are expected
    values = [one.candidate.value for one in honest]
    assert np.mean(values) == pytest.approx(np.mean([one.by_chance for one in honest]), rel=0.1)


def test_equal_probabilities_are_one_group():
    found = measured(binary(np.full(600, 0.3), np.arange(600) % 2))
    assert [(b.rows, b.observed) for b in found.bins] == [(600, 0.5)]
    assert found.candidate.value == pytest.approx(0.2)


def test_the_baseline_is_measured_too():
    ours, theirs = drawn(900), drawn(900, 0.15)
    found = measured(ours, theirs)
    assert found.baseline.value == measured(theirs).candidate.value
    assert found.candidate.value < found.baseline.value
    assert measured(ours).baseline is None


def test_nothing_is_said_of_numbers_and_of_what_is_not_finite():
    truth = np.arange(200.0)
    assert measured(Scored.of("regression", truth, truth)) is None
    assert measured(binary([0.5, np.nan], [0, 1])) is None
    fine = binary([0.2, 0.6, 0.8], [0, 1, 1])
    assert measured(fine, binary([0.5, np.nan, 0.1], [0, 1, 1])).baseline is None
    assert measured(binary([], [])) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=400))
def test_groups_are_in_order_and_keep_equal_rows_together(said):
    said = np.array(said)
    found = groups(said)
    assert set(found.tolist()) == set(range(int(found.max()) + 1))
    order = np.argsort(said, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    for value in np.unique(said):
        assert np.unique(found[said == value]).size == 1
