"""The published schemas are what the models take: for components in other languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.steps import Ended, Outcome
from tests.world import World

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "schemas"


def refused(name: str, document: bytes) -> list[str]:
    """What a validator of JSON Schema has against a document."""
    schema: dict[str, Any] = json.loads((FOLDER / name).read_text())
    validator = jsonschema.Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(json.loads(document))]


def test_orders_outcomes_and_results_of_a_real_run_fit_their_schemas(context, monkeypatch) -> None:
    from everfit.engine import pipeline as run

    orders = []
    perform = run.perform
    monkeypatch.setattr(
        run, "perform", lambda order, place: (orders.append(order), perform(order, place))[1]
    )
    world = World(context)
    world.months(3)
    world.spec["images"] = {"drift_report": "pages@sha256:" + "a" * 64}
    outcomes = world.run()
    assert len(orders) == len(outcomes) == 8
    for order, outcome in zip(orders, outcomes, strict=True):
        assert refused("order.json", canonical_json(order)) == []
        assert refused("outcome.json", canonical_json(outcome)) == []
        document = context.store.get(outcome.result)
        assert refused(f"result.{outcome.component}.json", document) == []


@pytest.mark.parametrize(
    "document",
    [{}, {"nothing_to_do": 1}, {"component": "prepare", "result": "short", "key": "a" * 64}],
)
def test_what_the_models_refuse_the_schema_refuses(document: dict[str, Any]) -> None:
    text = json.dumps(document).encode()
    assert refused("outcome.json", text)
    for model in (Outcome, Ended):
        with pytest.raises(ValueError, match="validation error"):
            model.model_validate_json(text)
