"""Which columns a spec names, and which of them a table lacks."""

from __future__ import annotations

from everfit.contracts.spec.named_columns import missing_columns, named_columns
from everfit.contracts.spec.pipeline import PipelineSpec

SPEC = PipelineSpec.model_validate(
    {
        "name": "trips",
        "task": "regression",
        "target": "fare",
        "time": "when",
        "source": {"uri": "{data}/*.csv"},
        "features": {"drop": ["company"]},
        "slices": [{"name": "far", "where": "miles > 7"}],
        "gate": {
            "superior_by": "1%",
            "baseline": "mean",
            "fairness": [
                {"by": "company", "metric": "mae", "max_gap": 1},
                {"by": "zone", "metric": "mean_error", "max_gap": 1},
            ],
        },
    }
)


def test_each_column_comes_with_the_field_that_names_it():
    named = set(named_columns(SPEC))
    assert {("slices.far", "miles"), ("gate.fairness.0.by", "company")} <= named
    assert ("features.drop", "company") in named


def test_a_column_of_groups_that_is_not_there_is_a_problem():
    problems = missing_columns(SPEC, ["fare", "when", "company", "miles", "zones"], "2026-01")
    assert problems == [
        "gate.fairness.1.by: column 'zone' is not in 2026-01; did you mean 'zones'?"
    ]
