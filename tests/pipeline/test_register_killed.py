"""Register killed at every SQL statement, file and HTTP call, then run again.

Whatever the point: one finished run with the key, one version, the alias where the ledger's journal
says, every artifact once and whole. And in between, the alias never names an unexplained version.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline_components.context import open_context
from pipeline_components.contracts.requests import RegisterRequest, RegisterResult
from pipeline_components.contracts.settings import Settings
from pipeline_components.register import door
from pipeline_components.registry import champion_alias
from pipeline_components.store import digest_file
from tests.unit.register.small_run import small_run
from tests.unit.registry.served import mlflow_server

FILE_ACTS = frozenset({"os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def acts_before_death(function: Callable[[], object], kill_at: int) -> int:
    """Run in a forked child that is SIGKILLed before its ``kill_at``-th act.

    Acts are SQL statements that write, files opened for writing, links, renames, removals and
    folders, HTTP requests sent, and HTTP replies about to be read (by then the server has done
    what was asked).

    Returns
    -------
    int
        How many acts there were, where the child lived to the end; else 0.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        seen = 0

        def act(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        def heard(event: str, arguments: tuple[object, ...]) -> None:
            opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
            if opened or event in FILE_ACTS or event == "http.client.send":
                act()

        import http.client

        begin = http.client.HTTPResponse.begin

        def reply(self: http.client.HTTPResponse) -> None:
            act()
            begin(self)

        http.client.HTTPResponse.begin = reply  # type: ignore[method-assign]
        connect = sqlite3.connect

        def traced(*arguments: Any, **more: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **more)
            connection.set_trace_callback(said)
            return connection

        last = ""

        def said(sql: str) -> None:
            """A statement that writes; the rows of one ``executemany`` are one act."""
            nonlocal last
            verb = sql[:30]
            if not verb.startswith(("SELECT", "PRAGMA")) and verb != last:
                act()
            last = verb

        sqlite3.connect = traced  # type: ignore[assignment]
        sys.addaudithook(heard)
        code = 1
        try:
            function()
            os.write(writing, str(seen).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    told = os.read(reading, 20)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "it failed before it was killed"
    return int(told) if told else 0


class Prepared:
    """A home where a champion serves already and a better run waits to be registered."""

    def __init__(self, home: Path, mlflow: str | None, pipeline: str) -> None:
        environ = {"EVERFIT_ROOT": str(home)} | ({"EVERFIT_MLFLOW": mlflow} if mlflow else {})
        self.settings = Settings.from_environment(environ)
        self.pipeline = pipeline
        self.request: RegisterRequest

    def fill(self) -> Prepared:
        with open_context(self.settings) as context:
            first = small_run(context, pipeline=self.pipeline)
            door.run(first, context)
            record = context.ledger.version(first.run_key)
            assert record is not None
            champion = record.champion.model_copy(update={"sequence": 1})
            self.request = small_run(context, "second", champion=champion, pipeline=self.pipeline)
        return self

    def register(self) -> RegisterResult:
        with open_context(self.settings) as context:
            return door.run(self.request, context)

    def check_alias(self) -> None:
        """The alias names a version that the journal holds."""
        named = champion_alias(self.settings, self.pipeline)
        with open_context(self.settings) as context:
            journal = [entry.version for entry in context.ledger.history(self.pipeline)]
        assert named in journal
        assert journal[0] == 1

    def check_whole(self) -> None:
        """The ledger tells one story, and the registry the same."""
        with open_context(self.settings) as context:
            ledger = context.ledger
            assert ledger.unfinished_registrations(self.pipeline) == []
            assert [entry.version for entry in ledger.history(self.pipeline)] == [1, 2]
            assert [record.version for record in ledger.versions(self.pipeline)] == [1, 2]
            assert ledger.version(self.request.run_key).version == 2
        assert champion_alias(self.settings, self.pipeline) == 2


@pytest.fixture(scope="module", autouse=True)
def no_syncing() -> Iterator[None]:
    """A killed process loses nothing the kernel has: syncing matters to power cuts alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Prepared:
    return Prepared(tmp_path_factory.mktemp("template"), None, "fares").fill()


@pytest.fixture
def copy(template, tmp_path) -> Callable[[str], Prepared]:
    """A fresh copy of the template; its database keeps artifacts in the copy too."""

    def make(name: str) -> Prepared:
        root = tmp_path / name
        shutil.copytree(template.settings.root, root, copy_function=shutil.copyfile)
        made = Prepared(root, None, "fares")
        made.request = template.request
        database = sqlite3.connect(made.settings.home / "mlflow.db")
        with database:
            for table, column in (
                ("experiments", "artifact_location"), ("runs", "artifact_uri"),
                ("model_versions", "source"), ("model_versions", "storage_location"),
            ):  # fmt: skip
                database.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                    (str(template.settings.root), str(root)),
                )
        database.close()
        return made

    return make


def content_of(world: Prepared) -> dict[str, object]:
    """All that MLflow keeps, without times and random row ids."""
    database = sqlite3.connect(world.settings.home / "mlflow.db")
    asked = {
        "runs": "SELECT run_uuid, name, status, lifecycle_stage FROM runs",
        "tags": "SELECT run_uuid, key, value FROM tags",
        "params": "SELECT run_uuid, key, value FROM params",
        "metrics": "SELECT run_uuid, key, value, timestamp FROM metrics",
        "latest": "SELECT run_uuid, key, value, timestamp FROM latest_metrics",
        "inputs": "SELECT i.destination_id, d.name, d.digest, t.value FROM inputs i "
        "JOIN datasets d ON d.dataset_uuid = i.source_id "
        "JOIN input_tags t ON t.input_uuid = i.input_uuid",
        "versions": "SELECT version, run_id, current_stage, description FROM model_versions",
        "version tags": "SELECT version, key, value FROM model_version_tags",
        "aliases": "SELECT alias, version FROM registered_model_aliases",
    }
    found: dict[str, object] = {
        name: sorted(database.execute(sql).fetchall()) for name, sql in asked.items()
    }
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    folder = world.settings.home / "mlartifacts"
    found["artifacts"] = {
        path.relative_to(folder).as_posix(): digest_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "staging" not in path.relative_to(folder).parts
    }
    return found


def test_on_a_database_at_every_act(copy):
    whole = copy("whole")
    acts = acts_before_death(whole.register, 0)
    assert acts > 70, "the hooks see too little"
    whole.check_whole()
    expected = content_of(whole)
    for number in range(1, acts + 1):
        world = copy(str(number))
        assert acts_before_death(world.register, number) == 0
        world.check_alias()
        world.register()
        world.check_whole()
        assert content_of(world) == expected, f"killed before act {number} of {acts}"
        shutil.rmtree(world.settings.root)


def first_run(home: Path, mlflow: str | None = None, pipeline: str = "fares") -> Prepared:
    """A judged run with nothing before it."""
    made = Prepared(home, mlflow, pipeline)
    with open_context(made.settings) as context:
        made.request = small_run(context, pipeline=pipeline)
    return made


def test_on_a_first_run_that_makes_the_database(tmp_path):
    """From nothing: no database, no experiment, no champion."""

    acts = acts_before_death(first_run(tmp_path / "whole").register, 0)
    for number in range(1, acts + 1, 12):
        world = first_run(tmp_path / str(number))
        assert acts_before_death(world.register, number) == 0
        assert champion_alias(world.settings, "fares") in (None, 1)
        result = world.register()
        assert (result.version, result.champion) == (1, 1)
        shutil.rmtree(world.settings.root)


@pytest.mark.slow
def test_on_a_server_at_its_calls(tmp_path):
    from mlflow import MlflowClient

    with mlflow_server(tmp_path / "server") as address:
        client = MlflowClient(address, address)
        whole = first_run(tmp_path / "whole", address, "whole")
        acts = acts_before_death(whole.register, 0)
        files = artifacts_of(client, whole)
        assert len(files) == 12
        for number in range(2, acts + 1, max(acts // 5, 1)):
            world = first_run(tmp_path / str(number), address, f"killed{number}")
            assert acts_before_death(world.register, number) == 0
            assert champion_alias(world.settings, world.pipeline) in (None, 1)
            result = world.register()
            assert (result.version, result.champion) == (1, 1)
            assert artifacts_of(client, world) == files, f"killed before act {number} of {acts}"


def artifacts_of(client, world: Prepared) -> list[str]:
    """Paths of the run's artifacts, once MLflow agrees that there is just one such run."""
    name = world.pipeline
    experiment = client.get_experiment_by_name(name)
    found = client.search_runs(
        [experiment.experiment_id], f"tags.`everfit.run_key` = '{world.request.run_key}'"
    )
    assert [run.info.status for run in found] == ["FINISHED"]
    run = found[0].info.run_id
    assert len(client.get_metric_history(run, "mae")) == 1
    assert len(found[0].inputs.dataset_inputs) == 4
    assert len(client.search_model_versions(f"name = '{name}'")) == 1
    folder = client.download_artifacts(run, "model", str(world.settings.home))
    expected = world.request.evaluated.candidate.model.digest
    assert digest_file(Path(folder) / "model.skops") == expected
    waiting, paths = [""], []
    while waiting:
        for item in client.list_artifacts(run, waiting.pop() or None):
            (waiting if item.is_dir else paths).append(item.path)
    return sorted(paths)
