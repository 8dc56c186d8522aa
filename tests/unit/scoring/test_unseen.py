"""The worst that a row may do to a gain: by hand, and in worlds whose holdouts show no bad row."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import METRICS, metrics_of
from everfit.ml.scoring.metric_sums import exact_score, with_one_more
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.unseen import EVENTS, known_rows, of_row_loss, worst_gains, worst_of

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import gate_evaluations
import gate_rare
import gate_search

NONE = Margin(value=0.0)


def classes(truth, probability) -> Scored:
    one = np.asarray(probability, dtype=np.float64)
    return Scored("binary", np.asarray(truth), np.column_stack([1 - one, one]))


def models(task: str, rows: int = 60) -> tuple[Scored, Scored]:
    rng = np.random.default_rng(0)
    if task == "regression":
        truth = rng.normal(size=rows)
        return tuple(Scored(task, truth, truth + rng.normal(size=rows)) for _ in range(2))
    k = 2 if task == "binary" else 4
    truth = rng.integers(k, size=rows)
    return tuple(Scored(task, truth, rng.dirichlet(np.ones(k), rows)) for _ in range(2))


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_one_more_row_moves_a_score_as_it_does_when_it_is_there(task):
    scored, others = models(task)
    for metric in metrics_of(task):
        moved = with_one_more(metric, scored, others)
        if moved is None:
            assert metric in ("roc_auc", "average_precision", "median_ae")
            continue
        for row in (0, 17):
            longer = scored.joined_by(others.truth[[row]], others.scores[[row]])
            change = exact_score(metric, longer) - exact_score(metric, scored)
            assert moved[row] == pytest.approx(change * (scored.rows + 1), rel=1e-9, abs=1e-12)


def test_of_a_number_the_worst_is_that_the_champion_is_right():
    truth = np.zeros(4)
    candidate = Scored("regression", truth, np.array([0.0, 1.0, 0.0, 30.0]))
    champion = Scored("regression", truth, np.array([0.0, 1.0, 2.0, 0.0]))
    worst = worst_gains("mae", (candidate, champion), (candidate, champion), "superior_by", NONE)
    gains = np.array([0.0, 0.0, -2.0, -30.0])
    means = np.array([31 / 4, 3 / 4])
    assert worst == pytest.approx(gains + means[0] - means[1])


def test_of_classes_the_worst_is_the_class_that_the_candidate_is_surest_to_rule_out():
    """No row went wrong; had one, 1 in 1,000 against the champion's 1 in 10 would cost ln 100."""
    candidate, champion = classes([0, 0, 0], [0.001, 0.1, 0.2]), classes([0, 0, 0], [0.1, 0.1, 0.2])
    pair = (candidate, champion)
    worst = worst_gains("log_loss", pair, pair, "superior_by", NONE)
    gain = exact_score("log_loss", champion) - exact_score("log_loss", candidate)
    assert gain > 0
    assert worst == pytest.approx([-np.log(100) - gain, -gain, -gain])


def test_of_several_classes_the_rare_one_counts_though_no_row_is_of_it():
    truth = np.zeros(5, dtype=np.int64)
    sure = Scored("multiclass", truth, np.tile([0.9989, 0.1, 0.0001], (5, 1)))
    wise = Scored("multiclass", truth, np.tile([0.89, 0.1, 0.01], (5, 1)))
    worst = worst_gains("log_loss", (sure, wise), (sure, wise), "superior_by", NONE)
    assert worst == pytest.approx(-np.log(100) - np.log(0.9989 / 0.89))


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision"])
def test_a_matter_of_ranks_has_no_worst_row(metric):
    pair = models("binary")
    assert worst_gains(metric, pair, pair, "superior_by", NONE) is None


def test_a_margin_in_per_cent_is_reckoned_with():
    """Five per cent of a champion's loss of 4 more: the row leaves it a margin of 0.2 less."""
    truth = np.zeros(2)
    candidate = Scored("regression", truth, np.array([0.0, 3.0]))
    champion = Scored("regression", truth, np.array([0.0, 4.0]))
    pair = (candidate, champion)
    plain = worst_gains("mae", pair, pair, "superior_by", NONE)
    share = worst_gains("mae", pair, pair, "superior_by", Margin(value=0.05, relative=True))
    moved = np.array([0.0, 0.0]) - 2.0  # the champion is right: a loss of 0 less its mean
    assert share == pytest.approx(plain - 0.05 * moved)


def test_the_holdout_alone_leaves_all_to_the_worst():
    gains = np.array([-1.0, 0.0, -9.0, 2.0])
    assert worst_of(gains, 4) == -9.0


