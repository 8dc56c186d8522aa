from __future__ import annotations

import pytest

from everfit.contracts.spec.load import load_spec
from everfit_airflow.dags.describe import describe, first_line
from everfit_airflow.operators.failures import UserActionRequired
from everfit_airflow.operators.orders import AirflowRun, make_order
from everfit_airflow.security.child_environment import connection_url

BY_HAND = AirflowRun("manual", "r")


@pytest.fixture
def spec(folder):
    return load_spec(folder / "fares.yaml")


@pytest.mark.parametrize(
    ("run_type", "ours"),
    [
        ("manual", "manual"),
        ("scheduled", "scheduled"),
        ("backfill", "backfill"),
        ("asset_triggered", "asset"),
        ("something_new", "manual"),
    ],
)
def test_what_woke_the_pipeline_is_read_from_the_run(spec, run_type, ours):
    order = make_order("plan", spec, None, AirflowRun(run_type, "r"), {"run_type": "cli"}, {})
    assert order.trigger.run_type == ours


@pytest.mark.parametrize(
    ("text", "window"), [(None, None), ("", None), (" ", None), ("all", "all"), ("7", 7), (7, 7)]
)
def test_windows(spec, text, window):
    assert make_order("plan", spec, None, BY_HAND, {"window": text}, {}).options.window == window


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "٣x"])
def test_what_is_no_window_is_a_mistake(spec, text):
    with pytest.raises(UserActionRequired, match="ORDER window"):
        make_order("plan", spec, None, BY_HAND, {"window": text}, {})


def test_too_long_a_reason_is_a_mistake(spec):
    with pytest.raises(UserActionRequired, match=r"ORDER .*500"):
        make_order("plan", spec, None, BY_HAND, {"reason": "x" * 501}, {})


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        (("postgres", "me", "pw", "db", 5432, "taxi"), "postgresql+psycopg://me:pw@db:5432/taxi"),
        (("postgres", None, None, "db", None, None), "postgresql+psycopg://db/"),
        (("sqlite", None, None, "/data/trips.db", None, None), "sqlite:////data/trips.db"),
        (("mysql+pymysql", "me", None, "db", 1, "s"), "mysql+pymysql://me@db:1/s"),
    ],
)
def test_connections(connection, url):
    assert connection_url(*connection) == url


def test_the_dags_page_says_what_the_gate_asks(spec):
    text = describe(spec)
    assert "better than the champion's by at least 1 %" in text
    assert "MAE at most 5" in text
    assert "`median` dummy" in text
    assert "(/everfit/glossary)" in text
    assert "`0 3 * * 1` (Europe/Berlin)" in text
    assert first_line(spec) == "Trains and judges a regression model of fare."


def test_a_training_keeps_who_started_it_by_login_and_never_by_the_form():
    run = AirflowRun("manual", "r", person="  ada   lovelace ")
    assert run.trigger({"person": "bob"}).person == "ada lovelace"
    assert BY_HAND.trigger({"person": "bob"}).person == ""
