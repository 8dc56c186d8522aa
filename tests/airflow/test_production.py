"""A team's settings on a real Airflow: every credential in a connection, and a canary in each.

One pipeline is trained, and then its source's password is changed. Whatever was written by then is
looked through for the secrets.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from everfit_airflow.security.signing_keys import public_of
from tests.airflow.production import MONITOR, NAME, PEM, SECRETS, TRAIN, Production
from tests.airflow.stand import until
from tests.canary import Canaries, ProcessList, find

CANARIES = Canaries(SECRETS)


@pytest.fixture(scope="module")
def watched() -> Iterator[ProcessList]:
    """The list of processes, from before the first is started until the last has ended."""
    with ProcessList(CANARIES, every=0.25) as looking:
        yield looking


@pytest.fixture(scope="module")
def production(
    watched: ProcessList,
    tmp_path_factory: pytest.TempPathFactory,
    postgresql_url: str,
    s3_endpoint: str,
) -> Iterator[Production]:
    made = Production(tmp_path_factory.mktemp("production"), postgresql_url, s3_endpoint)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def trained(production: Production) -> str:
    """A training that went to its end."""
    run, state = production.run(TRAIN, {"reason": "to see whether the door is locked"})
    tasks = production.api.tasks(TRAIN, run)
    lines = {
        task.task: production.api.xcom(TRAIN, run, task.task, "because")
        for task in tasks
        if task.state == "failed"
    }
    assert state == "success", lines
    assert {task.task: task.state for task in tasks}["register"] == "success"
    return run


def test_every_credential_comes_from_its_connection(production: Production, trained: str):
    assert production.locked.let_in > 0
    with production.ledger() as ledger:
        (version,) = ledger.versions(NAME)
    assert version.signature.startswith(public_of(PEM))
    assert not list(production.settings.home.rglob("signing.key"))
    with sqlite3.connect(production.folder / "mlflow.db") as database:
        assert database.execute("SELECT name, version FROM model_versions").fetchall() == [
            (NAME, 1)
        ]
    database.close()
    stored = production.s3.list_objects_v2(Bucket=production.buckets[0])["Contents"]
    assert any(item["Key"].startswith("every/fit/results/gate/") for item in stored)


def test_a_report_is_shown_from_the_bucket(production: Production, trained: str):
    address = production.api.links(TRAIN, trained, "gate")["Decision report"]
    status, page = production.page(urlsplit(address).path)
    assert status == 200
    assert page[:15].lower() == b"<!doctype html>"


def test_a_tasks_log_is_kept_in_the_bucket_and_read_back(production: Production, trained: str):
    logs = [
        item["Key"]
        for item in production.s3.list_objects_v2(Bucket=production.buckets[1])["Contents"]
    ]
    of_extract = [key for key in logs if "task_id=extract" in key and trained in key]
    assert of_extract
    here = production.settings.home / "airflow" / "logs"
    assert not [path for path in here.rglob("*.log") if "task_id=extract" in str(path)]
    shown = production.log(TRAIN, trained, "extract")
    assert "extract: done in" in shown or "sealed extract" in shown
    assert f"s3://{production.buckets[1]}" in shown


def test_metrics_are_heard(production: Production, trained: str):
    def names() -> set[str]:
        return {line.partition(":")[0] for line in production.statsd.heard}

    for name in (
        "airflow.everfit.component.duration.sealed.extract",
        "airflow.everfit.component.queued.sealed.train",
        "airflow.everfit.component.ended.sealed.register.done",
        "airflow.everfit.component.rows.sealed.extract",
        "airflow.everfit.verdict.sealed.gate.promote",
    ):
        assert name in names()
    assert any(name.endswith("scheduled_duration") for name in names())  # Airflow's own


def test_lineage_is_heard(production: Production, trained: str):
    def told() -> dict[str, dict[str, Any]]:
        return {
            event["job"]["name"]: event
            for event in production.events()
            if event["eventType"] == "COMPLETE" and event["job"]["name"].startswith(f"{TRAIN}.")
        }

    # A task is done before its event is sent.
    until(lambda: f"{TRAIN}.register" in told(), "register has told")
    ended = told()
    extract, register = ended[f"{TRAIN}.extract"], ended[f"{TRAIN}.register"]
    store = f"s3://{production.buckets[0]}"
    assert [(d["namespace"], d["name"]) for d in extract["inputs"]] == [
        ("connection://trips", NAME),
        (store, f"every/fit/{NAME}.plan"),
    ]
    assert [(d["namespace"], d["name"]) for d in extract["outputs"]] == [
        (store, f"every/fit/{NAME}.extract")
    ]
    assert extract["job"]["facets"]["sql"]["query"].startswith("SELECT picked_up")
    assert [d["name"] for d in register["outputs"]] == [
        f"every/fit/{NAME}.register",
        f"models/{NAME}",
    ]
    place = urlsplit(production.locked.address).netloc
    assert register["outputs"][1]["namespace"] == f"mlflow://{place}"
    assert register["outputs"][1]["facets"]["version"]["datasetVersion"] == "1"
    assert register["run"]["facets"]["everfit"]["verdict"] == "promote"
    (key,) = {
        event["run"]["facets"]["everfit"]["runKey"]
        for name, event in ended.items()
        if name.rpartition(".")[2]
        in ("validate", "prepare", "train", "evaluate", "gate", "register")
    }
    assert len(key) == 12


@pytest.fixture(scope="module")
def refused(production: Production, trained: str) -> str:
    """A training whose source lets nobody in any more."""
    production.sql(production.trips, "ALTER ROLE reader PASSWORD 'another'")
    run, state = production.run(TRAIN, {"reason": "to see what is said"})
    assert state == "failed"
    return run


def test_what_is_refused_is_said_and_nothing_more(production: Production, refused: str):
    line = production.api.xcom(TRAIN, refused, "plan", "because")
    assert line.startswith("SOURCE-CREDENTIALS EVERFIT_CONN_TRIPS: ")
    events = json.loads(production.log(TRAIN, refused, "plan"))["content"]
    assert line in {event.get("event") for event in events}


def test_no_canary_shows_anywhere(production: Production, refused: str, watched: ProcessList):
    home = production.settings.home
    for dag_id in (MONITOR, "everfit.reconcile"):
        production.api.pause(dag_id, False)
        production.run(dag_id)
    time.sleep(5)  # a callback's log is written after the run has ended
    for run in (refused, production.runs(TRAIN)[0]["dag_run_id"]):
        for task in production.api.tasks(TRAIN, run):
            if task.map_index < 0 and task.state in ("success", "failed"):
                assert CANARIES.inside(production.log(TRAIN, run, task.task).encode()) == []
    shown = production.api.call("GET", "/connections?limit=100")
    assert len(shown["connections"]) >= 7
    assert CANARIES.inside(json.dumps(shown).encode()) == []
    assert CANARIES.inside("\n".join(production.statsd.heard).encode()) == []
    logged = home / "airflow" / "logs"
    assert [path for path in logged.rglob("*") if path.is_file()]
    servers = [
        url.replace("+psycopg:", "+psycopg2:") for url in (production.airflows, production.books)
    ]
    found = find(
        CANARIES,
        roots=[production.folder],
        databases=[*servers, f"sqlite:///{production.folder / 'mlflow.db'}"],
        buckets=[(production.s3, bucket) for bucket in production.buckets],
        commands=[["ps", "axww", "-o", "args"]],
        but=["login.json", "signing-secret"],
    )
    assert found == []
    assert watched.found == set()
    assert watched.looks > 50


def test_the_connections_are_there_and_sealed(production: Production):
    """The look at Airflow's database took in the table that holds all of them."""
    said = subprocess.run(
        [
            "psql",
            "-At",
            "-c",
            "SELECT conn_id, is_encrypted FROM connection",
            production.airflows.replace("+psycopg", ""),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "lake|t" in said.stdout.splitlines()