def test_what_is_rare_among_many_known_rows_is_rare_in_the_holdout():
    one = np.zeros(20_000)
    one[3] = -100.0
    limit = scipy.stats.gamma.ppf(0.999, 2)
    assert worst_of(one, 1_000) * EVENTS == pytest.approx(-100 * limit / 20, rel=1e-6)
    one[4:] = -100.0
    assert worst_of(one, 1_000) == pytest.approx(-100.0)
    assert worst_of(np.ones((3, 50)), 10).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "law, rows, a_year",
    [
        (gate_rare.surprises(0.005, 6.0), 300, 11),
        (gate_rare.surprises(0.005, 6.0), 1_000, 0.25),
        (gate_rare.surprises(0.01, 4.6), 300, 2.5),
        (gate_rare.bad_rows(0.01, 15.0), 300, 2.0),
        (gate_rare.squared_bad_rows(0.005, 30.0), 1_000, 0.25),
    ],
    ids=["surprises", "surprises, 1,000 rows", "a class of 1 %", "15 sd off", "30 sd off, squared"],
)
def test_rare_bad_rows_keep_the_budget_and_the_holdout_alone_does_not(law, rows, a_year):
    """Half of what is measured over many years is the least that must be seen to fail here."""
    world = gate_rare.RareWorld("", *law, rows)
    evaluations = 4_000
    found = gate_rare.level(world, evaluations, seed=3)
    weeks = gate_evaluations.WEEKS
    assert found.gate * evaluations <= scipy.stats.poisson.ppf(0.999, 0.05 * evaluations / weeks)
    assert found.alone * evaluations > scipy.stats.poisson.ppf(
        0.01, a_year * evaluations / weeks / 2
    )


def test_worlds_that_nobody_thought_of_keep_the_budget():
    """Drawn at random, with ten bad rows or more expected among those known; none is let off."""
    rng = np.random.default_rng(11)
    evaluations = 1_000
    allowed = 0.05 * evaluations / gate_evaluations.WEEKS
    found = {}
    for _ in range(8):
        world = gate_rare.drawn_world(rng)
        found[world.name] = gate_rare.level(world, evaluations, seed=2).gate * evaluations
    assert max(found.values()) <= scipy.stats.poisson.ppf(0.9999, allowed), found
    assert sum(found.values()) <= scipy.stats.poisson.ppf(0.999, 8 * allowed), found


@pytest.mark.parametrize(
    "world, a_year",
    [
        (gate_rare.RareWorld("", *gate_rare.bad_rows(0.002, 100.0), 300), 2.5),
        (gate_search.Searched("mae", 140, 3, 0.0086, 42.4, "off by a law", "normal", 0.06), 1.8),
    ],
    ids=["none among those known", "few among those known"],
)
def test_where_too_few_bad_rows_are_known_the_gate_holds_and_the_bound_alone_does_not(
    world, a_year
):
    evaluations = 3_000
    level = gate_rare.level if isinstance(world, gate_rare.RareWorld) else gate_search.rates
    found = level(world, evaluations, 3)
    weeks = gate_evaluations.WEEKS
    assert found.gate * evaluations <= scipy.stats.poisson.ppf(0.999, 0.05 * evaluations / weeks)
    assert found.bound * evaluations > scipy.stats.poisson.ppf(
        0.01, a_year * evaluations / weeks / 2
    )


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2", "log_loss"])
def test_a_row_that_loses_the_mean_loss_more_moves_a_score_as_counted(metric):
    """By the definition: the mean row once more, but for its loss, which is doubled."""
    if metric == "log_loss":
        (scored, _) = models("binary", 4_000)
        known = exact_score(metric, scored)
        assert of_row_loss(metric, scored) == pytest.approx(known, rel=1e-6)
        return
    (scored, _) = models("regression", 4_000)
    error = scored.prediction - scored.truth
    slopes = {
        "mae": np.abs(error).mean(),
        "rmse": np.sqrt((error**2).mean()) / 2,
        "r2": (error**2).mean() / scored.truth.var(),
    }
    assert of_row_loss(metric, scored) == pytest.approx(slopes[metric], rel=1e-6)


def test_metrics_that_one_row_moves_little_are_not_counted():
    scored, _ = models("binary")
    limited = ("roc_auc", "average_precision", "brier", "accuracy", "f1", "balanced_accuracy")
    assert [of_row_loss(metric, scored) for metric in limited] == [None] * len(limited)
    assert of_row_loss("median_ae", models("regression")[0]) is None


def test_rows_that_carry_the_losses_are_counted_as_kish_counts_weights():
    """Ten rows of 100 beside a thousand of 1: the ten carry the squares."""
    gains = np.concatenate([np.full(10, -100.0), np.full(1_000, -1.0), np.full(50, 3.0)])
    found = known_rows(gains, 1.0)
    squares = 10 * 100.0**2 + 1_000
    assert found.events == pytest.approx(squares**2 / (10 * 100.0**4 + 1_000))
    assert (found.rows, found.worst, found.row_loss) == (1_060, -100.0, 1.0)
    assert known_rows(np.ones(40), 1.0).events == 40


def test_the_simulation_reckons_as_evaluate_does():
    """The worst rows of a drawn holdout, by its formula and by evaluate's functions."""
    rng = np.random.default_rng(5)
    truth, ours, theirs = rng.normal(size=(3, 400))
    candidate, champion = Scored("regression", truth, ours), Scored("regression", truth, theirs)
    pair = (candidate, champion)
    gains = np.abs(theirs - truth) - np.abs(ours - truth)
    worst = worst_gains("mae", pair, pair, "superior_by", NONE)
    assert METRICS["mae"].sign == -1
    assert worst == pytest.approx(np.minimum(gains, -np.abs(ours - theirs)) - gains.mean())
