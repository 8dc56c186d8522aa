"""Notices through the real notifiers: a mail server, a web hook and a Slack of our own."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from uuid import uuid4

import pytest
from aiosmtpd.controller import Controller
from airflow.serialization.serialized_objects import DagSerialization

from everfit.contracts.spec.load import load_spec
from everfit_airflow.dags.monitor_dag import MEASURED
from everfit_airflow.dags.pipeline_dags import pipeline_dags
from everfit_airflow.observability.notifying import failing, notices
from everfit_airflow.operators.failures import UserActionRequired

# Apprise still imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

PAGE = "cd" * 32
BASE = "http://airflow.example.org/here"
WHY = "MAE fell by 4 % {{ 7 * 7 }} <b> & more."
PROMOTED = {
    "kind": "promoted",
    "what": "version 3 is the champion",
    "why": WHY,
    "report": "decision_report",
}
LINE = "SOURCE trips.csv: must be CSV; it is a zip. Correct its suffix."


class Ti:
    """What a callback asks of a task instance."""

    dag_id, run_id, map_index = "fares.train", "manual__2026-01-01T00:00:00+00:00", -1
    log_url = f"{BASE}/log"

    def __init__(self, task_id="register", **left):
        self.task_id, self.left = task_id, left

    def xcom_pull(self, task_ids, key="return_value", map_indexes=None):
        assert map_indexes == -1
        if task_ids == self.task_id:
            return self.left.get(key)
        assert (task_ids, key) == ("gate", "return_value")
        return outcome("gate", reports=report("decision_report"))


def report(name: str) -> dict:
    return {name: {"name": f"{name}.html", "digest": PAGE, "size": 9}}


def outcome(component: str, **further) -> dict:
    left = {"component": component, "result": PAGE, "key": PAGE, "cached": False, "seconds": 1.0}
    return {**left, **further}


def told(*news, **more) -> dict:
    return {"ti": Ti(return_value=outcome("register", news=list(news), **more))}


@pytest.fixture(autouse=True)
def surroundings(folder, monkeypatch):
    """The addresses of pages, and no connection but those of a test."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE)
    monkeypatch.delenv("EVERFIT_NOTIFY", raising=False)


class Variables(dict):
    """Airflow's variables."""

    def get(self, key, default):
        return super().get(key, default)

    def delete(self, key):
        del self[key]

    def set(self, key, value, description=None):
        self[key] = value


@pytest.fixture
def variables(monkeypatch):
    from airflow.sdk import Variable

    kept = Variables()
    for name in ("get", "set", "delete"):
        monkeypatch.setattr(Variable, name, getattr(kept, name))
    return kept


def teller(folder, *addresses):
    spec = folder / "fares.yaml"
    spec.write_text(spec.read_text() + f"notify: {json.dumps(addresses)}\n")
    return SimpleNamespace(**notices(load_spec(spec)))


def connection(monkeypatch, name: str, **parts) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(parts))


@pytest.fixture
def mails(monkeypatch):
    """A mail server; what arrives."""
    arrived = []

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            arrived.append(
                (envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default))
            )
            return "250 OK"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(Handler(), hostname="127.0.0.1", port=port)
    server.start()
    connection(
        monkeypatch,
        "smtp_default",
        conn_type="smtp",
        host="127.0.0.1",
        port=port,
        extra={"from_email": "everfit@example.org", "disable_tls": True, "disable_ssl": True},
    )
    yield arrived
    server.stop()


@pytest.fixture
def web():
    """A web server that answers everything as Slack does, and what it was told."""
    arrived = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.append((self.path, dict(self.headers), json.loads(body)))
            answer = b'{"ok": true}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(port=server.server_address[1], arrived=arrived)
    server.shutdown()
    thread.join()
    server.server_close()


def page_of(mail) -> str:
    (part,) = mail.iter_parts()
    assert part.get_content_type() == "text/html"
    return part.get_content()


RUN = f"{BASE}/dags/fares.train/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00"
REPORT = f"{BASE}/everfit/report/{PAGE}"


