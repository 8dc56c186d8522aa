"""Both ways to MLflow come to the same outcome, as MLflow itself reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError
from everfit.contracts.settings import Settings
from everfit.engine.context import open_context
from everfit.steps.register.step import Register
from everfit.storage.mlflow import ShownVersion, open_registry
from everfit.storage.mlflow.client import ClientRegistry
from everfit.storage.mlflow.sqlite import SqliteRegistry
from tests.unit.register.small_run import small_run
from tests.unit.registry.served import mlflow_server

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module", params=["file", "client", "server"])
def world(request, tmp_path_factory):
    """A promoted run, by each way; and the client that reads it back."""
    from mlflow import MlflowClient

    root = tmp_path_factory.mktemp(request.param)
    environ = {"EVERFIT_ROOT": str(root)}
    if request.param == "server":
        environ["EVERFIT_MLFLOW"] = request.getfixturevalue("server")
    settings = Settings.from_environment(environ)
    with pytest.MonkeyPatch.context() as patch, open_context(settings) as context:
        if request.param == "client":
            patch.setattr("everfit.storage.mlflow.sqlite.REVISIONS", frozenset())
        with open_registry(settings, "fares") as registry:
            assert isinstance(
                registry, SqliteRegistry if request.param == "file" else ClientRegistry
            )
        asked = small_run(context)
        result = Register().run(asked, context)
        assert canonical_json(Register().run(asked, context)) == canonical_json(result)
        yield context, asked, result, MlflowClient(settings.mlflow, settings.mlflow)


def test_mlflow_reads_one_finished_run(world):
    _, asked, result, client = world
    experiment = client.get_experiment_by_name("fares")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    (run,) = client.search_runs([experiment.experiment_id])
    assert result.mlflow_run == run.info.run_id
    assert result.mlflow_experiment == experiment.experiment_id
    assert (run.info.status, run.info.run_name) == ("FINISHED", f"linear {asked.run_key[:8]}")
    assert run.data.tags["everfit.run_key"] == asked.run_key
    assert run.data.params["model.alpha"] == "1.0"
    assert run.data.metrics["mae_high"] == 1.0
    assert len(client.get_metric_history(run.info.run_id, "mae")) == 1


def test_mlflow_reads_the_data_the_run_stood_on(world):
    _, asked, result, client = world
    inputs = client.get_run(result.mlflow_run).inputs.dataset_inputs
    found = {(i.dataset.name, i.dataset.digest, i.tags[0].value) for i in inputs}
    assert len(inputs) == 4
    assert ("fares training table", asked.prepared.train.digest[:36], "training") in found
    assert ("2018-02.csv", asked.holdout[0].digest[:36], "holdout span") in found


def test_mlflow_reads_one_version_under_the_alias(world):
    _, asked, result, client = world
    (version,) = client.search_model_versions("name = 'fares'")
    assert int(version.version) == result.version == 1
    assert version.run_id == result.mlflow_run
    assert version.status == "READY"
    assert version.tags["everfit.run_key"] == asked.run_key
    assert version.tags["everfit.promotion"] == "1"
    assert version.description == "promote: the candidate is better by 2.5"
    assert int(client.get_model_version_by_alias("fares", "champion").version) == 1
    about = client.get_registered_model("fares").description
    assert "Predicts `fare` (regression), judged by " in about
    assert "Owner: ada." in about


def test_mlflow_gives_the_models_bytes_back(world, tmp_path):
    from everfit.storage.store import digest_file

    _, asked, result, client = world
    path = client.download_artifacts(result.mlflow_run, "model/model.skops", str(tmp_path))
    assert digest_file(Path(path)) == asked.evaluated.candidate.model.digest
    listed = {item.path for item in client.list_artifacts(result.mlflow_run)}
    assert listed == {"lineage.json", "model", "model_card.md", "plots", "reports"}


def test_every_way_keeps_the_same_folder(world, tmp_path):
    _, _, result, client = world
    folder = Path(client.download_artifacts(result.mlflow_run, "model", str(tmp_path)))
    assert sorted(path.name for path in folder.iterdir()) == [
        "MLmodel",
        "conda.yaml",
        "model.skops",
        "python_env.yaml",
        "requirements.txt",
    ]
    assert f"run_id: {result.mlflow_run}\n" in (folder / "MLmodel").read_text()


def test_mlflow_serves_the_model_with_its_signature(context):
    result = Register().run(small_run(context), context)
    (folder,) = (context.settings.home / "mlartifacts").glob(f"*/{result.mlflow_run}/*/model")
    text = (
        "import sys, pandas, mlflow.pyfunc; model = mlflow.pyfunc.load_model(sys.argv[1]);"
        "print(model.metadata.signature.inputs.input_names());"
        "print(*model.predict(pandas.DataFrame({'riders': [1], 'miles': [3.0]})))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    names, answer = done.stdout.splitlines()
    assert names == "['miles', 'riders']"
    # Ridge(alpha=1) on two standardised columns, solved by hand from the normal equations.
    assert float(answer) == pytest.approx(by_hand(3.0, 1.0))


def by_hand(miles: float, riders: float) -> float:
    import numpy as np

    x = np.array([[1.0, 1], [2, 2], [3, 1], [4, 3]])
    y = np.array([3.0, 6.1, 8.9, 12.2])
    z = (x - x.mean(0)) / x.std(0)
    weights = np.linalg.solve(z.T @ z + np.eye(2), z.T @ (y - y.mean()))
    return float(((np.array([miles, riders]) - x.mean(0)) / x.std(0)) @ weights + y.mean())


def test_every_way_lists_the_same_runs_and_versions(world):
    context, asked, result, client = world
    stray = client.create_run(result.mlflow_experiment).info.run_id  # of no key of ours
    began = client.get_run(result.mlflow_run).info.start_time
    late = {"everfit.run_key": "f" * 64, "mlflow.source.name": "x"}
    running = client.create_run(result.mlflow_experiment, began + 5, late).info.run_id
    source = f"{client.get_run(result.mlflow_run).info.artifact_uri}/model"
    by_hand = int(client.create_model_version("fares", source, result.mlflow_run).version)
    with open_registry(context.settings, "fares") as registry:
        first, second = registry.runs("fares")
        assert (first.run, first.run_key, first.status) == (
            result.mlflow_run,
            asked.run_key,
            "FINISHED",
        )
        assert first.tags["everfit.verdict"] == "promote"
        assert (second.run, second.status) == (running, "RUNNING")
        assert second.tags == {"everfit.run_key": "f" * 64}
        assert registry.versions("fares") == [
            ShownVersion(1, asked.run_key),
            ShownVersion(by_hand, None),
        ]
        client.delete_model_version("fares", str(by_hand))
        for run in (stray, running):
            client.delete_run(run)
        assert registry.runs("fares") == [first]
        assert registry.versions("fares") == [ShownVersion(1, asked.run_key)]
        assert (registry.runs("nobody"), registry.versions("nobody")) == ([], [])


def test_a_younger_twin_is_deleted(world):
    context, asked, result, client = world
    tags = {"everfit.run_key": asked.run_key}
    source = f"{client.get_run(result.mlflow_run).info.artifact_uri}/model"
    twin = client.create_model_version("fares", source, result.mlflow_run, tags)
    client.set_registered_model_alias("fares", "champion", twin.version)
    again = Register().run(asked, context)
    assert (again.version, again.champion) == (1, 1)
    assert [int(v.version) for v in client.search_model_versions("name = 'fares'")] == [1]


def test_an_alias_cannot_name_a_version_that_is_not_there(world):
    context, *_ = world
    with open_registry(context.settings, "fares") as registry:
        with pytest.raises(IntegrityError, match="REGISTRY-VERSION-GONE"):
            registry.set_alias("fares", 99)
        assert registry.alias("fares") == 1
        assert registry.alias("nobody") is None


def test_a_deleted_experiment_is_an_error_with_a_way_out(world):
    context, asked, result, client = world
    client.delete_experiment(result.mlflow_experiment)
    try:
        with pytest.raises(IntegrityError, match=r"REGISTRY-EXPERIMENT-DELETED .*restore"):
            Register().run(asked, context)
    finally:
        client.restore_experiment(result.mlflow_experiment)


def test_a_lost_reply_makes_no_second_version(server, tmp_path, monkeypatch):
    """The server has made the version, its reply is lost, and the client asks once more."""
    import http.client

    settings = Settings.from_environment({"EVERFIT_ROOT": str(tmp_path), "EVERFIT_MLFLOW": server})
    lost = []
    begin, send = http.client.HTTPResponse.begin, http.client.HTTPConnection.putrequest

    def remember(self, method, url, **more):
        remember.last = url
        return send(self, method, url, **more)

    def lose(self):
        begin(self)
        created = remember.last.endswith(("model-versions/create", "runs/create"))
        if created and remember.last not in lost:
            lost.append(remember.last)
            raise ConnectionResetError("the reply was lost")

    monkeypatch.setattr(http.client.HTTPConnection, "putrequest", remember)
    monkeypatch.setattr(http.client.HTTPResponse, "begin", lose)
    with open_context(settings) as context:
        result = Register().run(small_run(context, pipeline="lossy"), context)
    assert len(lost) == 2
    from mlflow import MlflowClient

    client = MlflowClient(server, server)
    (version,) = client.search_model_versions("name = 'lossy'")
    assert int(version.version) == result.version == result.champion
    experiment = client.get_experiment_by_name("lossy")
    assert len(client.search_runs([experiment.experiment_id])) == 1
