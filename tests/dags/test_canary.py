"""Whatever a service does, no secret shows: real components, handed real connections that fail.

What a component writes is looked at here before Airflow masks it, so that one barrier alone holds.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from everfit.contracts.messages.chain import CHAIN
from everfit_airflow.operators.failures import ComponentFailed, UserActionRequired
from everfit_airflow.operators.operator import ComponentOperator
from tests.canary import Canaries, ProcessList, find
from tests.dags.conftest import REPOSITORY

PLANTED = {
    "aws": "canary/of+aws=secret",
    "session": "canary-of-aws-session",
    "ledger": "canary:of@ledger",
    "mlflow": "canary&of mlflow",
    "source": "canary?of#source",
    "signing": "canaryOfTheSigningKey",
}
CANARIES = Canaries(PLANTED)

OUTCOME = {"result": "ab" * 32, "key": "cd" * 32, "cached": False, "seconds": 1.0}


class Ti:
    """What the operator asks of a task instance."""

    dag_id, run_id, task_id, map_index = "fares.train", "manual__1", "plan", -1

    def __init__(self):
        self.pushed = {}

    def xcom_pull(self, task_ids):
        return [OUTCOME | {"component": name} for name in task_ids]

    def xcom_push(self, key, value):
        self.pushed[key] = value


def context(ti: Ti) -> dict:
    run = SimpleNamespace(run_type="manual", run_id="manual__1", logical_date=None, run_after=None)
    params = {"window": None, "force": False, "reason": None}
    return {"ti": ti, "dag_run": run, "params": params, "triggering_asset_events": {}}


@pytest.fixture(scope="module")
def refusing():
    """A server that lets nobody in, and shows what it was asked with, as some do."""

    class Refusing(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = json.dumps({"error_code": "PERMISSION_DENIED", "message": str(self.headers)})
            body = told.encode()
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def nobody():
    """An address that nobody answers at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def hand_on(folder, monkeypatch, tmp_path, caplog):
    """Gives a function that runs a component with those connections, and what came of it."""
    spec = folder / "fares.yaml"
    spec.write_text(
        spec.read_text().replace(
            'source: {uri: "{data}/*.csv"}',
            "source: {uri: sql, connection: trips, query: SELECT * FROM trips, watermark: at}",
        )
    )
    monkeypatch.setenv("EVERFIT_PYTHON", str(REPOSITORY / ".venv" / "bin" / "python"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("EVERFIT_CONN_TRIPS", f"sqlite:///{tmp_path}/none.db")
    caplog.set_level(logging.INFO)

    def run(component: str, named: dict[str, dict], store: str = "", **variables: str) -> str:
        runners = tmp_path / "runners.yaml"
        runners.write_text(json.dumps({"connections": {name: f"c_{name}" for name in named}}))
        monkeypatch.setenv("EVERFIT_RUNNERS", str(runners))
        for name, parts in named.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_C_{name.upper()}", json.dumps(parts))
        if store:
            monkeypatch.setenv("EVERFIT_STORE", store)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        ti = Ti()
        task = ComponentOperator(
            task_id=component,
            component=component,
            spec_file=str(spec),
            reads=CHAIN.get(component, ()),
        )
        with (
            ProcessList(CANARIES) as watched,
            pytest.raises((UserActionRequired, ComponentFailed)) as left,
        ):
            watched.look()
            task.execute(context(ti))
        said = "\n".join([str(left.value), caplog.text, json.dumps(ti.pushed)])
        (tmp_path / "said.log").write_text(said)
        runners.unlink()
        assert find(CANARIES, [tmp_path]) == [], said
        assert watched.found == set()
        assert watched.looks
        return str(left.value)

    return run


def books(place: str, user: str = "everfit", **more) -> dict:
    parts = urlsplit(f"//{place}")
    return {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "schema": "postgres",
        "login": user,
        "password": PLANTED["ledger"],
        **more,
    }


def test_a_ledger_that_refuses_the_password(hand_on, postgresql_url):
    line = hand_on("plan", {"ledger": books(urlsplit(postgresql_url).netloc.rpartition("@")[2])})
    assert line.startswith("LEDGER-")


def test_a_ledger_that_is_away(hand_on, nobody):
    assert hand_on("plan", {"ledger": books(nobody)}).startswith("LEDGER-")


def test_a_ledger_whose_address_is_none(hand_on):
    wrong = f"postgresql+psycopg://everfit:{PLANTED['ledger']}@db:no-port/ledger"
    assert hand_on("plan", {}, EVERFIT_LEDGER=wrong).startswith("LEDGER-")


def test_a_ledger_of_a_kind_that_nothing_here_speaks(hand_on):
    wrong = "oracle+none://everfit:canary%3Aof%40ledger@db/ledger"
    assert hand_on("plan", {}, EVERFIT_LEDGER=wrong).startswith("LEDGER-")


def source(place: str, scheme: str = "postgresql+psycopg") -> dict[str, str]:
    return {"EVERFIT_CONN_TRIPS": f"{scheme}://reader:canary%3Fof%23source@{place}/postgres"}


def test_a_source_that_refuses_the_password(hand_on, postgresql_url):
    place = urlsplit(postgresql_url).netloc.rpartition("@")[2]
    assert hand_on("plan", {}, **source(place)).startswith("SOURCE-CREDENTIALS")


def test_a_source_that_is_away(hand_on, nobody):
    assert hand_on("plan", {}, **source(nobody)).startswith("SOURCE-")


def test_a_source_whose_address_is_none(hand_on):
    assert hand_on("plan", {}, **source("db:no-port")).startswith("SOURCE-CONNECTION")


def test_a_source_of_a_kind_that_nothing_here_speaks(hand_on):
    assert hand_on("plan", {}, **source("db", "oracle+none")).startswith("SOURCE-DRIVER")


def lake(endpoint: str) -> dict:
    extra = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_session_token": PLANTED["session"],
    }
    return {"conn_type": "aws", "login": "AKIA", "password": PLANTED["aws"], "extra": extra}


def test_a_store_that_refuses_the_key(hand_on, refusing):
    line = hand_on("validate", {"aws": lake(f"http://{refusing}")}, "s3://bucket/everfit")
    assert line.startswith("STORE-")


def test_a_store_that_is_away(hand_on, nobody):
    line = hand_on("validate", {"aws": lake(f"http://{nobody}")}, "s3://bucket/everfit")
    assert line.startswith("STORE-")


def test_a_store_whose_address_holds_the_secret(hand_on, nobody):
    """As nobody should write it; AWS takes no keys from there."""
    named = {"aws": lake(f"http://user:canary%2Fof%2Baws%3Dsecret@{nobody}")}
    assert hand_on("validate", named, "s3://bucket/everfit").startswith("STORE-")


def tracking(host: str) -> dict:
    return {
        "conn_type": "http",
        "host": host,
        "login": "everfit",
        "password": PLANTED["mlflow"],
    }


def test_a_registry_that_refuses_the_password(hand_on, refusing):
    assert hand_on("reconcile", {"mlflow": tracking(refusing)}).startswith("REGISTRY-")


def test_a_registry_that_is_away(hand_on, nobody):
    assert hand_on("reconcile", {"mlflow": tracking(nobody)}).startswith("REGISTRY-")


def test_a_registry_whose_address_holds_the_password(hand_on, nobody):
    wrong = f"http://everfit:canary%26of%20mlflow@{nobody}"
    assert hand_on("reconcile", {}, EVERFIT_MLFLOW=wrong).startswith("REGISTRY-URL")


def test_a_signing_key_that_is_none(hand_on):
    text = f"-----BEGIN PRIVATE KEY-----\n{PLANTED['signing']}\n-----END PRIVATE KEY-----\n"
    seal = {"conn_type": "generic", "password": text}
    assert hand_on("plan", {"signing": seal}).startswith("SIGNING-KEY")


def test_a_signing_key_that_is_taken_for_a_path(hand_on):
    seal = {"conn_type": "generic", "password": PLANTED["signing"]}
    assert hand_on("plan", {"signing": seal, "ledger": books("127.0.0.1:9")}).startswith("LEDGER-")


def test_the_look_would_find_a_secret_that_is_told(tmp_path):
    """Without which all of the above would prove nothing."""
    for name, secret in PLANTED.items():
        Path(tmp_path, "said.log").write_text(f"could not connect with {secret!r}")
        assert [found.canary for found in find(CANARIES, [tmp_path])] == [name]