def test_a_mail_says_what_why_and_where(folder, variables, mails):
    callbacks = teller(folder, "smtp:team@example.org;lead@example.org")
    mlflow = "http://mlflow/run"
    callbacks.on_success_callback(told(PROMOTED, links={"mlflow_run": mlflow}))
    ((recipients, mail),) = mails
    assert recipients == ["team@example.org", "lead@example.org"]
    assert mail["Subject"] == "[fares] promoted: version 3 is the champion"
    assert mail["From"] == "everfit@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    page = page_of(mail)
    assert "MAE fell by 4 % {{ 7 * 7 }} &lt;b&gt; &amp; more." in page  # as it was written
    for name, url in (("Decision report", REPORT), ("MLflow run", mlflow), ("Run", RUN)):
        assert f'<a href="{url}">{name}</a>' in page


def test_slack_gets_one_message_in_its_channel(folder, variables, web, monkeypatch):
    connection(
        monkeypatch,
        "slack_api_default",
        conn_type="slack",
        password="xoxb-secret",
        extra={"base_url": f"http://127.0.0.1:{web.port}/api/"},
    )
    teller(folder, "slack:#ml-models").on_success_callback(told(PROMOTED))
    ((path, headers, body),) = web.arrived
    assert path == "/api/chat.postMessage"
    assert headers["Authorization"] == "Bearer xoxb-secret"
    assert body["channel"] == "#ml-models"
    assert body["text"] == (
        "*[fares] promoted: version 3 is the champion*\n"
        "MAE fell by 4 % {{ 7 * 7 }} &lt;b&gt; &amp; more.\n"
        f"<{REPORT}|Decision report> · <{RUN}|Run>"
    )


def test_apprise_reaches_what_has_the_tag(folder, variables, web, monkeypatch):
    services = [
        {"path": f"json://127.0.0.1:{web.port}/{tag}", "tag": tag} for tag in ("ops", "others")
    ]
    connection(monkeypatch, "apprise_default", conn_type="apprise", extra={"config": services})
    teller(folder, "apprise:ops").on_success_callback(told({**PROMOTED, "kind": "drift"}))
    ((path, _, body),) = web.arrived
    assert path == "/ops"
    assert body["title"] == "[fares] drift: version 3 is the champion"
    assert body["message"] == f"{WHY}\n\nDecision report: {REPORT}\nRun: {RUN}"
    assert body["type"] == "warning"


def test_an_address_hears_only_what_it_asks_for(folder, variables, mails):
    callbacks = teller(folder, "smtp:a@example.org[drift,failed]", "smtp:b@example.org[promoted]")
    drift = {"kind": "drift", "what": "distance drifts", "why": ""}
    callbacks.on_success_callback(told(PROMOTED, drift))
    assert [(to, mail["X-Everfit-Kind"]) for to, mail in mails] == [
        (["b@example.org"], "promoted"),
        (["a@example.org"], "drift"),
    ]


def test_no_news_is_no_mail(folder, variables, mails):
    callbacks = teller(folder, "smtp:a@example.org")
    callbacks.on_success_callback(told())
    callbacks.on_success_callback({"ti": Ti()})
    callbacks.on_skipped_callback({"ti": Ti("plan", because="PLAN-SKIP fares: nothing changed.")})
    assert mails == []


def test_what_is_left_where_there_is_nothing_to_do_is_told(folder, variables, mails):
    callbacks = teller(folder, "smtp:a@example.org")
    news = {
        "kind": "quarantined",
        "what": "2018-02 is left out",
        "why": "2018-02: UNIT-CHANGE.",
        "report": "data_report",
    }
    ended = {"nothing_to_do": "no", "news": [news], "reports": report("data_report")}
    callbacks.on_skipped_callback({"ti": Ti("validate", ended=ended)})
    ((_, mail),) = mails
    assert mail["Subject"] == "[fares] quarantined: 2018-02 is left out"
    assert f'<a href="{REPORT}">Data report</a>' in page_of(mail)


def test_a_line_break_in_a_name_stays_out_of_the_header(folder, variables, mails):
    what = "span a\r\nBcc: everybody@example.org\x00 " + "x" * 300
    teller(folder, "smtp:a@example.org").on_success_callback(told({**PROMOTED, "what": what}))
    ((to, mail),) = mails
    assert to == ["a@example.org"]
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("[fares] promoted: span a Bcc: everybody@example.org x")
    assert len(mail["Subject"]) == 150


