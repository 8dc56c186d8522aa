"""A run that retention deletes goes with its artifacts, by every way to MLflow; it may return."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from everfit.contracts.settings import Settings
from everfit.engine.context import open_context
from everfit.storage.mlflow import RUN_KEY, RunLog, open_registry
from everfit.storage.mlflow.base import Part
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


@pytest.fixture
def settings(tmp_path, environ):
    return Settings.from_environment({"EVERFIT_ROOT": str(tmp_path), **environ})


@pytest.fixture
def environ() -> dict[str, str]:
    """What the registry's fixture adds to the environment."""
    return {}


@pytest.fixture(params=["file", "client", pytest.param("server", marks=pytest.mark.thorough)])
def registry(request, tmp_path, monkeypatch, environ):
    environ["EVERFIT_ROOT"] = str(tmp_path)
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


FAMILIES = tuple(
    Part(name, {"model.alpha": "1"}, {"cv_score": 2.0}, {"trial/cv_score": ((1, 3.0), (3, 2.0))})
    for name in ("linear", "random_forest")
)


def nested_below(settings: Settings, run: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(settings.mlflow, settings.mlflow)
    experiment = client.get_experiment_by_name("fares").experiment_id
    found = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run}'")
    curves = [client.get_metric_history(one.info.run_id, "trial/cv_score") for one in found]
    for one, curve in zip(found, curves, strict=True):
        assert [(point.step, point.value) for point in curve] == [(1, 3.0), (3, 2.0)]
        assert (one.info.status, one.data.metrics["cv_score"]) == ("FINISHED", 2.0)
        assert (one.data.params, one.data.metrics["trial/cv_score"]) == ({"model.alpha": "1"}, 2.0)
    return sorted(one.info.run_name for one in found)


def test_nested_runs_are_there_once_with_their_curves_and_go_with_their_parent(registry, settings):
    log = replace(run_log("a" * 64), parts=FAMILIES)
    run = registry.ensure_run(log, lambda _: {}).run
    assert registry.ensure_run(log, lambda _: {}).run == run
    assert nested_below(settings, run) == ["linear", "random_forest"]
    assert [one.run for one in registry.runs("fares")] == [run]
    registry.delete_run(run)
    assert nested_below(settings, run) == []
    again = registry.ensure_run(log, lambda _: {}).run
    assert nested_below(settings, again) == ["linear", "random_forest"]


@pytest.mark.parametrize("registry", ["client"], indirect=True)
@pytest.mark.parametrize(
    ("call", "number"), [("create_run", 2), ("log_batch", 2), ("set_terminated", 1)]
)
def test_nested_runs_that_were_cut_off_are_completed_and_never_doubled(
    registry, settings, monkeypatch, call, number
):
    log = replace(run_log("a" * 64), parts=FAMILIES)
    done = getattr(registry._client, call)
    calls = []

    def cut(*given, **more):
        calls.append(call)
        answer = done(*given, **more)
        if len(calls) == number:
            raise KeyboardInterrupt  # done, and nobody knows
        return answer

    monkeypatch.setattr(registry._client, call, cut)
    with pytest.raises(KeyboardInterrupt):
        registry.ensure_run(log, lambda _: {})
    run = registry.ensure_run(log, lambda _: {}).run
    assert nested_below(settings, run) == ["linear", "random_forest"]
    assert [(one.run, one.status) for one in registry.runs("fares")] == [(run, "FINISHED")]
