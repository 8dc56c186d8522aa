"""A run that retention deletes goes with its artifacts, by every way to MLflow; it may return."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.contracts.settings import Settings
from everfit.engine.context import open_context
from everfit.storage.mlflow import RUN_KEY, RunLog, open_registry
from everfit.storage.mlflow.client import ClientRegistry
from everfit.storage.mlflow.sqlite import SqliteRegistry
from tests.unit.registry.served import mlflow_server

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")

FILES = {"reports/page.html": b"<p>page", "model_card.md": b"card"}
OTHER_TAG = "everfit.monitor_key"


def run_log(key: str, tag: str = RUN_KEY) -> RunLog:
    return RunLog(
        pipeline="fares",
        run_key=key,
        name="run",
        began=1_000,
        params={},
        metrics={},
        tags={},
        datasets=(),
        model=None,
        key_tag=tag,
    )


@pytest.fixture(params=["file", "client", pytest.param("server", marks=pytest.mark.thorough)])
def registry(request, tmp_path, monkeypatch):
    environ = {"EVERFIT_ROOT": str(tmp_path)}
    if request.param == "server":
        server = mlflow_server(tmp_path / "server")
        environ["EVERFIT_MLFLOW"] = server.__enter__()
        request.addfinalizer(lambda: server.__exit__(None, None, None))
    if request.param == "client":
        monkeypatch.setattr("everfit.storage.mlflow.sqlite.REVISIONS", frozenset())
    settings = Settings.from_environment(environ)
    with open_context(settings), open_registry(settings, "fares") as opened:
        assert isinstance(opened, SqliteRegistry if request.param == "file" else ClientRegistry)
        yield opened


def pages(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("page.html"))


def test_a_deleted_run_is_not_shown_and_keeps_no_artifact(registry, tmp_path):
    kept = registry.ensure_run(run_log("a" * 64), lambda _: FILES)
    gone = registry.ensure_run(run_log("b" * 64), lambda _: FILES)
    assert len(pages(tmp_path)) == 2
    registry.delete_run(gone.run)
    assert [run.run for run in registry.runs("fares")] == [kept.run]
    assert len(pages(tmp_path)) == 1
    registry.delete_run(gone.run)  # as after a kill
    assert [run.run for run in registry.runs("fares")] == [kept.run]


def test_a_run_logged_again_is_back_with_its_artifacts(registry, tmp_path):
    gone = registry.ensure_run(run_log("b" * 64), lambda _: FILES)
    registry.delete_run(gone.run)
    again = registry.ensure_run(run_log("b" * 64), lambda _: FILES)
    assert [run.run for run in registry.runs("fares")] == [again.run]
    assert len(pages(tmp_path)) == 1


def test_runs_are_found_by_the_tag_asked_for(registry):
    registry.ensure_run(run_log("a" * 64), lambda _: {})
    registry.ensure_run(run_log("b" * 64, OTHER_TAG), lambda _: {})
    assert [run.run_key for run in registry.runs("fares")] == ["a" * 64]
    assert [run.run_key for run in registry.runs("fares", OTHER_TAG)] == ["b" * 64]


def test_a_run_that_was_never_there_is_deleted_already(registry):
    registry.ensure_run(run_log("a" * 64), lambda _: {})
    registry.delete_run("f" * 32)
    assert len(registry.runs("fares")) == 1
