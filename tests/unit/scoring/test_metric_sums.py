"""Scores against scikit-learn, on all rows and on rows that were drawn several times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from everfit.contracts.spec.metrics import METRICS, metrics_of
from everfit.ml.scoring.metric_sums import BINS, exact_score, metric_sums, score
from everfit.ml.scoring.resampling import Resampling
from everfit.ml.scoring.scored import Scored, row_losses


def regression(seed: int, rows: int) -> Scored:
    rng = np.random.default_rng(seed)
    truth = rng.normal(5, 2, rows)
    return Scored.of("regression", truth, np.round(truth + rng.normal(0, 1, rows), 1))


def binary(seed: int, rows: int, ties: bool = True) -> Scored:
    rng = np.random.default_rng(seed)
    p = rng.random(rows)
    truth = (rng.random(rows) < p).astype(np.int64)
    p = np.round(p, 1) if ties else p
    truth[:2] = 0, 1
    return Scored.of("binary", truth, np.column_stack([1 - p, p]))


def multiclass(seed: int, rows: int, k: int = 4) -> Scored:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), rows)
    truth = (rng.random((rows, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, k - 1)
    return Scored.of("multiclass", truth, p)


def by_scikit_learn(metric: str, scored: Scored, weight: np.ndarray | None = None) -> float:
    y, s = scored.truth, scored.scores
    if scored.task == "regression":
        found = {
            "mae": lambda: sk.mean_absolute_error(y, s, sample_weight=weight),
            "rmse": lambda: sk.root_mean_squared_error(y, s, sample_weight=weight),
            "r2": lambda: sk.r2_score(y, s, sample_weight=weight),
            "median_ae": lambda: sk.median_absolute_error(y, s, sample_weight=weight),
        }
    else:
        labels = list(range(s.shape[1]))
        chosen = s.argmax(axis=1)
        found = {
            "roc_auc": lambda: sk.roc_auc_score(y, s[:, 1], sample_weight=weight),
            "average_precision": lambda: sk.average_precision_score(
                y, s[:, 1], sample_weight=weight
            ),
            "brier": lambda: sk.brier_score_loss(y, s[:, 1], sample_weight=weight),
            "log_loss": lambda: sk.log_loss(y, s, labels=labels, sample_weight=weight),
            "accuracy": lambda: sk.accuracy_score(y, chosen, sample_weight=weight),
            "balanced_accuracy": lambda: sk.balanced_accuracy_score(
                y, chosen, sample_weight=weight
            ),
            "f1": lambda: sk.f1_score(y, chosen, sample_weight=weight, zero_division=0),
            "f1_macro": lambda: sk.f1_score(y, chosen, average="macro", sample_weight=weight),
        }
    return float(found[metric]())


CASES = [
    (metric, make)
    for make in (regression, binary, multiclass)
    for metric in metrics_of(make(0, 10).task)
]


@pytest.mark.parametrize(("metric", "make"), CASES)
def test_a_score_is_scikit_learns(metric, make):
    for seed in range(5):
        scored = make(seed, 60 + seed)
        assert exact_score(metric, scored) == pytest.approx(
            by_scikit_learn(metric, scored), rel=1e-12, abs=1e-12
        )


@pytest.mark.parametrize(("metric", "make"), CASES)
def test_a_resample_scores_as_if_its_rows_were_repeated(metric, make):
    """Counts times sums of units must equal the metric of the rows repeated so many times."""
    scored = make(3, 90)
    unit = np.arange(90) // 3
    counts = np.random.default_rng(0).integers(0, 4, size=(20, 30)).astype(float)
    resampling = Resampling(unit, 30, counts, "")
    found = {}
    for group in metric_sums(scored, resampling):
        found |= group.replicates(counts)
    for row, drawn in enumerate(counts):
        repeated = scored.part(np.repeat(np.arange(90), drawn[unit].astype(int)))
        want = by_scikit_learn(metric, repeated)
        assert found[metric][row] == pytest.approx(want, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "median_ae"])
def test_bins_hardly_disturb_a_resample(metric):
    """With more values than bins, a resample's score is off by far less than its spread."""
    rows = 40 * BINS
    scored = regression(1, rows) if metric == "median_ae" else binary(1, rows, ties=False)
    if metric == "median_ae":
        noise = np.random.default_rng(9).normal(size=rows)
        scored = Scored.of("regression", scored.truth, scored.truth + noise)
    unit = np.random.default_rng(2).integers(0, 100, rows)
    counts = np.random.default_rng(3).multinomial(100, np.full(100, 0.01), size=30).astype(float)
    exact = []
    for drawn in counts:
        repeated = scored.part(np.repeat(np.arange(rows), drawn[unit].astype(int)))
        exact.append(by_scikit_learn(metric, repeated))
    for group in metric_sums(scored, Resampling(unit, 100, counts, "")):
        if metric in group.exact:
            found = group.replicates(counts)[metric]
    assert np.abs(found - exact).max() < 0.1 * np.std(exact)