def test_a_failure_is_told_once_for_each_cause(folder, variables, mails):
    callbacks = teller(folder, "smtp:a@example.org")

    def fail(line):
        callbacks.on_failure_callback({"ti": Ti("extract", because=line), "exception": None})

    fail(LINE)
    fail(LINE.replace("trips", "others"))
    assert [mail["Subject"] for _, mail in mails] == ["[fares] failed: extract of fares.train"]
    page = page_of(mails[0][1])
    assert LINE in page
    assert f'<a href="{BASE}/log">Log</a>' in page
    fail("LEDGER postgresql: did not answer.")
    assert len(mails) == 2
    callbacks.on_success_callback({"ti": Ti("extract")})
    assert variables == {}
    fail("LEDGER postgresql: did not answer.")
    assert len(mails) == 3


def test_a_lasting_failure_is_told_again_every_day(variables):
    began = datetime(2026, 1, 1, tzinfo=UTC)
    ti = Ti("extract")
    hours = [
        hour
        for hour in range(50)
        if failing.remember_failure(ti, LINE, began + timedelta(hours=hour))
    ]
    assert hours == [0, 24, 48]


def test_each_family_fails_for_itself(variables):
    linear, trees = Ti("train"), Ti("train")
    linear.map_index, trees.map_index = 0, 1
    assert failing.remember_failure(linear, LINE)
    assert failing.remember_failure(trees, LINE)
    failing.forget_failure(linear)
    assert not failing.remember_failure(trees, LINE)


def test_without_a_word_of_the_component_the_exception_is_the_reason(folder, variables, mails):
    callbacks = teller(folder, "smtp:a@example.org")
    callbacks.on_failure_callback(
        {"ti": Ti("plan"), "exception": UserActionRequired("SPEC fares: no.")}
    )
    callbacks.on_failure_callback({"ti": Ti("gate"), "exception": None})
    pages = [page_of(mail) for _, mail in mails]
    assert "SPEC fares: no." in pages[0]
    assert "ended without a message" in pages[1]


def test_a_memory_that_does_not_answer_tells_rather_twice(folder, mails, monkeypatch):
    from airflow.sdk import Variable

    def away(*_, **__):
        raise OSError("no answer")

    monkeypatch.setattr(Variable, "get", away)
    callbacks = teller(folder, "smtp:a@example.org")
    for _ in range(2):
        callbacks.on_failure_callback({"ti": Ti("plan", because=LINE)})
    callbacks.on_success_callback(told(PROMOTED))
    assert len(mails) == 3


@pytest.mark.parametrize("address", ["smtp:a@example.org", "slack:#a", "apprise:a"])
def test_a_notifier_that_fails_fails_nothing_and_names_no_secret(
    folder, variables, monkeypatch, caplog, address
):
    secret = "hunter2-hunter2"
    connection(
        monkeypatch,
        "smtp_default",
        conn_type="smtp",
        host="127.0.0.1",
        port=1,
        login="me",
        password=secret,
        extra={"from_email": "e@example.org"},
    )
    connection(
        monkeypatch,
        "slack_api_default",
        conn_type="slack",
        password=secret,
        extra={"base_url": "http://127.0.0.1:1/"},
    )
    connection(monkeypatch, "apprise_default", conn_type="apprise", extra={"config": secret})
    with caplog.at_level(logging.INFO):
        teller(folder, address).on_success_callback(told(PROMOTED))
    (line,) = [r.getMessage() for r in caplog.records if r.name.startswith("everfit_airflow")]
    assert line.startswith(f"NOTIFY {address}: was not told of '[fares] promoted:")
    assert secret not in caplog.text


def test_a_missing_connection_is_one_line(folder, variables, caplog):
    with caplog.at_level(logging.WARNING, "everfit_airflow"):
        teller(folder, "smtp:a@example.org").on_success_callback(told(PROMOTED))
    (line,) = [r.getMessage() for r in caplog.records if r.name.startswith("everfit_airflow")]
    assert "SMTP connection is not found" in line


