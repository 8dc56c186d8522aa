"""A pipeline that has lived a while, pruned: what it needs is there, and what is gone can come."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from everfit.champion.explain import explain
from everfit.champion.overrule import overrule
from everfit.champion.repair.reconcile import reconcile
from everfit.cli import main
from everfit.contracts.clock import now
from everfit.contracts.errors import NothingToDo, UserError
from everfit.engine.context import Context, open_context
from everfit.engine.pipeline import monitor_pipeline
from everfit.operations.reproduce.reproduce import reproduce
from everfit.operations.retention.prune import Pruned, prune
from everfit.storage.mlflow import MONITOR_KEY, open_registry
from tests.world import World, new_checkout, settings_in


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Path:
    """v1, monitored; v2 judged against it, monitored; a run that was held."""
    root = tmp_path_factory.mktemp("lived")
    with open_context(new_checkout(root)) as context:
        world = World(context)
        with_distance(world)
        world.spec["features"]["drop"].append("trip_distance")
        world.months(3)
        world.run()
        world.months(4)
        monitor(world)
        with_distance(world)
        world.run()
        world.spec["train"]["seed"] = 1
        world.months(5)
        monitor(world)
        world.run()
        verdicts = [context.ledger.verdict(r.run_key).verdict for r in context.ledger.runs("quick")]
        assert verdicts == ["hold", "promote", "promote"]
    return root


def with_distance(world: World) -> World:
    """The spec of v2."""
    world.spec = World(world.context).spec
    world.spec["features"]["derive"] = {}
    return world


def monitor(world: World) -> None:
    for left in world.context.scratch.iterdir():
        shutil.rmtree(left)
    monitor_pipeline(world.load(), world.context)


@pytest.fixture
def root(lived: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "checkout"
    shutil.copytree(lived, copy)
    database = copy / ".everfit" / "mlflow.db"
    _move_artifacts(database, lived, copy)
    return copy


def _move_artifacts(database: Path, old: Path, new: Path) -> None:
    """MLflow keeps absolute addresses: those of the copy are its own."""
    import sqlite3

    with sqlite3.connect(database) as sql:
        for table, column in (
            ("runs", "artifact_uri"),
            ("experiments", "artifact_location"),
            ("model_versions", "source"),
            ("model_versions", "storage_location"),
        ):
            sql.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(old), str(new))
            )
    sql.close()


@pytest.fixture
def context(root: Path) -> Iterator[Context]:
    with open_context(settings_in(root)) as opened:
        yield opened


def later(context: Context, days: int = 100) -> Context:
    return replace(context, clock=lambda: now() + timedelta(days=days))


def pruned(context: Context, **more: object) -> Pruned:
    return prune(later(context), "90d", delete=True, **more)  # type: ignore[arg-type]


def test_a_dry_run_changes_nothing(context: Context):
    before = {entry.key: entry for entry in context.store.entries("")}
    found = prune(later(context), "90d")
    assert found.swept is None
    assert {"Evidently's pages", "models"} <= {one.kind for one in found.found.condemned}
    assert len(found.runs) == 2  # the run that was held, and the page of the former champion
    assert {entry.key: entry for entry in context.store.entries("")} == before
    with open_registry(context.settings, "quick") as registry:
        assert len(registry.runs("quick")) == 3


def test_young_things_stay(context: Context):
    found = prune(context, "90d", delete=True)
    assert found.found.condemned == () and found.runs == ()


def test_all_that_is_needed_answers_afterwards(context: Context):
    done = pruned(context)
    assert done.swept is not None and done.swept.removed > 10 and done.swept.spared == 0
    ledger, store = context.ledger, context.store
    for rebuild in (False, True):  # and nothing of what went is made again
        found = reconcile("quick", context, rebuild_missing=rebuild)
        assert (found.repaired, found.reports) == ((), ())
    for record in ledger.versions("quick"):
        told = explain(ledger, store, "quick", version=record.version)
        assert store.get(told.decision.report_html.digest)
        assert reproduce("quick", record, context).answer == "bit-identical"
    with open_registry(context.settings, "quick") as registry:
        kept = registry.runs("quick")
        assert {run.run_key for run in kept} == {v.run_key for v in ledger.versions("quick")}
        (measured,) = registry.runs("quick.monitor", MONITOR_KEY)
        assert measured.tags["everfit.champion"] == "v2"
        assert registry.alias("quick") == 2
    artifacts = context.settings.home / "mlartifacts"
    folders = {p.parent.name for p in artifacts.rglob("artifacts") if p.is_dir()}
    assert folders == {run.run for run in kept} | {measured.run}
    assert pruned(context).swept.removed == 0  # type: ignore[union-attr]


def test_a_pruned_run_is_simply_computed_again(context: Context):
    run = context.ledger.runs("quick")[0]
    decision = context.ledger.verdict(run.run_key).decision
    pruned(context)
    with pytest.raises(NothingToDo, match=r"EXPLAIN-PRUNED .*the ledger says: hold\. "):
        explain(context.ledger, context.store, "quick", run=run.run_key)
    assert decision in {r.digest for r in context.ledger.removals("quick")}
    world = with_distance(World(context))
    world.spec["train"]["seed"] = 1
    outcomes = world.run(force=True)
    assert [outcome.cached for outcome in outcomes] == [False] * len(outcomes)
    assert world.result(outcomes, "validate").run_key == run.run_key
    assert context.store.get(decision)  # the same bytes again
    found = reconcile("quick", context)
    assert (found.repaired, found.reports) == ((), ())
    with open_registry(context.settings, "quick") as registry:
        assert run.run_key in {shown.run_key for shown in registry.runs("quick")}


def test_monitoring_goes_on_after_pruning_and_after_a_rollback(context: Context):
    """A former champion's measurements are read again where it comes back."""
    pruned(context)
    world = with_distance(World(context))
    world.spec["train"]["seed"] = 1
    world.months(6)
    monitor(world)
    spec = world.load()
    overrule("rollback", spec, 1, "to look", "me", context)
    world.months(7)
    monitor(world)
    assert context.ledger.champion("quick").version == 1


