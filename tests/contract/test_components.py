"""One battery over every component: what any of them must do, whatever it does.

Round trip, same inputs → same bytes in another process and another home, inputs unchanged, declared
outputs exist, and killed at many points then run again → the same result.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.chain import CHAIN, MONITORING
from everfit.contracts.messages.steps import Component, Order, Outcome
from everfit.contracts.settings import Settings
from everfit.engine import pipeline as chain
from everfit.engine.context import open_context
from everfit.engine.execute import perform
from everfit.engine.fingerprints import KERNEL_VARIABLES
from everfit.engine.step import load_step
from everfit.storage.ledger import open_ledger
from everfit.storage.store import digest_file, open_store
from tests.contract.killing import count_acts, killed_at
from tests.points import evenly
from tests.world import World

AFTER = "monitoring: "
"""Begins the name of what a component did in the monitoring that followed the training."""

DONE = (*CHAIN, *(f"{AFTER}{name}" for name in MONITORING), f"{AFTER}plan")
"""Everything that was done, in its order."""

MOST_POINTS = 3
"""Points each component is killed at, spread evenly over its acts, unless all are asked for."""


def component_of(done: str) -> Component:
    return done.removeprefix(AFTER)  # type: ignore[return-value]


def needs_of(done: str) -> dict[Component, str]:
    """Component → what was done of it before, whose result this reads."""
    if not done.startswith(AFTER):
        return {name: name for name in CHAIN[component_of(done)]}
    return {name: f"{AFTER}{name}" for name in MONITORING.get(component_of(done), ())}


CACHED = tuple(done for done in DONE if load_step(component_of(done)).cached)


@dataclass
class Recorded:
    """A training and a monitoring, run once: what each step was told and told, the home before."""

    settings: Settings
    orders: dict[str, Order]
    outcomes: dict[str, Outcome]
    homes: dict[str, Path]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    root = tmp_path_factory.mktemp("recorded")
    (root / "dags" / "pipelines").mkdir(parents=True)
    (root / "data").mkdir()
    settings = Settings.from_environment({"EVERFIT_ROOT": str(root)})
    found = Recorded(settings, {}, {}, {})

    def recording(order: Order, context: object) -> Outcome:
        done = f"{AFTER * bool(found.outcomes.get('register'))}{order.component}"
        before = root / "before" / done.replace(":", "")
        shutil.copytree(settings.home, before)
        found.homes[done] = before
        found.orders[done] = order
        found.outcomes[done] = outcome = perform(order, context)  # type: ignore[arg-type]
        return outcome

    patch = pytest.MonkeyPatch()
    patch.setattr(chain, "perform", recording)
    with open_context(settings) as context:
        world = World(context)
        world.spec["train"]["refit"] = True
        world.months(3, rows=300)
        world.run()
        world.months(5, rows=300)
        chain.monitor_pipeline(world.load(), context)
    patch.undo()
    yield found


def again(recorded: Recorded, component: str, settings: Settings | None = None) -> Outcome:
    """Carry the recorded order out once more."""
    with open_context(settings or recorded.settings) as context:
        return perform(recorded.orders[component], context)


def at(recorded: Recorded, component: str, folder: Path) -> Settings:
    """Settings of a home as it was before the component ran."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(recorded.homes[component], home)
    return Settings.from_environment(
        {"EVERFIT_ROOT": str(recorded.settings.root), "EVERFIT_HOME": str(home)}
    )


def artifacts(value: object) -> Iterator[dict[str, object]]:
    """Every artifact a result names, however deep."""
    if isinstance(value, dict):
        if set(value) == {"name", "digest", "size"}:
            yield value
        for item in value.values():
            yield from artifacts(item)
    elif isinstance(value, list):
        for item in value:
            yield from artifacts(item)


@pytest.mark.parametrize("component", CACHED)
def test_the_same_order_again_is_a_cache_hit_with_the_same_result(recorded, component) -> None:
    outcome = again(recorded, component)
    assert outcome.cached
    assert outcome.result == recorded.outcomes[component].result
    assert outcome.key == recorded.outcomes[component].key


