"""The spec's ``weight``: a column or an expression, and nothing of the spec without it."""

from __future__ import annotations

import pytest

from everfit.contracts.spec.named_columns import named_columns
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.fingerprints import spec_digest
from everfit.ml.monitoring_key import evaluation_key


def spec(**fields):
    return PipelineSpec.model_validate(
        {
            "name": "p",
            "task": "regression",
            "target": "y",
            "source": {"uri": "{data}/p/*.csv"},
            "gate": {"superior_by": "1%", "baseline": "median"},
            **fields,
        }
    )


def test_without_a_weight_the_spec_is_as_if_there_were_none():
    assert "weight" not in spec().model_dump(mode="json")
    assert spec_digest(spec(weight=None)) == spec_digest(spec())


def test_a_weight_is_part_of_the_run_and_of_what_is_monitored():
    assert spec_digest(spec(weight="w")) != spec_digest(spec())
    assert evaluation_key(spec(weight="w"), True) != evaluation_key(spec(), True)


def test_its_columns_are_named_and_a_column_of_weights_is_hidden():
    assert ("weight", "w") in set(named_columns(spec(weight="w * v")))
    assert spec(weight="w").hidden_columns == {"y", "w"}
    assert spec(weight="w", features={"keep": ["w"]}).hidden_columns == {"y"}
    assert spec(weight="w * 2").hidden_columns == {"y"}


@pytest.mark.parametrize(
    ("weight", "why"),
    [
        ("my weight", r'col\("its name"\)'),
        ("3", "reads no column"),
        ("w.sum()", "calls what is none of"),
    ],
)
def test_what_is_no_weight_is_refused(weight, why):
    with pytest.raises(ValueError, match=why):
        spec(weight=weight)


def test_a_derived_column_may_not_read_a_hidden_weight():
    with pytest.raises(ValueError, match=r"features.derive.z reads 'w', which is hidden"):
        spec(weight="w", features={"derive": {"z": "w + x"}})