def test_killed_in_the_middle_and_run_again(root: Path, tmp_path: Path):
    """A process that dies at each of some removals; the next one finishes."""
    script = (
        "import os, sys\n"
        "from dataclasses import replace\n"
        "from datetime import timedelta\n"
        "from everfit.contracts.clock import now\n"
        "from everfit.engine.context import open_context\n"
        "from everfit.contracts.settings import Settings\n"
        "from everfit.operations.retention.prune import prune\n"
        "from everfit.storage.store.local import LocalStore\n"
        "left, real = [int(sys.argv[1])], LocalStore.remove\n"
        "def remove(self, key, before=None):\n"
        "    left[0] -= 1\n"
        "    if left[0] < 0: os._exit(9)\n"
        "    return real(self, key, before)\n"
        "LocalStore.remove = remove\n"
        "with open_context(Settings.from_environment()) as context:\n"
        "    context = replace(context, clock=lambda: now() + timedelta(days=100))\n"
        "    prune(context, '90d', delete=True)\n"
    )
    environ = {**os.environ, "EVERFIT_ROOT": str(root)}
    codes = []
    for removals in (0, 3, 11, 10_000):
        done = subprocess.run(
            [sys.executable, "-c", script, str(removals)], env=environ, check=False
        )
        codes.append(done.returncode)
        with open_context(settings_in(root)) as context:
            found = reconcile("quick", context)
            assert (found.repaired, found.reports) == ((), ())
    assert codes == [9, 9, 9, 0]
    with open_context(settings_in(root)) as context:
        assert pruned(context).swept.removed == 0  # type: ignore[union-attr]


def test_the_command_lists_first_and_deletes_when_told(root: Path, monkeypatch, capsys):
    monkeypatch.setenv("EVERFIT_ROOT", str(root))
    store = root / ".everfit" / "store"
    then = time.time() - 100 * 86400
    assert main(["prune", "quick"]) == 0
    out = capsys.readouterr().out
    assert "✓ quick  nothing to remove" in out
    assert "versions, with all that they are rebuilt and explained from" in out

    page = next(store.glob("results/drift_report_page/*.json"))
    report = json.loads(page.read_text())["report"]["digest"]
    blob = store / "blobs" / report[:2] / report
    for path in store.rglob("*"):  # the ledger still knows of young runs: pages alone are old
        if path.is_file():
            os.utime(path, (then, then))
    assert main(["prune", "--all"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^Evidently's pages +2 ", out, re.MULTILINE)
    assert "Nothing was removed: --delete removes it." in out
    assert blob.exists() and page.exists()
    assert main(["prune", "--all", "--delete"]) == 0
    out = capsys.readouterr().out
    assert "✓ all pipelines  removed " in out
    assert not blob.exists() and not page.exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["prune"], "PRUNE-WHICH"),
        (["prune", "quick", "--all"], "PRUNE-WHICH"),
        (["prune", "--all", "--older-than", "5h"], "PRUNE-AGE"),
        (["prune", "--all", "--older-than", "soon"], "PRUNE-AGE"),
        (["prune", "nobody"], "NAME"),
    ],
)
def test_mistakes_are_one_line(root: Path, monkeypatch, capsys, arguments, code):
    monkeypatch.setenv("EVERFIT_ROOT", str(root))
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(code + " ") and err.count("\n") == 1


def test_a_store_that_may_only_be_read_is_one_line(context: Context, monkeypatch):
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(UserError, match="STORE-ACCESS") as caught:
        pruned(context)
    assert "\n" not in caught.value.line
