"""Real tables reach a registered champion with the specs users would write."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.contracts.messages.requests import EvaluateResult, RegisterResult
from everfit.contracts.spec.load import load_spec
from everfit.engine.pipeline import run_pipeline

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("spec", "metric", "at_least", "at_most"),
    [
        # A median-fare dummy errs by about 6 dollars; a metered fare is nearly determined by
        # distance and time.
        pytest.param(
            REPOSITORY / "dags/pipelines/taxi_fare.yaml",
            *("mae", 0.05, 2.0),
            marks=pytest.mark.thorough,  # the demo and the live tests train it too
        ),
        # FACTS of the table: published solutions reach an AUC around 0.95.
        (REPOSITORY / "tests/specs/chicago_tips.yaml", "roc_auc", 0.9, 1.0),
        (REPOSITORY / "tests/specs/penguins.yaml", "accuracy", 0.95, 1.0),
    ],
)
def test_a_real_table_gets_a_champion(real_world, spec, metric, at_least, at_most) -> None:
    outcomes = run_pipeline(load_spec(spec), real_world.context)
    by_name = {o.component: o for o in outcomes}
    store = real_world.context.store
    evaluated = EvaluateResult.model_validate_json(store.get(by_name["evaluate"].result))
    score = evaluated.scores["candidate"][metric]
    assert at_least <= score.value <= at_most
    assert score.low <= score.value <= score.high
    registered = RegisterResult.model_validate_json(store.get(by_name["register"].result))
    assert registered.champion == registered.version == 1
