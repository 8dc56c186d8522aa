"""Rises with planted truth: what is worse must be found, what is not must not, and by how much."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import r2_score, roc_auc_score

from everfit.contracts.spec.margins import Margin
from everfit.ml.scoring.resampling import Design
from everfit.ml.scoring.scored import Scored
from everfit.steps.monitor.decay import rises
from everfit.steps.monitor.reference_score import ReferenceScore

FIVE_PERCENT = Margin(value=0.05, relative=True)


def regression(random, rows, error=1.0):
    truth = random.normal(10, 3, rows)
    return Scored("regression", truth, truth + error * random.normal(0, 1, rows))


def losses(scored):
    return np.abs(scored.scores - scored.truth)


def reference(scored, ordered=False, **scores):
    found = losses(scored)
    return ReferenceScore({"mae": float(found.mean()), **scores}, found, ordered, True, 7)


def rows_of(scored, ordered=False, seed=7):
    return Design(scored.rows, ordered, None, seed)


def test_a_planted_rise_is_found_in_the_metrics_unit():
    random = np.random.default_rng(1)
    judged, span = regression(random, 4_000), regression(random, 4_000, error=1.5)
    (rise,), notes = rises(span, rows_of(span), reference(judged), ["mae"], labelled=0.8)
    assert notes == []
    assert rise.worse == pytest.approx(losses(span).mean() - losses(judged).mean())
    assert rise.worse == pytest.approx(0.5 * np.sqrt(2 / np.pi), abs=0.06)
    assert 0 < rise.low < rise.worse
    assert rise.beyond(FIVE_PERCENT)
    assert (rise.rows, rise.labelled, rise.estimated, rise.source) == (
        4_000,
        0.8,
        False,
        "champion",
    )
    assert "own row losses" in rise.method


def test_the_lower_bound_is_that_of_two_independent_means():
    random = np.random.default_rng(2)
    judged, span = regression(random, 3_000), regression(random, 1_000, error=1.2)
    (rise,), _ = rises(span, rows_of(span), reference(judged), ["mae"], labelled=1.0)
    ours, theirs = losses(span), losses(judged)
    error = np.sqrt(ours.var(ddof=1) / 1_000 + theirs.var(ddof=1) / 3_000)
    expected = ours.mean() - theirs.mean() - stats.norm.ppf(0.95) * error
    assert rise.low == pytest.approx(expected, abs=0.12 * error)


@pytest.mark.parametrize("ordered", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_the_same_world_seems_surely_worse_in_about_five_of_a_hundred_spans(ordered):
    random = np.random.default_rng(3)
    looks, alarms = 400, 0
    for _ in range(looks):
        judged, span = regression(random, 500), regression(random, 400)
        (rise,), _ = rises(
            span, rows_of(span, ordered), reference(judged, ordered), ["mae"], labelled=1.0
        )
        alarms += rise.low > 0
    # 0.05 ± three standard errors of 400 looks
    assert alarms / looks <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / looks)
    assert alarms > 0


@pytest.mark.thorough
def test_rows_that_resemble_their_neighbours_do_not_alarm_more_often():
    random = np.random.default_rng(4)

    def dependent(rows):
        # bursts of ten rows share most of their error
        burst = np.repeat(random.normal(0, 1, rows // 10), 10)
        error = 0.9 * burst + 0.45 * random.normal(0, 1, rows)
        truth = random.normal(10, 3, rows)
        return Scored("regression", truth, truth + error)

    def share(ordered):
        alarms = 0
        for _ in range(250):
            judged, span = dependent(2_000), dependent(2_000)
            (rise,), _ = rises(
                span, rows_of(span, ordered), reference(judged, ordered), ["mae"], labelled=1.0
            )
            alarms += rise.low > 0
        return alarms / 250

    assert share(ordered=True) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)
    assert share(ordered=False) > 0.15, "blocks make the difference, not luck"


def test_a_metric_without_row_losses_falls_when_it_is_worse():
    random = np.random.default_rng(5)
    judged, span = regression(random, 2_000), regression(random, 2_000, error=2.0)
    before = r2_score(judged.truth, judged.scores)
    found, _ = rises(span, rows_of(span), reference(judged, r2=before), ["mae", "r2"], labelled=1.0)
    assert [rise.metric for rise in found] == ["mae", "r2"]
    r2 = found[1]
    assert r2.current == pytest.approx(r2_score(span.truth, span.scores))
    assert r2.worse == pytest.approx(before - r2.current)
    assert 0 < r2.low < r2.worse
    assert "spread by the span's" in r2.method


def test_a_rank_metric_is_bootstrapped():
    random = np.random.default_rng(6)

    def binary(rows, strength):
        signal = random.normal(0, 1, rows)
        truth = (random.random(rows) < 1 / (1 + np.exp(-strength * signal))).astype(np.int64)
        probability = 1 / (1 + np.exp(-2 * signal))
        return Scored("binary", truth, np.column_stack([1 - probability, probability]))

    judged, span = binary(3_000, 2.0), binary(3_000, 0.7)
    before = roc_auc_score(judged.truth, judged.probability)
    record = ReferenceScore({"roc_auc": before}, np.ones(3_000), False, True, 7)
    (rise,), _ = rises(span, rows_of(span), record, ["roc_auc"], labelled=1.0)
    assert rise.current == pytest.approx(roc_auc_score(span.truth, span.probability))
    assert 0.02 < rise.low < rise.worse


def test_row_losses_of_another_metric_are_not_taken_for_this_one():
    random = np.random.default_rng(7)
    judged, span = regression(random, 2_000), regression(random, 2_000)
    squares = (judged.scores - judged.truth) ** 2
    record = ReferenceScore({"mae": float(losses(judged).mean())}, squares, False, True, 7)
    (rise,), _ = rises(span, rows_of(span), record, ["mae"], labelled=1.0)
    assert "spread by the span's" in rise.method


def test_the_p_value_is_that_of_a_paired_test():
    random = np.random.default_rng(10)
    truth = random.normal(10, 3, 2_000)
    noise = random.normal(0, 1, 2_000)
    ours = Scored("regression", truth, truth + noise + random.normal(0, 0.1, 2_000))
    theirs = Scored("regression", truth, truth + noise)
    found, _ = rises(ours, rows_of(ours), reference(ours), ["mae"], labelled=1.0, fresh=theirs)
    paired = stats.ttest_rel(losses(ours), losses(theirs), alternative="greater").pvalue
    assert 1e-4 < paired < 0.1
    # The bounds of small levels allow for a unit worse than any seen.
    assert paired / 2 <= found[0].attainable.p_value <= 5 * paired
    backwards, _ = rises(
        theirs, rows_of(theirs), reference(ours), ["mae"], labelled=1.0, fresh=ours
    )
    assert backwards[0].attainable.p_value == 1.0


def test_the_p_value_against_the_holdout_allows_for_its_own_uncertainty():
    random = np.random.default_rng(2)
    judged, span = regression(random, 600), regression(random, 3_000, error=1.1)
    (rise,), _ = rises(span, rows_of(span), reference(judged), ["mae"], labelled=1.0)
    expected = stats.ttest_ind(
        losses(span), losses(judged), equal_var=False, alternative="greater"
    ).pvalue
    assert expected / 2 <= rise.p_value <= 5 * expected


@pytest.mark.thorough
def test_a_small_level_is_kept_in_a_world_that_stays_the_same():
    random = np.random.default_rng(11)
    looks, alarms = 600, 0
    for _ in range(looks):
        judged, span = regression(random, 500), regression(random, 400)
        (rise,), _ = rises(span, rows_of(span), reference(judged), ["mae"], labelled=1.0)
        alarms += rise.p_value <= 0.01
    assert alarms / looks <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / looks)


def test_what_cannot_be_measured_is_said():
    random = np.random.default_rng(8)
    span = regression(random, 200)
    empty = ReferenceScore({}, None, False, True, 7)
    assert rises(span, rows_of(span), empty, ["mae"], labelled=1.0) == (
        (),
        ["mae: the champion's record holds no score to compare with"],
    )
    broken = Scored("regression", span.truth, np.where(np.arange(200) < 3, np.nan, span.scores))
    assert rises(broken, rows_of(span), reference(span), ["mae"], labelled=1.0) == (
        (),
        ["3 of 200 predictions are not finite"],
    )
    alone = Scored("binary", np.ones(200, dtype=np.int64), np.full((200, 2), 0.5))
    record = ReferenceScore({"roc_auc": 0.7}, None, False, True, 7)
    assert rises(alone, rows_of(span), record, ["roc_auc"], labelled=1.0) == (
        (),
        ["roc_auc: undefined on these 200 rows"],
    )
