"""The unit of a target: shown with its numbers, and part of no key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from everfit.contracts.base import digest_of
from everfit.contracts.spec.metrics import METRICS, metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.fingerprints import spec_digest
from everfit.ml.monitoring_key import evaluation_key
from tests.world import QUICK


def spec(unit: str | None = None, **others: object) -> PipelineSpec:
    target = {"name": "cost"} if unit is None else {"name": "cost", "unit": unit}
    return PipelineSpec.model_validate({**QUICK, "name": "quick", **others, "target": target})


@given(st.sampled_from(["$", "€", "min", "kWh", "°C", "per cent"]))
def test_a_unit_trains_nothing_anew_and_measures_nothing_anew(unit: str) -> None:
    assert spec_digest(spec(unit)) == spec_digest(spec())
    assert evaluation_key(spec(unit), True) == evaluation_key(spec(), True)


def test_a_target_by_another_name_is_another_run() -> None:
    other = spec().model_copy(update={"target": spec().target.model_copy(update={"name": "fare"})})
    assert spec_digest(other) != spec_digest(spec())


def test_without_a_unit_a_spec_is_written_as_if_there_were_no_such_field() -> None:
    assert "unit" not in spec().model_dump(mode="json")["target"]
    assert spec("$").model_dump(mode="json")["target"]["unit"] == "$"
    assert digest_of(spec("$").model_dump(mode="json")) != digest_of(spec().model_dump(mode="json"))


@pytest.mark.parametrize("unit", ["", " ", "1", "min ", " min", "1/s", "x" * 13])
def test_a_unit_is_a_short_word_or_a_sign(unit: str) -> None:
    with pytest.raises(ValidationError, match=r"target\.unit"):
        spec(unit)


def test_classes_have_no_unit() -> None:
    with pytest.raises(ValidationError, match="the target of a binary has none"):
        spec("$", task="binary", gate={"superior_by": 0, "baseline": "prior"})


def test_errors_are_in_the_unit_of_the_target_and_shares_are_not() -> None:
    """By the definitions of the metrics: a mean of distances is a distance."""
    assert {name for name in METRICS if metric_unit(name, "min")} == {"mae", "rmse", "median_ae"}
    assert metric_unit("mean_error", "$") == "$"
    assert metric_unit("selection_rate", "$") is None
    assert metric_unit("mae", None) is None
