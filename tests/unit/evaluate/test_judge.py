"""Choosing the candidate, slices, and what depends on whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline_components.contracts.gate_spec import SliceSpec
from pipeline_components.contracts.requests import TrainResult
from pipeline_components.evaluate.judge import best
from pipeline_components.evaluate.slices import slice_scores
from pipeline_components.scoring.metric_sums import exact_score
from pipeline_components.scoring.resampling import Design, entity_codes, time_blocks
from pipeline_components.scoring.scored import Scored

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": np.arange(900.0), "kind": np.repeat(["a", "b", "c"], 300)})
TRUTH = RNG.normal(size=900)
CANDIDATE = Scored.of("regression", TRUTH, TRUTH + RNG.normal(size=900))
BASELINE = Scored.of("regression", TRUTH, np.zeros(900))
DESIGN = Design(900, ordered=True, entity=None, seed=0, kind="time blocks")


def trained(family: str, score: float) -> TrainResult:
    model = {"name": "m", "digest": "0" * 64, "size": 1}
    return TrainResult(
        family=family, model=model, params={}, cv_score=score, trials=(), trusted=(), rows=1
    )


def test_the_candidate_has_the_best_score_in_the_metrics_direction():
    models = (trained("a", 0.7), trained("b", 0.9), trained("c", 0.8))
    assert best(models, "roc_auc").family == "b"
    assert best(models, "log_loss").family == "a"


def test_the_first_family_wins_a_tie():
    assert best((trained("b", 0.5), trained("a", 0.5)), "mae").family == "b"
    assert best((trained("b", 0.5), trained("a", 0.5)), "r2").family == "b"


def test_an_entity_is_all_of_its_columns():
    frame = pd.DataFrame({"a": [1, 1, 2, 1], "b": ["x", "y", "x", "x"]})
    assert entity_codes(frame, ()) is None
    found = entity_codes(frame, ("a", "b"))
    assert found[0] == found[3]
    assert len({found[0], found[1], found[2]}) == 3


def test_a_row_without_any_entity_is_nobodys():
    frame = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": ["x", None, "y"]})
    assert (entity_codes(frame, ("a", "b")) < 0).tolist() == [False, True, False]


def slices(*specs: SliceSpec, candidate=CANDIDATE, metric="mae"):
    return slice_scores(
        specs, FRAME, {"candidate": candidate, "baseline": BASELINE}, metric=metric,
        design=DESIGN, confidence=0.95,
    )  # fmt: skip


def test_a_slice_is_scored_on_its_rows_alone():
    (found,), bad = slices(SliceSpec(name="late", where="kind == 'c' and x >= 650"))
    mask = (FRAME["x"] >= 650).to_numpy()
    assert found.rows == 250
    assert found.candidate.value == pytest.approx(exact_score("mae", CANDIDATE.part(mask)))
    assert found.baseline.value == pytest.approx(np.abs(TRUTH[mask]).mean())
    assert found.candidate.low < found.candidate.value < found.candidate.high
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
    assert (few.rows, few.candidate, few.baseline) == (100, None, None)
    assert (none.rows, none.candidate) == (0, None)
    assert bad == []


def test_missing_values_are_in_no_slice():
    frame = FRAME.assign(x=FRAME["x"].where(FRAME["x"] < 450))
    (found,), _ = slice_scores(
        [SliceSpec(name="known", where="not (x > 400)")], frame,
        {"candidate": CANDIDATE}, metric="mae", design=DESIGN, confidence=0.95,
    )  # fmt: skip
    assert found.rows == 401
    assert found.candidate is not None
    assert found.baseline is None


def test_undefined_on_the_rows_is_nobodys_fault_but_infinite_is():
    binary = Scored.of("binary", (TRUTH > 0) & (FRAME["x"] >= 300), np.full((900, 2), 0.5))
    binary = Scored.of("binary", binary.truth.to_numpy().astype(np.int64), binary.scores)
    (found,), bad = slice_scores(
        [SliceSpec(name="one_class", where="x < 300")], FRAME,
        {"candidate": binary}, metric="roc_auc", design=DESIGN, confidence=0.95,
    )  # fmt: skip
    assert (found.candidate, bad) == (None, [])
    huge = Scored.of("regression", TRUTH, TRUTH + 1e200)
    (found,), bad = slices(SliceSpec(name="all", where="x >= 0"), candidate=huge, metric="rmse")
    assert found.candidate is None
    assert bad == ["candidate.rmse on slice all"]