def test_it_is_off_until_a_line_turns_it_on(folder, monkeypatch):
    spec = folder / "fares.yaml"
    assert notices(load_spec(spec)) == {}
    monkeypatch.setenv("EVERFIT_NOTIFY", "smtp:team@example.org[failed,stale],slack:#x")
    on = notices(load_spec(spec))["on_success_callback"].__self__.destinations
    assert [str(to) for to in on] == ["smtp:team@example.org", "slack:#x"]
    assert on[0].kinds == {"failed", "stale"}
    text = spec.read_text()
    spec.write_text(text + 'notify: ["apprise:ops"]\n')
    (own,) = notices(load_spec(spec))["on_success_callback"].__self__.destinations
    assert str(own) == "apprise:ops"
    spec.write_text(text + "notify: []\n")
    assert notices(load_spec(spec)) == {}


def test_a_slip_in_the_setting_takes_no_dag_away(folder, monkeypatch, caplog):
    monkeypatch.setenv("EVERFIT_NOTIFY", "team@example.org,slack:#x")
    (to,) = notices(load_spec(folder / "fares.yaml"))["on_success_callback"].__self__.destinations
    assert str(to) == "slack:#x"
    assert "EVERFIT_NOTIFY: an address is slack:#channel" in caplog.text


def test_every_task_tells_and_the_dag_stays_the_same_each_time_it_is_read(folder):
    teller(folder, "smtp:a@example.org")
    first, second = pipeline_dags(folder / "fares.yaml"), pipeline_dags(folder / "fares.yaml")
    for dag, again in zip(first, second, strict=True):
        for task in dag.tasks:
            silent = task.task_id == MEASURED
            assert bool(task.on_success_callback) is not silent, task.task_id
            assert bool(task.on_failure_callback) is not silent or silent
        # A difference would be a new version of the DAG with every look at it.
        assert DagSerialization.to_dict(dag) == DagSerialization.to_dict(again)
        assert "0x" not in json.dumps(DagSerialization.to_dict(dag))


def test_reading_the_dags_imports_no_provider(folder):
    teller(folder, "smtp:a@example.org", "slack:#a", "apprise:a")
    code = (
        "import sys; from pathlib import Path; from airflow.sdk import Asset; "
        # Airflow imports what providers have for URIs of assets, with whatever hook they use for
        # it, when any DAG makes its first asset: that is not ours to spare.
        "Asset('none://of/ours'); airflows = {m for m in sys.modules if '.hooks' in m}; "
        "from everfit_airflow.dags.pipeline_dags import pipeline_dags; "
        f"assert pipeline_dags(Path({str(folder / 'fares.yaml')!r})); "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('apprise', 'slack_sdk', 'aiosmtplib')"
        " or m.startswith('airflow.providers') and ('.notifications' in m"
        " or '.hooks' in m and m not in airflows)]; "
        "assert not bad, bad"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_a_task_whose_worker_is_lost_is_told_by_the_dag_processor(
    folder, variables, mails, monkeypatch
):
    """What Airflow does when a task's heartbeat stops: there is no process left to call back."""
    import structlog
    from airflow.api_fastapi.execution_api.datamodels.taskinstance import TaskInstance
    from airflow.callbacks.callback_requests import TaskCallbackRequest
    from airflow.dag_processing.processor import _execute_task_callbacks
    from airflow.sdk.execution_time.xcom import XCom

    teller(folder, "smtp:a@example.org")
    dags = {dag.dag_id: dag for dag in pipeline_dags(folder / "fares.yaml")}
    request = TaskCallbackRequest(
        filepath="everfit_pipelines.py",
        bundle_name="dags-folder",
        bundle_version=None,
        msg="no heartbeat",
        ti=TaskInstance(
            id=uuid4(),
            dag_version_id=uuid4(),
            dag_id="fares.train",
            task_id="plan",
            run_id="manual__1",
            try_number=3,
            map_index=-1,
            hostname="gone",
            queue="default",
        ),
    )
    monkeypatch.setattr(XCom, "get_one", lambda **_: None)
    _execute_task_callbacks(SimpleNamespace(dags=dags), request, structlog.get_logger())
    ((_, mail),) = mails
    assert mail["Subject"] == "[fares] failed: plan of fares.train"
    assert "ended without a message" in page_of(mail)
