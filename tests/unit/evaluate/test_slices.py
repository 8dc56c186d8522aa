"""Slices: the paired gain on their rows alone, what is allowed, and how sure one can be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score

from everfit.contracts.spec.gate import SliceSpec
from everfit.contracts.spec.margins import Margin
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.resampling import Design, time_blocks
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.slices import SliceRules, slice_scores

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": np.arange(900.0), "kind": np.repeat(["a", "b", "c"], 300)})
TRUTH = RNG.normal(size=900)
CANDIDATE = Scored.of("regression", TRUTH, TRUTH + RNG.normal(size=900))
BASELINE = Scored.of("regression", TRUTH, np.zeros(900))
TIME = Design(900, ordered=True, entity=None, seed=0, kind="time blocks")
ROWS = Design(900, ordered=False, entity=None, seed=0, kind="rows")
EVERY = SliceSpec(name="every", where="x >= 0")
HALF = SliceSpec(name="half", where="x < 450")
"""Few enough rows that each is a unit of its own."""


def slices(
    *specs: SliceSpec,
    candidate=CANDIDATE,
    baseline=BASELINE,
    metric="mae",
    design=TIME,
    allowed=None,
    frame=FRAME,
):
    scored = {"candidate": candidate, "baseline": baseline}
    return slice_scores(
        specs,
        frame,
        {who: given for who, given in scored.items() if given is not None},
        SliceRules(metric, design, 0.95, allowed or Margin(value=0.01, relative=True)),
    )


def test_a_slice_is_scored_on_its_rows_alone():
    (found,), bad = slices(SliceSpec(name="late", where="kind == 'c' and x >= 650"))
    mask = (FRAME["x"] >= 650).to_numpy()
    assert (found.rows, found.kind, found.why) == (250, "declared", "")
    assert found.where == "kind == 'c' and x >= 650"
    assert found.candidate.value == pytest.approx(exact_score("mae", CANDIDATE.part(mask)))
    assert found.baseline.value == pytest.approx(np.abs(TRUTH[mask]).mean())
    assert found.candidate.low < found.candidate.value < found.candidate.high
    assert found.gain.value == pytest.approx(found.baseline.value - found.candidate.value)
    assert found.gain.low < found.gain.value < found.gain.high
    assert found.allowed == pytest.approx(0.01 * found.baseline.value)
    assert bad == []


def test_a_slice_that_lies_in_one_block_has_blocks_of_its_own():
    assert np.unique(time_blocks(900)[:20]).size == 1
    (found,), _ = slices(SliceSpec(name="early", where="x < 20", min_rows=20))
    assert found.candidate.high > found.candidate.low
    assert "20 time blocks" in found.candidate.method


def test_too_few_rows_are_not_assessed():
    (few, none), bad = slices(
        SliceSpec(name="few", where="x < 100"),
        SliceSpec(name="none", where="kind == 'absent'", min_rows=1),
    )
    assert (few.rows, few.candidate, few.baseline, few.p_value) == (100, None, None, None)
    assert few.why == "100 rows are too few, 200 are needed"
    assert (none.rows, none.candidate) == (0, None)
    assert bad == []


def test_too_few_entities_are_not_assessed():
    design = Design(900, ordered=False, entity=np.arange(900) // 150, seed=0, kind="entities")
    (found,), _ = slices(EVERY, design=design)
    assert found.p_value is None
    assert found.why == "its 900 rows are only 6 independent entities, 10 are needed"


def test_missing_values_are_in_no_slice():
    frame = FRAME.assign(x=FRAME["x"].where(FRAME["x"] < 450))
    (found,), _ = slices(SliceSpec(name="known", where="not (x > 400)"), frame=frame, baseline=None)
    assert found.rows == 401
    assert found.candidate is not None
    assert found.baseline is None
    assert found.why == "the baseline could not be scored"


def test_undefined_on_the_rows_is_nobodys_fault_but_infinite_is():
    truth = ((TRUTH > 0) & (FRAME["x"] >= 300)).to_numpy().astype(np.int64)
    binary = Scored.of("binary", truth, np.full((900, 2), 0.5))
    (found,), bad = slices(
        SliceSpec(name="one_class", where="x < 300"),
        metric="roc_auc",
        candidate=binary,
        baseline=binary,
    )
    assert (found.candidate, found.p_value, bad) == (None, None, [])
    assert found.why == "ROC AUC is undefined on these rows"
    huge = Scored.of("regression", TRUTH, TRUTH + 1e200)
    (found,), bad = slices(EVERY, candidate=huge, metric="rmse")
    assert found.candidate is None
    assert bad == ["candidate.rmse on slice every"]


def worse(by: float, seed: int = 3) -> tuple[Scored, Scored]:
    """Two models whose errors differ by about ``by``."""
    rng = np.random.default_rng(seed)
    error = 1 + rng.random(900)
    return (
        Scored.of("regression", TRUTH, TRUTH + error + by + 0.3 * rng.normal(size=900)),
        Scored.of("regression", TRUTH, TRUTH + error),
    )


def assert_students(p_value: float, values: np.ndarray) -> None:
    """As Student's test on the rows says, or up to three tenths of a standard error less sure."""
    theirs = scipy.stats.ttest_1samp(values, 0, alternative="less").pvalue
    less_sure = scipy.stats.norm.ppf(p_value) - scipy.stats.norm.ppf(theirs)
    assert 0 < less_sure < 0.3
    assert p_value < 0.2


