"""The ``score`` block of a spec, and what it changes: nothing of a run."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.steps import Order
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.fingerprints import spec_digest
from everfit.steps.score.request import request_of


def spec(score: object = None, **more: object) -> PipelineSpec:
    fields = {
        "name": "made",
        "task": "regression",
        "target": "y",
        "source": {"uri": "{data}/t/*.csv"},
        "gate": {"superior_by": "1%", "baseline": "median"},
        **({"score": score} if score else {}),
    }
    return PipelineSpec.model_validate({**fields, **more})


def test_a_run_is_the_same_with_it_and_an_order_without_it_has_no_such_field() -> None:
    assert spec_digest(spec({"output": "out"})) == spec_digest(spec())
    order = json.loads(canonical_json(Order(component="plan", pipeline=spec())))
    assert "score" not in order["pipeline"]
    assert "scoring" not in order


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({}, "output"),
        ({"output": "postgresql://u:s3cret@h/d"}, "an address holds no credentials"),
        ({"output": "o", "version": "newest"}, "score.version"),
        ({"output": "o", "spans": 0}, "score.spans"),
        ({"output": "o", "on": ["new_spans"]}, "add triggers"),
        ({"output": "o", "on": ["new_spans"], "input": "i"}, "of the pipeline's own source"),
        ({"output": "o", "schedule": "monday"}, "score.schedule"),
    ],
)
def test_a_block_that_cannot_be_is_refused(block, told) -> None:
    with pytest.raises(ValidationError) as raised:
        spec({"on": (), **block})
    assert told in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_what_is_asked_comes_before_the_spec_and_paths_begin_at_the_root(tmp_path) -> None:
    made = spec({"output": "out", "input": "sql:a:t", "version": "7", "spans": 2})
    request = request_of(made, tmp_path)
    assert request.output == (tmp_path / "out").as_posix()
    assert (request.input, request.version, request.spans) == ("sql:a:t", "7", 2)
    request = request_of(made, tmp_path, input="/new", output="{data}/x", as_of="span", spans="all")
    assert (request.input, request.output, request.spans) == ("/new", "{data}/x", "all")
    assert (request.version, request.as_of) == ("champion", "span")


def test_only_scoring_needs_the_connections_of_its_addresses() -> None:
    made = spec({"output": "sql:lake:scores", "input": "sql:house:rows"})
    assert made.connections_of("score") == ("house", "lake")
    assert made.connections_of("extract") == ()
