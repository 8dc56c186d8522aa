"""How pages look and how numbers are written decides nothing: with others, the same comes out."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from everfit.contracts import wording
from everfit.contracts.base import IN_A_KEY
from everfit.contracts.messages.cards import ModelCard
from everfit.contracts.messages.chain import ChainTask, monitoring_tasks
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine import pipeline
from everfit.engine.context import open_context
from everfit.engine.fingerprints import PACKAGE
from everfit.engine.pipeline import monitor_pipeline
from everfit.engine.step import load_step
from tests.imports import Package
from tests.world import World, new_checkout

DECIDES = ("validate", "prepare", "train", "evaluate", "gate", "monitor")
WORDS = {"message", "because", "flip", "dispersion"}
"""Fields of sentences: what they say is in other fields too."""


def drawing() -> set[tuple[str, str]]:
    """Module and name of each function of a report that the steps' own code calls."""
    everfit = Package(PACKAGE, "everfit")
    return {
        (node.module, alias.name)
        for path in everfit.modules.values()
        if path.startswith(tuple(f"steps/{name}/" for name in DECIDES)) and "/report/" not in path
        for node in ast.walk(everfit.tree(path))
        if isinstance(node, ast.ImportFrom) and node.module and ".report" in node.module
        for alias in node.names
    }


DRAWN = {bytes: b"otherwise", str: "otherwise"}


def other(function: Callable[..., Any]) -> Callable[..., Any]:
    """One of the same type that draws something else."""
    kind = get_type_hints(function)["return"]
    if kind is ModelCard:  # values that a page is drawn of later
        return lambda *args, **named: function(*args, **named).model_copy(
            update={"description": "otherwise"}
        )
    drawn = DRAWN[kind] if kind in DRAWN else kind()
    return lambda *_, **__: drawn


WRITTEN = {str: "some", tuple[str, ...]: ("some", "some"), int: 7}


def words() -> list[Callable[..., Any]]:
    """Everything that writes a number, or rounds one to be written."""
    return [
        function
        for name, function in inspect.getmembers(wording, inspect.isfunction)
        if function.__module__ == wording.__name__ and not name.startswith("_")
    ]


@pytest.fixture
def otherwise(monkeypatch) -> Callable[[], None]:
    """Draws every page and writes every number in another way."""

    def change() -> None:
        for module, name in drawing():
            owner = importlib.import_module(module)
            monkeypatch.setattr(owner, name, other(getattr(owner, name)))
        for function in words():
            written = WRITTEN[get_type_hints(function)["return"]]
            for owner in [one for key, one in sys.modules.items() if key.startswith("everfit.")]:
                for name, value in list(vars(owner).items()):
                    if value is function:
                        monkeypatch.setattr(owner, name, lambda *_, text=written, **__: text)

    return change


def told(result: Any) -> Any:
    """A result without what only shows, and without sentences."""
    if isinstance(result, dict):
        return {name: told(value) for name, value in result.items() if name not in WORDS}
    return [told(value) for value in result] if isinstance(result, list) else result


def decided(world: World, outcomes: list[Any]) -> list[Any]:
    """The results of those that decide, by the steps themselves."""
    found = []
    for outcome in outcomes:
        if outcome.component in DECIDES:
            kind = load_step(outcome.component).result_type
            result = kind.model_validate_json(world.context.store.get(outcome.result))
            found.append(told(result.model_dump(mode="json", context=IN_A_KEY)))
    return found


def without_the_drift_report(spec: PipelineSpec) -> list[ChainTask]:
    """Its page has a key of its own."""
    return [task for task in monitoring_tasks(spec) if task.component != "drift_report"]


def two_runs_and_a_monitoring(world: World) -> list[list[Any]]:
    world.spec["slices"] = [{"name": "far", "where": "trip_distance > 3"}]
    world.spec["gate"]["find_slices"] = True
    runs = []
    for count in (3, 4):
        world.months(count)
        runs.append(world.run())
    world.months(5)
    world.spec["monitor"] = {"min_rows": 50}
    return [*runs, monitor_pipeline(world.load(), world.context)]


@pytest.mark.thorough
def test_other_pages_and_words_change_no_key_and_no_decision(
    world, tmp_path, otherwise, monkeypatch
) -> None:
    monkeypatch.setattr(pipeline, "monitoring_tasks", without_the_drift_report)
    runs = two_runs_and_a_monitoring(world)
    otherwise()
    with open_context(new_checkout(tmp_path / "elsewhere")) as context:
        there = World(context)
        again = two_runs_and_a_monitoring(there)
        for first, second in zip(runs, again, strict=True):
            assert decided(world, first) == decided(there, second)
            keys = [[o.key for o in one if o.component in DECIDES] for one in (first, second)]
            assert keys[0] == keys[1]
        pages = {
            context.store.get(artifact.digest)
            for outcomes in again
            for outcome in outcomes
            if outcome.component in DECIDES  # register draws the card of a version each time
            for artifact in outcome.reports.values()
        }
    assert pages == {b"otherwise"}


@pytest.mark.thorough
def test_a_page_stays_as_it_was_drawn_with_its_result(world, otherwise) -> None:
    world.months(3)
    first = world.run()
    otherwise()
    again = world.run(force=True)
    deciding = [outcome for outcome in again if outcome.component in DECIDES]
    assert all(outcome.cached for outcome in deciding)
    assert [outcome.reports for outcome in deciding] == [
        outcome.reports for outcome in first if outcome.component in DECIDES
    ]
