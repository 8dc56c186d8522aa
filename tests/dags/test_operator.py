from __future__ import annotations

import json
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from everfit_airflow.dags.assets import signal_asset, wake_alias
from everfit_airflow.operators.failures import RETRIES, ComponentFailed, UserActionRequired
from everfit_airflow.operators.operator import ComponentOperator
from everfit_airflow.ui.run_tab import BECAUSE, ENDED
from tests.dags.tasks import DIGEST, OUTCOME, TICK, Ti, context, leave, task
from tests.summaries import summary


def test_the_outcome_is_the_xcom(folder, component):
    component(leave(OUTCOME))
    assert task(folder).execute(context()) == OUTCOME


def test_the_order_says_everything(folder, component, tmp_path):
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave(OUTCOME))
    task(folder).execute(
        context(run_type="scheduled", window="2", force=True, reason=" the feed was fixed ")
    )
    order = json.loads((tmp_path / "seen.json").read_text())
    assert order["component"] == "extract"
    assert order["pipeline"]["name"] == "fares"
    assert order["upstream"] == {"plan": [DIGEST]}
    assert order["trigger"] == {
        "run_type": "scheduled",
        "reason": "the feed was fixed",
        "run_id": "manual__1",
        "due": "2026-03-02T03:00:00+00:00",
        "person": "",
    }
    assert order["options"] == {"window": 2, "force": True, "cooldown": False}
    assert order["sweep"] is False


def test_the_order_names_the_assets_that_rang_and_not_the_form(folder, component, tmp_path):
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave({**OUTCOME, "component": "plan"}))
    rang = [
        (signal_asset("fares", "drift"), TICK, "sweep 2"),
        (wake_alias("fares"), TICK, "sweep 2"),
        (signal_asset("fares", "code"), TICK - timedelta(hours=1), "sweep 1"),  # while paused
        (signal_asset("fares", "new_data"), TICK, "sweep 2"),
    ]
    task(folder, "plan").execute(
        context(run_type="asset_triggered", rang=rang, reason="as I say", cooldown=True)
    )
    order = json.loads((tmp_path / "seen.json").read_text())
    assert order["trigger"] == {
        "run_type": "asset",
        "reason": "drift, new_data",
        "run_id": "manual__1",
        "due": "",
        "person": "",
    }
    assert order["options"]["cooldown"] is True


CONDITIONS = """
triggers:
  any: [{new_data: {}}, {drift: {}}, {code: true}]
"""


def sweep(folder, component, tmp_path, signals, **given) -> tuple[dict, dict[str, dict]]:
    """The order of a sweep, and what it rings: URI → what the event tells."""
    text = (folder / "fares.yaml").read_text()
    (folder / "fares.yaml").write_text(text[: text.index("triggers:")] + CONDITIONS)
    told = {
        **OUTCOME,
        "component": "plan",
        "signals": signals,
        "summary": summary("plan", because="2 spans are new"),
    }
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave(told))
    surroundings = context(**given)
    ComponentOperator(
        task_id="wake",
        component="plan",
        spec_file=str(folder / "fares.yaml"),
        sweep=True,
        outlets=[wake_alias("fares")],
    ).execute(surroundings)
    (events,) = surroundings["outlet_events"]._dict.values()
    rung = {event.dest_asset_key.uri: event.extra for event in events.asset_alias_events}
    return json.loads((tmp_path / "seen.json").read_text()), rung


def test_a_sweep_only_rings_for_what_there_is(folder, component, tmp_path):
    order, rung = sweep(folder, component, tmp_path, ["drift", "due"], run_type="scheduled")
    assert order["sweep"] is True
    assert order["upstream"] == {}
    assert order["trigger"]["due"] == ""  # its tick is none of the spec's schedules
    assert rung == {
        "everfit://fares/drift": {"because": "2 spans are new"},
        "everfit://fares/due": {"because": "2 spans are new"},
    }


def test_a_sweep_that_found_nothing_rings_nothing(folder, component, tmp_path):
    assert sweep(folder, component, tmp_path, [])[1] == {}


def test_a_signal_without_an_asset_of_its_own_is_not_lost(folder, component, tmp_path):
    # The spec was edited while the DAG still runs as it was: no condition is ``decay``.
    _, rung = sweep(folder, component, tmp_path, ["decay"])
    assert list(rung) == ["everfit://fares/due"]


def test_a_component_of_monitoring_reads_what_monitoring_made(folder, component, tmp_path):
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave(OUTCOME))
    ti = Ti({"plan": [{**OUTCOME, "result": "1" * 64}], "watch": [OUTCOME]})
    task(folder, reads=["watch"]).execute(context(ti=ti))
    assert json.loads((tmp_path / "seen.json").read_text())["upstream"] == {"watch": [DIGEST]}


