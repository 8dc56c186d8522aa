"""A real champion, lost with its ledger, store and MLflow, and had back from a backup."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from everfit.champion.repair.reconcile import reconcile
from everfit.cli import main
from everfit.contracts.errors import NothingToDo
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, open_context
from everfit.engine.progress import LogProgress
from everfit.engine.step import load_step
from everfit.operations.backup.back_up import back_up
from everfit.operations.backup.restore import restore
from everfit.storage.mlflow import champion_alias
from tests.services import new_database
from tests.world import World

ASKED = (
    ["champion", "quick", "--json"],
    ["history", "quick", "--json"],
    ["explain", "quick"],
    ["triggers", "quick", "--json"],
    ["reproduce", "quick", "v1", "--json"],
)


@pytest.fixture(autouse=True)
def private(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVERFIT_HOME", "EVERFIT_DATA", "EVERFIT_MLFLOW", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


def variables(kind: str, root: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of an installation of that kind that holds nothing yet."""
    (root / "dags" / "pipelines").mkdir(parents=True)
    (root / "data").mkdir()
    found = {"EVERFIT_ROOT": str(root)}
    if kind == "servers":
        database = new_database(request.getfixturevalue("postgresql_url"))
        bucket = request.getfixturevalue("bucket")
        found |= {
            "EVERFIT_LEDGER": database,
            "EVERFIT_STORE": f"s3://{bucket}/{secrets.token_hex(4)}",
        }
    return found


@contextmanager
def world_in(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with open_context(Settings.from_environment()) as context:
        yield World(context)


def answers(capsys: pytest.CaptureFixture[str], home: Path) -> list[str]:
    """What a person is told of the champion and its past."""
    told = []
    for arguments in ASKED:
        assert main(arguments) == 0, arguments
        text = capsys.readouterr().out.replace(str(home), "HOME")
        told.append(re.sub(r'"seconds": [0-9.]+', '"seconds": 0', text))
    return told


@pytest.mark.parametrize("kind", [pytest.param("files", marks=pytest.mark.thorough), "servers"])
@pytest.mark.thorough
def test_what_was_lost_comes_back_whole(kind, tmp_path, request, monkeypatch, capsys) -> None:
    here, there = (variables(kind, tmp_path / name, request) for name in ("here", "there"))
    place = str(tmp_path / "backups") if kind == "files" else f"s3://{bucket_of(here)}/backups"
    with world_in(here, monkeypatch) as world:
        world.months(3)
        world.run()
        world.months(4)
        world.run()
        home = world.context.settings.home
        before = answers(capsys, home)
        assert '"bit-identical"' in before[-1]
        champion = champion_alias(world.context.settings, "quick")
        assert main(["backup", "--to", place]) == 0

    # Another machine: the same specs, data and signing key, and nothing else.
    for name in ("dags", "data"):
        shutil.copytree(tmp_path / "here" / name, tmp_path / "there" / name, dirs_exist_ok=True)
    (tmp_path / "there" / ".everfit").mkdir()
    shutil.copy(home / "signing.key", tmp_path / "there" / ".everfit")
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    assert main(["restore", "--from", place]) == 0
    assert "next: everfit reconcile quick --rebuild" in capsys.readouterr().out
    with world_in(there, monkeypatch) as world:
        settings = world.context.settings
        assert champion_alias(settings, "quick") is None
        assert main(["reconcile", "quick", "--rebuild"]) == 0
        assert champion_alias(settings, "quick") == champion
        capsys.readouterr()
        assert answers(capsys, settings.home) == before
        with pytest.raises(NothingToDo):
            world.run()
        again = world.run(force=True)
        assert {one.component for one in again if not one.cached} == {
            one.component for one in again if not load_step(one.component).cached
        }
        assert champion_alias(settings, "quick") == champion


def bucket_of(variables: dict[str, str]) -> str:
    return variables["EVERFIT_STORE"].split("/")[2]


@pytest.mark.thorough
def test_a_backup_while_a_run_is_at_work_is_one_that_can_be_lived_on(
    tmp_path, request, monkeypatch
) -> None:
    here = variables("files", tmp_path / "here", request)
    place = str(tmp_path / "backups")
    with world_in(here, monkeypatch) as world:
        world.months(3)
        world.load()
        settings = world.context.settings
    made = []
    code = "import sys; from everfit.cli import main; sys.exit(main(['run', 'quick']))"
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ | here) as run:
        while run.poll() is None or not made:
            scratch = tmp_path / "scratch"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            made.append(back_up(settings, place, scratch, LogProgress()))
    assert run.returncode == 0
    different = {backup.index.digest: (name, backup) for name, backup in made}
    assert len(different) > 3, "the run was over before it was looked at"
    for number, (name, backup) in enumerate(different.values()):
        root = tmp_path / f"there-{number}"
        shutil.copytree(tmp_path / "here" / "dags", root / "dags")
        there = Settings.from_environment(
            {"EVERFIT_ROOT": str(root), "EVERFIT_DATA": str(settings.data)}
        )
        there.home.mkdir()
        scratch = tmp_path / f"scratch-{number}"
        scratch.mkdir()
        assert restore(there, place, scratch, LogProgress(), name) == (name, backup)
        with open_context(there) as context:
            assert absent(context) == set()
            if number == len(different) // 2:  # in the midst of the run: it is finished here
                World(context).run()
                assert reconcile("quick", context).reports == ()
                with open_context(settings) as first:
                    assert models(context) == models(first)


def models(context: Context) -> list[str]:
    return [one.champion.model.digest for one in context.ledger.versions("quick")]


def absent(context: Context) -> set[str]:
    """Artifacts that a result names, or the ledger a cost of, and that are not in the store."""
    store = context.store
    there = {key.rpartition("/")[2] for key in store.keys("blobs/")}
    named: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if {"name", "digest", "size"} <= value.keys():
                named.add(value["digest"])
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    for key in store.keys("results/"):
        walk(json.loads(store.read(key) or b""))
    for record in context.ledger.spans("quick"):
        if record.digest:
            named.add(record.digest)
    for verdict in context.ledger.verdicts("quick"):
        named.add(verdict.decision)
    for version in context.ledger.versions("quick"):
        named.add(version.champion.model.digest)
        named.add(version.dossier or "no dossier")
    return named - there