@pytest.mark.parametrize("by", [0.02, 0.04])
def test_the_p_value_is_students_or_a_little_more_careful(by):
    candidate, baseline = worse(by)
    (found,), _ = slices(
        HALF, candidate=candidate, baseline=baseline, design=ROWS, allowed=Margin(value=0.01)
    )
    before, after = (np.abs(m.scores - m.truth)[:450] for m in (baseline, candidate))
    assert found.allowed == 0.01
    assert_students(found.p_value, before - after + 0.01)


def test_a_share_of_an_uncertain_score_is_tested_with_its_uncertainty():
    candidate, baseline = worse(0.14)
    (found,), _ = slices(
        HALF,
        candidate=candidate,
        baseline=baseline,
        design=ROWS,
        allowed=Margin(value=0.08, relative=True),
    )
    before, after = (np.abs(m.scores - m.truth)[:450] for m in (baseline, candidate))
    assert_students(found.p_value, 1.08 * before - after)


def test_better_or_within_what_is_allowed_is_no_sign_of_worse():
    better, baseline = worse(-0.2)
    (found,), _ = slices(EVERY, candidate=better, baseline=baseline)
    assert (found.gain.value > 0, found.p_value) == (True, 1.0)
    same = slices(EVERY, candidate=baseline, baseline=baseline, allowed=Margin(value=0.0))[0][0]
    assert (same.gain.value, same.allowed, same.p_value) == (0.0, 0.0, 1.0)


def test_a_metric_that_is_no_mean():
    rng = np.random.default_rng(1)
    z = rng.normal(size=900)
    truth = (rng.random(900) < 1 / (1 + np.exp(-2 * z))).astype(np.int64)
    answers = [1 / (1 + np.exp(-z)), rng.random(900)]
    good, poor = (Scored.of("binary", truth, np.column_stack([1 - p, p])) for p in answers)
    (found,), _ = slices(HALF, candidate=poor, baseline=good, metric="roc_auc")
    theirs = [roc_auc_score(truth[:450], p[:450]) for p in answers]
    assert found.gain.value == pytest.approx(theirs[1] - theirs[0])
    assert found.p_value < 0.001
    (found,), _ = slices(HALF, candidate=good, baseline=poor, metric="roc_auc")
    assert found.p_value == 1.0