@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=2, max_size=30),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_ranks_with_any_ties(scores, data):
    truth = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    truth[0], truth[1] = True, False
    p = np.array(scores)
    scored = Scored.of("binary", np.array(truth, dtype=np.int64), np.column_stack([1 - p, p]))
    assert exact_score("roc_auc", scored) == pytest.approx(sk.roc_auc_score(truth, p))
    want = sk.average_precision_score(truth, p)
    assert exact_score("average_precision", scored) == pytest.approx(want)


def test_the_positive_class_may_be_the_first():
    scored = binary(5, 200)
    turned = Scored.of("binary", scored.truth, scored.scores, positive=0)
    truth, p = (scored.truth == 0), scored.scores[:, 0]
    assert exact_score("roc_auc", turned) == pytest.approx(sk.roc_auc_score(truth, p))
    assert exact_score("brier", turned) == pytest.approx(sk.brier_score_loss(truth, p))
    assert exact_score("f1", turned) == pytest.approx(
        sk.f1_score(scored.truth, scored.predicted_class, pos_label=0)
    )


def test_what_is_undefined_is_nan():
    one_class = Scored.of("binary", np.ones(5, dtype=np.int64), np.full((5, 2), 0.5))
    assert np.isnan(exact_score("roc_auc", one_class))
    assert np.isfinite(exact_score("log_loss", one_class))
    constant = Scored.of("regression", np.ones(5), np.zeros(5))
    assert np.isnan(exact_score("r2", constant))
    assert exact_score("mae", constant) == 1.0


def test_a_certain_and_wrong_answer_has_a_finite_log_loss():
    scored = Scored.of("binary", np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert exact_score("log_loss", scored) == pytest.approx(sk.log_loss([1, 0], [0.0, 0.0]))


def test_rows_of_a_class_nobody_knows_are_wrong():
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    scored = Scored.of("multiclass", np.array([0, 1, -1]), scores)
    assert exact_score("accuracy", scored) == pytest.approx(2 / 3)
    assert row_losses("log_loss", scored)[2] == pytest.approx(36.04, abs=0.01)
    assert exact_score("balanced_accuracy", scored) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "name", [name for name, metric in METRICS.items() if metric.mean_of_losses]
)
def test_a_row_loss_metric_is_the_mean_of_its_row_losses(name):
    make = {"regression": regression, "binary": binary, "multiclass": multiclass}
    for task in METRICS[name].tasks:
        scored = make[task](4, 80)
        mean = row_losses(name, scored).mean()
        want = by_scikit_learn(name, scored)
        assert (1 - mean if name == "accuracy" else mean) == pytest.approx(want)


def test_no_rows_and_strange_answers_have_no_score():
    assert np.isnan(exact_score("mae", Scored.of("regression", np.zeros(0), np.zeros(0))))
    strange = Scored.of("binary", np.array([0, 1]), np.array([[np.nan, np.nan], [0.1, 0.9]]))
    assert strange.not_finite == 1
    assert np.isnan(exact_score("accuracy", strange))


def parts_of(metric: str, scored: Scored, unit: np.ndarray) -> np.ndarray:
    units = int(unit.max()) + 1
    for group in metric_sums(scored, Resampling(unit, units, np.ones((1, units)), "")):
        if metric in group.exact:
            return group.parts(metric)
    raise KeyError(metric)


