"""Worlds that have lived through trainings, put back to any step of them as often as needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from everfit.champion.repair.reconcile import Reconciled, reconcile
from everfit.contracts.base import Digest, canonical_json
from everfit.contracts.messages.chain import CHAIN, training_tasks
from everfit.contracts.messages.steps import Component, Order, Outcome, RunOptions
from everfit.contracts.settings import Settings
from everfit.engine import execute
from everfit.engine.context import Context, open_context
from everfit.operations.chaos.seen import comparable
from tests.proof.invariants import of_pipeline
from tests.proof.shown import ledger_rows, shown, stored
from tests.services import PostgresqlServer
from tests.unit.registry.served import Address
from tests.world import World

STEPS: tuple[Component, ...] = ("evaluate", "gate", "register")
RIVALS = 4
"""Runs judged against one champion."""


@dataclass
class Services:
    """A ledger on PostgreSQL and a real MLflow server over another database there."""

    server: PostgresqlServer
    ledger: str
    """URLs of the two databases."""
    backend: str
    mlflow: Address

    def keep(self, name: str) -> None:
        """Copy both databases."""
        for url in (self.ledger, self.backend):
            self.server.copy(_database(url), f"{_database(url)}_{name}")

    def put_back(self, name: str) -> None:
        """Put both back, whoever is connected."""
        for url in (self.ledger, self.backend):
            self.server.copy(f"{_database(url)}_{name}", _database(url))


def _database(url: str) -> str:
    return url.rpartition("/")[2]


@dataclass
class Lived:
    """A pipeline, its orders, and the world before each of them."""

    root: Path
    services: Services | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    mlflow: str | None = None
    """Instead of the services' server: a proxy before it."""
    kept: set[str] = field(default_factory=set)

    @property
    def environ(self) -> dict[str, str]:
        found = {"EVERFIT_ROOT": str(self.root)}
        if self.services:
            found["EVERFIT_LEDGER"] = self.services.ledger
            found["EVERFIT_MLFLOW"] = self.mlflow or self.services.mlflow
        return found

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environ)

    def live(self) -> Lived:
        """A first champion that does not know the distance, then better runs that do."""
        (self.root / "dags" / "pipelines").mkdir(parents=True)
        (self.root / "data").mkdir()
        with open_context(self.settings) as context:
            world = World(context)
            world.months(3, rows=300)
            world.spec["gate"]["false_promotions"] = 0.9  # five evaluations on small holdouts pass
            without = [*world.spec["features"]["drop"], "trip_distance"]
            world.spec["features"] = {"drop": without, "derive": {}}
            self._run(world, "first", keep=True)
            world.spec["features"]["drop"].remove("trip_distance")
            world.months(4, rows=300)
            self._run(world, "second", keep=True)
        self.put_back("first done")
        with open_context(self.settings) as context:
            world.context = context
            for number in range(RIVALS):
                world.spec["train"]["seed"] = number + 1
                self._run(world, f"rival{number}", until="train")
            self._keep("rivals evaluate", context)
            for step in STEPS[:2]:
                for number in range(RIVALS):
                    self._do(step, f"rival{number}", context)
            self._keep("rivals register", context)
            judged = context.ledger.verdicts("quick")
        told = [f"{one.verdict}: {one.because}" for one in judged if one.verdict != "promote"]
        assert len(judged) == RIVALS + 1 and not told, told
        return self

    def _run(self, world: World, name: str, keep: bool = False, until: str = "register") -> None:
        spec = world.load()
        done: dict[Component, tuple[Digest, ...]] = {}
        assert len(spec.train.families) == 1
        for task in training_tasks(spec):
            component = task.component
            order = Order(
                component=component,
                pipeline=spec,
                options=RunOptions(force=True),
                upstream={need: done[need] for need in task.upstream},
                family=task.family,
            )
            self.orders[f"{name} {component}"] = order
            if keep and component in STEPS:
                self._keep(f"{name} {component}", world.context)
            done[component] = (perform(order, world.context).result,)
            self._hand_on(name, done)
            if component == until:
                break
        if keep:
            self._keep(f"{name} done", world.context)

    def _hand_on(self, name: str, done: dict[Component, tuple[Digest, ...]]) -> None:
        self._done = {**getattr(self, "_done", {}), name: dict(done)}

    def _do(self, component: Component, name: str, context: Context) -> None:
        """A later step of a run that was left."""
        done = self._done[name]
        order = self.orders[f"{name} train"].model_copy(
            update={
                "component": component,
                "family": None,
                "upstream": {need: done[need] for need in CHAIN[component]},
            }
        )
        self.orders[f"{name} {component}"] = order
        done[component] = (perform(order, context).result,)
        following = STEPS[STEPS.index(component) + 1]
        self.orders[f"{name} {following}"] = order.model_copy(
            update={
                "component": following,
                "upstream": {n: done[n] for n in CHAIN[following] if n in done},
            }
        )

    def _keep(self, name: str, context: Context) -> None:
        let_go(context)
        folder = self.root / "kept" / name
        shutil.copytree(self.settings.home, folder, copy_function=_copy)
        if self.services:
            self.services.keep(_plain(name))
        self.kept.add(name)

    def put_back(self, name: str) -> None:
        """The world as it was before a step: ``first gate``, ``second register``, …"""
        home = self.settings.home
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.root / "kept" / name, home, copy_function=_copy)
        if self.services:
            self.services.put_back(_plain(name))

    def carry_out(self, name: str) -> Callable[[], int]:
        """What a process does that is told an order: the components' own entry."""
        path = self.root / f"{_plain(name)}.json"
        path.write_bytes(canonical_json(self.orders[name]))
        told = path.with_suffix(".told")
        return lambda: execute.main(["--order", str(path), "--outcome", str(told)])

    def as_process(self) -> None:
        """In a child: the environment such a process has."""
        os.environ.update(self.environ)

    def again(self, name: str) -> Outcome:
        """Carry the order out in this process."""
        with open_context(self.settings) as context:
            return perform(self.orders[name], context)

    def reconcile(self) -> Reconciled:
        """As the command does."""
        with open_context(self.settings) as context:
            return reconcile("quick", context)

    def state(self) -> dict[str, Any]:
        """All that outlives processes, comparable between worlds that ended alike."""
        mlflow = shown(self.settings, "quick")
        random = ""
        if self.services:  # a server gives runs names of its own
            newest = max(mlflow.versions, default=None)
            random = mlflow.versions[newest][1] if newest else ""
        found = comparable(
            ledger_rows(self.settings.ledger), mlflow, stored(self.settings, unlike=random)
        )
        return _without(found, random) if random else found

    def evaluations(self) -> list[dict[str, Any]]:
        """The pipeline's evaluations on holdouts, in order."""
        found = of_pipeline(ledger_rows(self.settings.ledger), "holdout_evaluations", "quick")
        return sorted(found, key=lambda one: one["sequence"])


def _without(value: Any, random: str) -> Any:
    """A value with a random name replaced; digests that cover it go."""
    if isinstance(value, dict):
        return {
            _without(key, random): _without(item, random)
            for key, item in value.items()
            if key != "dossier"
        }
    if isinstance(value, list | tuple):
        return type(value)(_without(item, random) for item in value)
    return value.replace(random, "RUN") if isinstance(value, str) else value


def perform(order: Order, context: Context) -> Outcome:
    """As the entry does, with an empty scratch folder."""
    scratch = context.scratch / "step"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    return execute.perform(order, replace(context, scratch=scratch))


def let_go(context: Context) -> None:
    """Close the connections a ledger keeps open on a server, so that the database can be copied."""
    engine = getattr(context.ledger._connection, "_engine", None)
    if engine is not None:
        engine.dispose()


def _plain(name: str) -> str:
    return name.replace(" ", "_")


def _copy(source: str, target: str) -> None:
    """A second name for what never changes, a copy of what does."""
    if "/store/" in source:
        os.link(source, target)
    else:
        shutil.copy(source, target)  # with its rights: a key is for its user alone
