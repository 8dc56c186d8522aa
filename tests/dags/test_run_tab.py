"""What the tab of a run shows at each stage of it."""

from __future__ import annotations

import hashlib
import importlib

import pytest
from everfit_airflow import report_pages
from everfit_airflow.report_pages import build_app, card_page, read_report
from everfit_airflow.run_tab import RunSoFar, run_tab

PAGES = {
    "d" * 64: b"<!doctype html><html><body><h1>decision</h1></body></html>",
    "a" * 64: b"<!doctype html><html><body><h1>data</h1></body></html>",
}


def left(report: str, digest: str) -> dict[str, object]:
    return {"reports": {report: {"digest": digest}}, "links": {}}


WHOLE = RunSoFar(
    {
        "validate": left("data_report", "a" * 64),
        "gate": left("decision_report", "d" * 64),
        "register": {"links": {"mlflow_run": "http://m/#/runs/1?a=<b>"}},
    }
)


def test_the_decision_stands_first_and_the_others_are_one_click_away():
    page = run_tab(WHOLE, None, PAGES.get).decode()
    assert "<h1>decision</h1>" in page
    assert page.index("Decision report") < page.index("Data report")
    assert "?report=data_report" in page
    assert "Model card" not in page  # there is none yet
    assert "http://m/#/runs/1?a=&lt;b&gt;" in page


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("data_report", "<h1>data</h1>"), ("model_card", "<h1>decision</h1>"), ("<x>", "decision")],
)
def test_what_is_asked_for_is_shown_where_it_is_there(asked, shown):
    page = run_tab(WHOLE, asked, PAGES.get).decode()
    assert shown in page
    assert "<x>" not in page


def test_a_run_that_has_only_begun_says_what_will_come():
    assert "No report yet" in run_tab(RunSoFar(), None, PAGES.get).decode()


def test_a_run_without_a_report_says_why():
    run = RunSoFar(because=[("plan", "PLAN fares: <nothing> changed.")])
    page = run_tab(run, None, PAGES.get).decode()
    assert "PLAN fares: &lt;nothing&gt; changed." in page


def test_a_run_of_monitoring_shows_its_own_reports():
    run = RunSoFar(
        {
            "monitor": left("monitor_report", "d" * 64),
            "drift_report": {
                **left("drift_report", "a" * 64),
                "links": {"mlflow_run": "http://m/#/runs/2"},
            },
        }
    )
    page = run_tab(run, None, PAGES.get).decode()
    assert page.index("Monitor report") < page.index("Drift report (Evidently)")
    assert "<h1>decision</h1>" in page
    assert "http://m/#/runs/2" in page


def test_a_store_elsewhere_is_pointed_to():
    page = run_tab(WHOLE, None, lambda digest: None).decode()
    assert "MLflow" in page
    assert "Data report" in page


def test_a_model_card_is_a_page_and_its_text_stays_text(tmp_path):
    card = b"# Model card: fares\n\n| a | b |\n| --- | --- |\n| <script> | 2 |\n"
    digest = hashlib.sha256(card).hexdigest()
    path = tmp_path / "blobs" / digest[:2] / digest
    path.parent.mkdir(parents=True)
    path.write_bytes(card)
    page = read_report(tmp_path.as_uri(), digest)
    assert page == card_page(card)
    assert b"<h1>Model card: fares</h1>" in page
    assert b"<td>&lt;script&gt;</td>" in page


def test_nobody_sees_a_run_without_a_login(monkeypatch):
    from fastapi.testclient import TestClient

    monkeypatch.setattr(report_pages, "run_so_far", lambda dag_id, run_id: WHOLE)
    assert TestClient(build_app()).get("/runs/fares.train/manual__1").status_code == 401


def test_the_plugin_puts_the_tab_on_runs(monkeypatch):
    import everfit_plugin

    # Its addresses are made once, when Airflow loads it.
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    (view,) = importlib.reload(everfit_plugin).EverfitPlugin.external_views
    assert view["destination"] == "dag_run"
    assert view["href"] == "/everfit/runs/{DAG_ID}/{RUN_ID}"