@pytest.mark.parametrize(("metric", "make"), [case for case in CASES if case[0] != "median_ae"])
def test_parts_are_the_jackknifes(metric, make):
    """Units of unequal size: leave each out, score the others by scikit-learn."""
    scored = make(6, 120)
    unit = np.minimum((np.arange(120) / 120) ** 1.5 * 20, 19).astype(np.int64)
    whole = by_scikit_learn(metric, scored)
    left_out = [by_scikit_learn(metric, scored.part(unit != u)) for u in range(20)]
    want = 19 * (whole - np.array(left_out))
    assert parts_of(metric, scored, unit) == pytest.approx(want, rel=1e-7, abs=1e-9)


def test_parts_of_a_mean_are_the_units_own_means():
    scored = regression(7, 100)
    unit = np.arange(100) // 5
    error = np.abs(scored.scores - scored.truth)
    want = error.reshape(20, 5).mean(axis=1) - error.mean()
    assert parts_of("mae", scored, unit) == pytest.approx(want)


def test_parts_of_a_median_have_its_variance():
    """Exponential errors: the median's density is 1/2, so its variance is 1 / n (n = rows)."""
    rng = np.random.default_rng(8)
    variances = []
    for _ in range(200):
        scored = Scored.of("regression", np.zeros(400), rng.exponential(size=400))
        parts = parts_of("median_ae", scored, np.arange(400))
        variances.append(parts.var(ddof=1) / 400)
    assert np.mean(variances) == pytest.approx(1 / 400, rel=0.15)


def test_a_part_without_which_nothing_is_defined_is_nan():
    truth = np.zeros(50, dtype=np.int64)
    truth[7] = 1
    p = np.linspace(0.1, 0.9, 50)
    scored = Scored.of("binary", truth, np.column_stack([1 - p, p]))
    parts = parts_of("roc_auc", scored, np.arange(50))
    assert np.isnan(parts[7])
    assert np.isfinite(np.delete(parts, 7)).all()


def test_scores_match_hand_counts():
    truth, guess = np.array([1.0, 2, 3, 10]), np.array([1.0, 3, 3, 6])
    # Errors 0, 1, 0, 4; squares 0, 1, 0, 16; squares about the mean of 4: 9 + 4 + 1 + 36.
    assert score("mae", truth, guess) == pytest.approx(1.25)
    assert score("rmse", truth, guess) == pytest.approx(np.sqrt(17 / 4))
    assert score("median_ae", truth, guess) == pytest.approx(0.5)
    assert score("r2", truth, guess) == pytest.approx(1 - 17 / 50)
    classes = np.array([0, 1, 1, 0])
    chances = np.array([0.1, 0.8, 0.4, 0.3])
    both = np.column_stack([1 - chances, chances])
    assert score("brier", classes, both) == pytest.approx((0.01 + 0.04 + 0.36 + 0.09) / 4)
    assert score("log_loss", classes, both) == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.7]).mean())
    assert score("roc_auc", classes, both) == 1.0
    assert score("accuracy", classes, both) == 0.75
    assert score("balanced_accuracy", classes, both) == 0.75
    assert score("f1", classes, both) == pytest.approx(2 / 3)
    # With class 0 positive: hits 0 and 3 are guessed, as is row 2: precision 2/3, recall 1.
    assert score("f1", classes, both, positive=0) == pytest.approx(0.8)
    assert score("f1_macro", classes, both) == pytest.approx((2 / 3 + 0.8) / 2)
    assert score("average_precision", classes, both) == pytest.approx(1.0)
    assert np.isnan(score("roc_auc", np.ones(4), both))


def test_every_metric_of_the_contracts_is_scored():
    for name, metric in METRICS.items():
        for task in metric.tasks:
            k = {"binary": 2, "multiclass": 3}.get(task, 0)
            truth = np.arange(6) % k if k else np.arange(6.0)
            scores = np.full((6, k), 1 / k) if k else np.ones(6)
            assert np.isfinite(score(name, truth, scores)), name
