"""What a component read and wrote, as OpenLineage's provider tells it on."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from openlineage.client.serde import Serde

from everfit.contracts.messages.steps import Order, Outcome
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import load_spec
from everfit_airflow.observability.datasets import Work
from everfit_airflow.observability.lineage import facets
from everfit_airflow.operators.operator import ComponentOperator
from tests.dags.conftest import REPOSITORY
from tests.summaries import summary

A, B, C = "ab" * 32, "cd" * 32, "ef" * 32


def left(component: str, digest: str, **further) -> Outcome:
    return Outcome(
        component=component,
        result=digest,
        key=C,
        cached=False,
        seconds=1.0,
        summary=summary(component, **further),
    )


@pytest.fixture
def world(folder, tmp_path):
    """Gives a function that makes what a task has done."""

    def make(component: str, outcome=None, upstream=(), more: str = "", **environ) -> Work:
        spec = folder / "fares.yaml"
        if more:
            spec.write_text(spec.read_text().replace('source: {uri: "{data}/*.csv"}', more))
        settings = Settings.from_environment({"EVERFIT_ROOT": str(tmp_path), **environ})
        order = Order(
            component=component,
            pipeline=load_spec(spec),
            upstream={found.component: (found.result,) for found in upstream},
        )
        told = {found.component: [found.model_dump(mode="json")] for found in upstream}
        return Work(order, settings, told, outcome)

    return make


def datasets(found) -> list[tuple[str, str, str | None]]:
    return [
        (d.namespace, d.name, getattr(d.facets.get("version"), "datasetVersion", None))
        for d in found
    ]


def test_extract_reads_the_source_and_leaves_spans(world, tmp_path):
    plan = left("plan", A, run_key="0123456789ab")
    found = facets(world("extract", left("extract", B, rows=1200, bytes=34_567), [plan]))
    assert datasets(found.inputs) == [
        ("file", f"{tmp_path}/data", None),
        ("file", f"{tmp_path}/.everfit/store/fares.plan", A),
    ]
    assert datasets(found.outputs) == [("file", f"{tmp_path}/.everfit/store/fares.extract", B)]
    counted = found.outputs[0].outputFacets["outputStatistics"]
    assert (counted.rowCount, counted.size) == (1200, 34_567)
    facet = found.run_facets["everfit"]
    assert (facet.runKey, facet.pipeline, facet.component) == ("0123456789ab", "fares", "extract")
    assert found.job_facets == {}


def test_a_version_in_the_registry_is_a_data_set(world):
    gate = left("gate", A, verdict="promote")
    work = world(
        "register",
        left("register", B, version=7),
        [left("plan", C, run_key="ff"), gate],
        EVERFIT_MLFLOW="https://someone:canary@mlflow.example.org:8443/base",
        EVERFIT_STORE="s3://bucket/every/fit",
    )
    found = facets(work)
    assert datasets(found.inputs) == [
        ("s3://bucket", "every/fit/fares.plan", C),
        ("s3://bucket", "every/fit/fares.gate", A),
    ]
    assert datasets(found.outputs) == [
        ("s3://bucket", "every/fit/fares.register", B),
        ("mlflow://mlflow.example.org:8443", "models/fares", "7"),
    ]
    assert found.run_facets["everfit"].verdict == "promote"
    assert "canary" not in Serde.to_json(found.outputs[1])


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("s3://lake/trips/2024-*.parquet", ("s3://lake", "trips")),
        ("s3://lake", ("s3://lake", "/")),
        ("https://data.example.org/a/b.csv", ("https://data.example.org", "a/b.csv")),
        ("/srv/trips/*.csv", ("file", "/srv/trips")),
        ("file:///srv/trips/one.csv", ("file", "/srv/trips/one.csv")),
    ],
)
def test_a_source_is_named_as_others_name_it(world, uri, named):
    work = world("plan", more=f'source: {{uri: "{uri}"}}')
    ((namespace, name, _),) = datasets(facets(work).inputs)
    assert (namespace, name) == named


def test_data_in_a_bucket_by_setting(world):
    work = world("plan", EVERFIT_DATA="s3://lake/raw")
    ((namespace, name, _),) = datasets(facets(work).inputs)
    assert (namespace, name) == ("s3://lake", "raw")


def test_a_query_is_told_and_the_connection_by_its_name_alone(world, monkeypatch):
    monkeypatch.setenv("EVERFIT_CONN_TRIPS", "postgresql+psycopg://reader:canary@db/trips")
    work = world(
        "plan",
        more="source: {uri: sql, connection: trips, query: SELECT * FROM trips, watermark: at}",
    )
    found = facets(work)
    assert datasets(found.inputs) == [("connection://trips", "fares", None)]
    assert found.job_facets["sql"].query == "SELECT * FROM trips"
    later = world("validate", upstream=[left("plan", A)])
    assert facets(later).job_facets == {}  # asks no database


def test_what_failed_has_read_and_written_nothing(world):
    work = world("extract", None, [left("plan", A)])
    found = facets(work)
    assert found.outputs == []
    assert len(found.inputs) == 2
    assert facets(None) is None


def test_the_operator_answers_the_provider(folder, world):
    from airflow.providers.openlineage.extractors.manager import ExtractorManager
    from airflow.utils.state import TaskInstanceState

    task = ComponentOperator(
        task_id="extract", component="extract", spec_file=str(folder / "fares.yaml")
    )
    task._work = world("extract", left("extract", B), [left("plan", A)])
    found = ExtractorManager().extract_metadata(
        dagrun=SimpleNamespace(run_id="r"),
        task=task,
        task_instance_state=TaskInstanceState.SUCCESS,
        task_instance=SimpleNamespace(),
    )
    assert datasets(found.outputs) == datasets(facets(task._work).outputs)
    assert "everfit" in found.run_facets


def test_the_run_facet_is_valid_json_with_its_schema(world):
    work = world("gate", left("gate", B, verdict="hold"))
    said = json.loads(Serde.to_json(facets(replace(work)).run_facets["everfit"]))
    assert said["verdict"] == "hold"
    assert said["_producer"]
    assert said["_schemaURL"].startswith("https://openlineage.io/spec/")


def test_without_the_provider_nothing_happens(folder):
    code = (
        "import sys; from pathlib import Path; sys.modules['openlineage'] = None; "
        "from everfit_airflow.observability.datasets import Work; "
        "from everfit_airflow.observability.lineage import facets; "
        "from everfit.contracts.settings import Settings; "
        "from everfit.contracts.spec.load import load_spec; "
        "from everfit.contracts.messages.steps import Order; "
        f"spec = load_spec(Path({str(folder / 'fares.yaml')!r})); "
        "work = Work(Order(component='plan', pipeline=spec), Settings.from_environment(), {}); "
        "assert facets(work) is None"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            str(REPOSITORY / folder) for folder in ("", "pipeline_components", "plugins")
        ),
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_task_has_our_plugin_once_and_that_of_lineage() -> None:
    """Where a name comes twice, Airflow's tasks leave out every plugin after it."""
    program = (
        "from airflow.sdk.plugins_manager import _get_plugins\n"
        "print([plugin.name for plugin in _get_plugins()[0]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    names = ast.literal_eval(done.stdout.splitlines()[-1])
    assert names.count("everfit") == 1
    assert "OpenLineageProviderPlugin" in names


def test_a_checkout_that_is_not_installed_has_our_plugin_by_its_folder() -> None:
    program = (
        "import importlib.metadata as m, sys, everfit, everfit_airflow\n"
        "m.entry_points = lambda **asked: ()\n"
        "sys.path.insert(0, 'plugins')\n"
        "import everfit_plugin\n"
        "print(everfit_plugin.EverfitPlugin.name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
    )
    assert done.stdout.splitlines()[-1] == "everfit"