def test_the_order_of_evaluate_names_every_family_in_order(folder, component, tmp_path):
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave({**OUTCOME, "component": "evaluate"}))
    trained = [{**OUTCOME, "component": "train", "result": digit * 64} for digit in "12"]
    ti = Ti({"plan": [OUTCOME], "prepare": [OUTCOME], "train": trained})
    task(folder, "evaluate").execute(context(ti=ti))
    order = json.loads((tmp_path / "seen.json").read_text())
    assert order["upstream"]["train"] == ["1" * 64, "2" * 64]


def test_the_curated_schema_is_read_when_the_task_runs(folder, component, tmp_path):
    operator = task(folder)
    (folder / "fares.schema.yaml").write_text("columns: {fare: {type: float}}\n")
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave(OUTCOME))
    operator.execute(context())
    order = json.loads((tmp_path / "seen.json").read_text())
    assert list(order["pipeline"]["curated"]["columns"]) == ["fare"]


def test_a_mistake_is_one_line_and_not_tried_again(folder, component):
    line = "SOURCE trips.csv: must be CSV; it is a zip. Correct its suffix."
    component(f"echo reading >&2; echo '{line}' >&2; exit 2\n")
    ti = Ti({"plan": [OUTCOME]})
    with pytest.raises(UserActionRequired) as caught:
        task(folder).execute(context(ti=ti))
    assert str(caught.value) == line
    assert ti.pushed == {BECAUSE: line}
    decision = RETRIES["retry_policy"].evaluate(caught.value, 1, 3)
    assert decision.action.value == "fail"


@pytest.mark.parametrize("code", [1, 75, 137])
def test_other_failures_are_tried_again(folder, component, code):
    component(f"echo 'LEDGER: did not answer.' >&2; exit {code}\n")
    with pytest.raises(ComponentFailed, match="did not answer") as caught:
        task(folder).execute(context())
    assert not isinstance(caught.value, UserActionRequired)
    assert RETRIES["retry_policy"].evaluate(caught.value, 1, 3).action.value == "default"
    assert RETRIES["retries"] == 2


def test_nothing_to_do_skips_and_says_why(folder, component):
    component("echo 'PLAN fares: nothing changed.' >&2; exit 3\n")
    ti = Ti()
    with pytest.raises(AirflowSkipException, match="nothing changed"):
        task(folder, "plan").execute(context(ti=ti))
    assert ti.pushed == {BECAUSE: "PLAN fares: nothing changed."}


def test_what_is_left_where_nothing_is_to_do_is_kept(folder, component):
    ended = {
        "nothing_to_do": "PLAN fares: waiting.",
        "news": [
            {"kind": "stale", "what": "no verdict for 30 days", "why": "no span is new"},
        ],
    }
    component(leave(ended) + "echo 'PLAN fares: waiting.' >&2; exit 3\n")
    ti = Ti()
    with pytest.raises(AirflowSkipException):
        task(folder, "plan").execute(context(ti=ti))
    assert ti.pushed[ENDED]["news"][0]["what"] == "no verdict for 30 days"


@pytest.mark.parametrize("left", ["no JSON", '{"component": "extract"}', "[]"])
def test_an_outcome_that_is_none_is_told_in_a_line(folder, component, left):
    component(f"echo '{left}' > \"$outcome\"\n")
    ti = Ti({"plan": [OUTCOME]})
    with pytest.raises(
        UserActionRequired, match=r"OUTCOME extract: an outcome must follow the contract"
    ) as caught:
        task(folder).execute(context(ti=ti))
    assert "\n" not in str(caught.value)
    assert ti.pushed == {BECAUSE: str(caught.value)}


def test_an_end_without_an_outcome_is_a_failure(folder, component):
    component("exit 0\n")
    with pytest.raises(ComponentFailed, match="left none"):
        task(folder).execute(context())


def test_death_by_a_signal_is_a_failure(folder, component):
    component("kill -9 $$\n")
    with pytest.raises(ComponentFailed, match="signal 9"):
        task(folder).execute(context())


def test_a_missing_interpreter_says_what_to_do(folder, monkeypatch):
    monkeypatch.setenv("EVERFIT_PYTHON", "/nowhere/python")
    with pytest.raises(UserActionRequired, match=r"EVERFIT-PYTHON /nowhere/python.*make setup"):
        task(folder).execute(context())


def test_a_broken_spec_is_a_mistake(folder, component):
    component("exit 0\n")
    operator = task(folder)
    (folder / "fares.yaml").write_text("task: regression\n")
    with pytest.raises(UserActionRequired, match=r"SPEC fares\.yaml: .*gate: is required"):
        operator.execute(context())


def test_a_missing_result_is_a_mistake(folder, component):
    component("exit 0\n")
    with pytest.raises(UserActionRequired, match="ORDER-UPSTREAM plan"):
        task(folder).execute(context(ti=Ti()))
