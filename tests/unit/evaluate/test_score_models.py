"""Choosing the candidate, and what depends on whom."""

from __future__ import annotations

import numpy as np
import pandas as pd

from everfit.contracts.messages.training import TrainResult
from everfit.ml.scoring.resampling import entity_codes
from everfit.steps.evaluate.score_models import best


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
