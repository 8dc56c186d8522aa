from __future__ import annotations

import pytest
from everfit_airflow.child_environment import connection_url
from everfit_airflow.describe import describe, first_line
from everfit_airflow.failures import MendFirst
from everfit_airflow.orders import Woken, make_order

from pipeline_components.contracts.spec_file import load_spec

BY_HAND = Woken("manual", "r")


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
    order = make_order("plan", spec, None, Woken(run_type, "r"), {"run_type": "cli"}, {})
    assert order.trigger.run_type == ours


@pytest.mark.parametrize(
    ("text", "window"), [(None, None), ("", None), (" ", None), ("all", "all"), ("7", 7), (7, 7)]
)
def test_windows(spec, text, window):
    assert make_order("plan", spec, None, BY_HAND, {"window": text}, {}).wishes.window == window


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "٣x"])
def test_what_is_no_window_is_a_mistake(spec, text):
    with pytest.raises(MendFirst, match="ORDER window"):
        make_order("plan", spec, None, BY_HAND, {"window": text}, {})


def test_too_long_a_reason_is_a_mistake(spec):
    with pytest.raises(MendFirst, match=r"ORDER .*500"):
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
    assert "better than the champion's by more than 1 %" in text
    assert "mean absolute error at most 5" in text
    assert "`median` dummy" in text
    assert "(/everfit/glossary)" in text
    assert "`0 3 * * 1` (Europe/Berlin)" in text
    assert first_line(spec) == "Trains and judges a regression model of fare."
