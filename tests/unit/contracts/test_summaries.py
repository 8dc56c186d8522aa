from __future__ import annotations

import json
from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.steps import (
    Component,
    Ended,
    Outcome,
    find_summary,
    read_outcome,
)
from everfit.contracts.messages.summaries import (
    ExtractSummary,
    GateSummary,
    MonitorSummary,
    StepSummary,
    Summary,
)
from tests.summaries import summary

COMPONENTS = get_args(Component)


def outcome(component: str, **further) -> Outcome:
    return Outcome(
        component=component,
        result="ab" * 32,
        key="cd" * 32,
        cached=False,
        seconds=1.0,
        **{"summary": summary(component), **further},
    )


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_has_a_summary_of_its_name(component):
    found = TypeAdapter(Summary).validate_python(summary(component))
    assert isinstance(found, StepSummary)
    assert type(found).__name__.lower() == component.replace("_", "") + "summary"


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_outcome_comes_back_from_json_and_from_xcom_as_it_was(component):
    made = outcome(component)
    assert Outcome.model_validate_json(canonical_json(made)) == made
    assert read_outcome(json.loads(canonical_json(made))) == made
    assert read_outcome(made.model_dump(mode="json")) == made


def test_a_summary_is_optional():
    assert outcome("gate", summary=None).summary is None


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (summary("train"), "the summary is of train, not of gate"),
        ({"verdict": "hold"}, "Unable to extract tag"),
        (summary("gate", verdict="maybe"), "verdict"),
        (summary("gate", more=1), "Extra inputs"),
    ],
)
def test_a_summary_of_another_form_is_no_outcome(wrong, part):
    with pytest.raises(ValidationError, match=part):
        outcome("gate", summary=wrong)


def test_an_end_is_read_too_and_anything_else_is_nothing_of_ours():
    assert read_outcome({"nothing_to_do": "no"}) == Ended(nothing_to_do="no")
    assert [read_outcome(value) for value in (None, "text", {}, {"rows": 3}, [])] == [None] * 5


def test_a_summary_is_found_by_its_step():
    outcomes = [outcome("extract"), outcome("gate", summary=None), outcome("gate")]
    found = find_summary(outcomes, GateSummary)
    assert found is not None and found.verdict == "hold"
    assert find_summary(outcomes[:2], GateSummary) is None


def test_what_is_shown_is_in_words_and_numbers_without_what_is_empty():
    extract = ExtractSummary(spans=2, rows=0, bytes=9, refused=0)
    assert extract.shown() == {"spans": 2, "rows": 0, "bytes": 9, "refused": 0}
    rises = [
        {"metric": "mae", "worse": 0.5},
        {"metric": "mae", "worse": -0.25, "source": "as_served"},
    ]
    monitor = MonitorSummary.model_validate(
        summary("monitor", drifted=["miles", "zone"], rises=rises, because="it moved")
    )
    shown = monitor.shown()
    assert shown["drifted"] == "miles, zone"
    assert shown["rises"] == "mae worse by 0.5, mae worse by -0.25 (as served)"
    assert shown["because"] == "it moved"
    assert "component" not in shown
