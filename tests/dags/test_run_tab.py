"""What the tab of a run shows at each stage of it."""

from __future__ import annotations

import hashlib
import importlib

import pytest

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.steps import Outcome
from everfit_airflow.ui import board_routes, report_pages
from everfit_airflow.ui.report_pages import build_app
from everfit_airflow.ui.run_tab import RunSoFar, run_tab

PAGES = {
    hashlib.sha256(page).hexdigest(): page
    for page in (
        b"<!doctype html><html><body><h1>decision</h1></body></html>",
        b"<!doctype html><html><body><h1>data</h1></body></html>",
    )
}
DECISION, DATA = PAGES


def left(component: str, report: str = "", digest: str = "", mlflow: str = "") -> Outcome:
    page = Artifact(name=f"{report}.html", digest=digest or "0" * 64, size=9)
    return Outcome(
        component=component,
        result="1" * 64,
        key="2" * 64,
        cached=False,
        seconds=1.0,
        reports={report: page} if report else {},
        links={"mlflow_run": mlflow} if mlflow else {},
    )


WHOLE = RunSoFar(
    {
        "validate": left("validate", "data_report", DATA),
        "gate": left("gate", "decision_report", DECISION),
        "register": left("register", mlflow="http://m/#/runs/1?a=<b>"),
    }
)


def titles(run: RunSoFar) -> list[str]:
    return [report["title"] for report in run_tab(run, readable=True)["reports"]]


def test_the_decision_stands_first_and_the_others_follow():
    assert titles(WHOLE) == ["Decision report", "Data report"]  # there is no model card yet
    assert run_tab(WHOLE, readable=True)["mlflow"] == "http://m/#/runs/1?a=<b>"


def test_a_run_that_has_only_begun_has_nothing_to_show():
    state = run_tab(RunSoFar(), readable=True)
    assert state["reports"] == state["reasons"] == state["decisions"] == []


def test_a_run_without_a_report_says_why():
    run = RunSoFar(because=[("plan", "PLAN fares: <nothing> changed.")])
    assert run_tab(run, readable=True)["reasons"] == [
        {"task": "plan", "line": "PLAN fares: <nothing> changed."}
    ]


def test_a_run_of_monitoring_shows_its_own_reports():
    run = RunSoFar(
        {
            "monitor": left("monitor", "monitor_report", "d" * 64),
            "drift_report": left(
                "drift_report", "drift_report", "a" * 64, mlflow="http://m/#/runs/2"
            ),
        }
    )
    assert titles(run) == ["Monitor report", "Drift report (Evidently)"]
    state = run_tab(run, readable=True)
    assert [report["drawsItself"] for report in state["reports"]] == [False, True]
    assert state["mlflow"] == "http://m/#/runs/2"


def test_a_store_elsewhere_is_told():
    state = run_tab(WHOLE, readable=False)
    assert not state["readable"]
    assert state["mlflow"]


@pytest.fixture
def client(tmp_path, monkeypatch):
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    for digest, page in PAGES.items():
        path = tmp_path / "blobs" / digest[:2] / digest
        path.parent.mkdir(parents=True)
        path.write_bytes(page)
    monkeypatch.setenv("EVERFIT_STORE", tmp_path.as_uri())
    monkeypatch.setattr(report_pages, "run_so_far", lambda dag_id, run_id: WHOLE)
    app = build_app()
    app.dependency_overrides[get_user] = lambda: "somebody"
    for route in app.routes:
        for dependency in getattr(getattr(route, "dependant", None), "dependencies", ()):
            if dependency.call is not get_user:
                app.dependency_overrides[dependency.call] = lambda: None
    return TestClient(app)


def test_a_report_is_reached_by_its_run_and_name(client):
    page = client.get("/runs/fares.train/manual__1/decision_report")
    assert page.text == PAGES[DECISION].decode()
    assert client.get("/runs/fares.train/manual__1/model_card").status_code == 404
    assert client.get("/runs/fares.train/manual__1/nonsense").status_code == 404


def test_a_report_takes_the_colour_mode_of_airflow(client):
    address = "/runs/fares.train/manual__1/decision_report"
    assert '<html data-theme="dark">' in client.get(address, params={"mode": "dark"}).text
    assert client.get(address, params={"mode": "<b>"}).status_code == 422


def test_the_tab_is_told_the_state_of_its_run(client):
    reply = client.get("/runs/fares.train/manual__1")
    assert reply.json() == run_tab(WHOLE, readable=True)
    assert reply.headers["cache-control"] == "private, no-store"


def test_the_tabs_script_is_given_as_it_is(client):
    reply = client.get("/run_tab.js")
    assert reply.headers["content-type"].startswith("text/javascript")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.content == report_pages.SCRIPT.read_bytes()


def test_the_model_card_is_as_the_last_step_has_drawn_it():
    candidate, registered = (
        Outcome(
            component=name,
            result="0" * 64,
            key="1" * 64,
            cached=False,
            seconds=1.0,
            reports={"model_card": Artifact(name="c.html", digest=digit * 64, size=1)},
        )
        for name, digit in (("evaluate", "a"), ("register", "b"))
    )
    assert RunSoFar({"evaluate": candidate}).digest("model_card") == "a" * 64
    both = RunSoFar({"evaluate": candidate, "register": registered})
    assert both.digest("model_card") == "b" * 64


def test_nobody_sees_a_run_without_a_login(monkeypatch):
    from fastapi.testclient import TestClient

    monkeypatch.setattr(report_pages, "run_so_far", lambda dag_id, run_id: WHOLE)
    client = TestClient(build_app())
    for address in (
        "/runs/fares.train/manual__1",
        "/runs/f.train/m/decision_report",
        "/run_tab.js",
    ):
        assert client.get(address).status_code == 401


def test_the_plugin_puts_a_tab_on_runs_and_dags_and_a_page_beside_them(monkeypatch):
    from everfit_airflow import plugin

    # Its addresses are made once, when Airflow loads it.
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    tab, models, model = importlib.reload(plugin).EverfitPlugin.react_apps
    assert tab["destination"] == "dag_run"
    assert tab["bundle_url"] == "/everfit/run_tab.js"
    assert (models["destination"], model["destination"]) == ("nav", "dag")
    assert models["bundle_url"] == model["bundle_url"] == "/everfit/cockpit/app.js"
    # Airflow keeps a component under its plugin's name, and finds the page by its route.
    for key in ("name", "url_route"):
        assert len({tab[key], models[key], model[key]}) == 3
    script = (board_routes.FILES / "app.js").read_text()
    for one in (models, model):
        assert f"globalThis.{one['name']} = " in script
        assert f"plugin/{one['url_route']}" in script