@pytest.mark.parametrize("component", DONE)
def test_orders_results_and_outcomes_survive_the_trip_through_json(recorded, component) -> None:
    order = recorded.orders[component]
    assert Order.model_validate_json(canonical_json(order)) == order
    outcome = recorded.outcomes[component]
    assert Outcome.model_validate_json(canonical_json(outcome)) == outcome
    assert len(canonical_json(outcome)) < 4_000, "an outcome is an XCom: small"
    document = open_store(recorded.settings.store).get(outcome.result)
    result = load_step(component_of(component)).result_type.model_validate_json(document)
    assert canonical_json(result) == document


@pytest.mark.parametrize("component", DONE)
def test_every_output_a_result_declares_is_in_the_store(recorded, component) -> None:
    store = open_store(recorded.settings.store)
    document = json.loads(store.get(recorded.outcomes[component].result))
    for artifact in artifacts(document):
        assert len(store.get(str(artifact["digest"]))) == artifact["size"]


def test_no_step_changed_what_another_had_stored(recorded) -> None:
    root = Path(recorded.settings.store.removeprefix("file://"))
    blobs = [path for path in (root / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) > 20
    assert [path.name for path in blobs if digest_file(path) != path.name] == []


def copy_costs(recorded: Recorded, home: Path) -> None:
    """Have a home know what the steps have cost: the decision tells it, and no two do alike.

    The first record of a cost is the one that counts, so the home's own are not kept.
    """
    home.mkdir()
    theirs = Settings.from_environment(
        {"EVERFIT_ROOT": str(home.parent), "EVERFIT_HOME": str(home)}
    )
    with open_ledger(recorded.settings.ledger) as known, open_ledger(theirs.ledger) as ledger:
        for outcome in recorded.outcomes.values():
            cost = known.cost(outcome.result)
            if cost is not None:
                ledger.record_cost(cost)


def test_another_process_in_another_home_gives_the_same_bytes(recorded, tmp_path) -> None:
    home = tmp_path / "home"
    months = sorted((recorded.settings.data / "trips").iterdir())
    (tmp_path / "data" / "trips").mkdir(parents=True)
    results: dict[str, tuple[str, ...]] = {}
    copy_costs(recorded, home)
    for component in DONE:
        for path in months[: 5 if component.startswith(AFTER) else 3]:
            shutil.copy2(path, tmp_path / "data" / "trips")
        order = recorded.orders[component].model_copy(
            update={"upstream": {name: results[done] for name, done in needs_of(component).items()}}
        )
        (tmp_path / "order.json").write_bytes(canonical_json(order))
        environment = {
            **{name: os.environ[name] for name in KERNEL_VARIABLES if name in os.environ},
            "PATH": os.environ["PATH"],
            "PYTHONHASHSEED": "4711",
            "EVERFIT_ROOT": str(recorded.settings.root),
            "EVERFIT_HOME": str(home),
            "EVERFIT_DATA": str(tmp_path / "data"),
        }
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "everfit.engine.execute",
                "--order",
                tmp_path / "order.json",
                "--outcome",
                tmp_path / "outcome.json",
            ],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        outcome = Outcome.model_validate_json((tmp_path / "outcome.json").read_bytes())
        results[component] = (outcome.result,)
        if component in CACHED:
            assert outcome.result == recorded.outcomes[component].result, component


@pytest.mark.slow
@pytest.mark.parametrize("component", DONE)
def test_killed_at_many_points_and_run_again_it_gives_the_same(
    recorded, component, tmp_path
) -> None:
    settings = at(recorded, component, tmp_path)
    total = count_acts(lambda: again(recorded, component, settings), tmp_path / "acts")
    assert total > 0
    expected = recorded.outcomes[component]
    points = evenly(range(1, total + 1), MOST_POINTS)
    killed = 0
    for point in points:
        settings = at(recorded, component, tmp_path)
        # The number of acts can differ by a file or two from run to run (database side files).
        killed += killed_at(point, lambda: again(recorded, component, settings))  # noqa: B023
        outcome = again(recorded, component, settings)
        assert outcome.key == expected.key
        if component in CACHED:
            assert outcome.result == expected.result
        with open_context(settings) as context:
            assert len(context.ledger.versions("quick")) <= 2
    assert killed >= len(points) - 1


def test_the_recorded_chain_ended_with_the_judged_version_and_its_refit(recorded) -> None:
    with open_context(recorded.settings) as context:
        assert [record.version for record in context.ledger.versions("quick")] == [1, 2]
        assert context.ledger.champion("quick").version == 2
