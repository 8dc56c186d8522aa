from __future__ import annotations

import json
import logging
import os
import signal
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors
from everfit_airflow import operator as operator_module
from everfit_airflow.assets import bells, signal_asset
from everfit_airflow.failures import RETRIES, ComponentFailed, MendFirst
from everfit_airflow.operator import BECAUSE, ENDED, REMEMBERED, ComponentOperator

DIGEST = "ab" * 32

OUTCOME = {
    "component": "extract", "result": DIGEST, "key": "cd" * 32, "cached": False, "seconds": 1.0,
    "summary": {"rows": 3}, "reports": {}, "links": {}, "signals": [], "news": [],
}  # fmt: skip


class Ti:
    """What the operator asks of a task instance."""

    def __init__(self, xcoms=None):
        self.xcoms, self.pushed = xcoms or {}, {}

    def xcom_pull(self, task_ids):
        return [value for name in task_ids for value in self.xcoms.get(name, [])]

    def xcom_push(self, key, value):
        self.pushed[key] = value


class Memory(dict):
    """The task state store: survives tries."""

    def set(self, key, value):
        self[key] = json.loads(json.dumps(value))


@pytest.fixture
def component(tmp_path, monkeypatch):
    """Gives a function that makes the components' Python a script of one's own."""

    def make(body: str) -> Path:
        path = tmp_path / "python"
        path.write_text(
            "#!/bin/bash\n"
            'while [ $# -gt 0 ]; do case "$1" in --order) order=$2;; --outcome) outcome=$2;; '
            "esac; shift; done\n" + body
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("EVERFIT_PYTHON", str(path))
        return path

    return make


def task(folder, component="extract", **kwargs) -> ComponentOperator:
    return ComponentOperator(
        task_id=component, component=component, spec_file=str(folder / "fares.yaml"), **kwargs
    )


TICK = datetime(2026, 3, 2, 3, tzinfo=UTC)


def context(memory=None, ti=None, run_type="manual", rang=(), **form) -> dict:
    return {
        "params": {"window": None, "force": False, "reason": None, **form},
        "ti": ti or Ti({"plan": [{**OUTCOME, "component": "plan"}]}),
        "dag_run": SimpleNamespace(
            run_type=run_type,
            run_id="manual__1",
            run_after=TICK + timedelta(minutes=1),
            logical_date=None if run_type == "asset_triggered" else TICK,
        ),
        "triggering_asset_events": {
            asset: [SimpleNamespace(timestamp=at, source_run_id=by)] for asset, at, by in rang
        },
        "outlet_events": OutletEventAccessors(),
        "task_state_store": memory if memory is not None else Memory(),
    }


def leave(outcome: dict) -> str:
    return f"cat > \"$outcome\" <<'END'\n{json.dumps(outcome)}\nEND\n"


def test_the_outcome_is_the_xcom(folder, component):
    component(leave(OUTCOME))
    assert task(folder).execute(context()) == OUTCOME


def test_the_order_says_everything(folder, component, tmp_path):
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave(OUTCOME))
    task(folder).execute(
        context(run_type="scheduled", window="2", force=True, reason=" the feed was mended ")
    )
    order = json.loads((tmp_path / "seen.json").read_text())
    assert order["component"] == "extract"
    assert order["pipeline"]["name"] == "fares"
    assert order["upstream"] == {"plan": [DIGEST]}
    assert order["trigger"] == {
        "run_type": "scheduled", "reason": "the feed was mended", "run_id": "manual__1",
        "due": "2026-03-02T03:00:00+00:00",
    }  # fmt: skip
    assert order["wishes"] == {"window": 2, "force": True, "cooldown": False}
    assert order["sweep"] is False


def test_the_order_names_the_assets_that_rang_and_not_the_form(folder, component, tmp_path):
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave({**OUTCOME, "component": "plan"}))
    rang = [
        (signal_asset("fares", "drift"), TICK, "sweep 2"),
        (bells("fares"), TICK, "sweep 2"),
        (signal_asset("fares", "code"), TICK - timedelta(hours=1), "sweep 1"),  # while paused
        (signal_asset("fares", "new_data"), TICK, "sweep 2"),
    ]
    task(folder, "plan").execute(
        context(run_type="asset_triggered", rang=rang, reason="as I say", cooldown=True)
    )
    order = json.loads((tmp_path / "seen.json").read_text())
    assert order["trigger"] == {
        "run_type": "asset", "reason": "new_data, drift", "run_id": "manual__1", "due": "",
    }  # fmt: skip
    assert order["wishes"]["cooldown"] is True


CONDITIONS = """
triggers:
  any: [{new_data: {}}, {drift: {}}, {code: true}]
"""


def sweep(folder, component, tmp_path, signals, **given) -> tuple[dict, dict[str, dict]]:
    """The order of a sweep, and what it rings: URI → what the event tells."""
    text = (folder / "fares.yaml").read_text()
    (folder / "fares.yaml").write_text(text[: text.index("triggers:")] + CONDITIONS)
    told = {
        **OUTCOME, "component": "plan", "signals": signals,
        "summary": {"because": "2 spans are new"},
    }  # fmt: skip
    component(f'cp "$order" {tmp_path}/seen.json\n' + leave(told))
    surroundings = context(**given)
    ComponentOperator(
        task_id="wake", component="plan", spec_file=str(folder / "fares.yaml"), sweep=True,
        outlets=[bells("fares")],
    ).execute(surroundings)  # fmt: skip
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
    with pytest.raises(MendFirst) as caught:
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
    assert not isinstance(caught.value, MendFirst)
    assert RETRIES["retry_policy"].evaluate(caught.value, 1, 3).action.value == "default"
    assert RETRIES["retries"] == 2


def test_nothing_to_do_skips_and_says_why(folder, component):
    component("echo 'PLAN fares: nothing changed.' >&2; exit 3\n")
    ti = Ti()
    with pytest.raises(AirflowSkipException, match="nothing changed"):
        task(folder, "plan").execute(context(ti=ti))
    assert ti.pushed == {BECAUSE: "PLAN fares: nothing changed."}


def test_what_is_left_where_nothing_is_to_do_is_kept(folder, component):
    ended = {"nothing_to_do": "PLAN fares: waiting.", "news": [
        {"kind": "stale", "what": "no verdict for 30 days", "why": "no span is new"},
    ]}  # fmt: skip
    component(leave(ended) + "echo 'PLAN fares: waiting.' >&2; exit 3\n")
    ti = Ti()
    with pytest.raises(AirflowSkipException):
        task(folder, "plan").execute(context(ti=ti))
    assert ti.pushed[ENDED]["news"][0]["what"] == "no verdict for 30 days"


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
    with pytest.raises(MendFirst, match=r"EVERFIT-PYTHON /nowhere/python.*make setup"):
        task(folder).execute(context())


def test_a_broken_spec_is_a_mistake(folder, component):
    component("exit 0\n")
    operator = task(folder)
    (folder / "fares.yaml").write_text("task: regression\n")
    with pytest.raises(MendFirst, match=r"SPEC fares\.yaml: .*gate: is required"):
        operator.execute(context())


def test_a_missing_result_is_a_mistake(folder, component):
    component("exit 0\n")
    with pytest.raises(MendFirst, match="ORDER-UPSTREAM plan"):
        task(folder).execute(context(ti=Ti()))


def test_lines_arrive_while_the_component_works(folder, component, tmp_path):
    gate = tmp_path / "go"
    component(
        f"echo 'extract: 10 %' >&2; while [ ! -e {gate} ]; do sleep 0.02; done\n" + leave(OUTCOME)
    )
    seen = []

    class Listen(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())
            if "10 %" in seen[-1]:
                gate.touch()  # without this line, while it runs, the component never ends

    handler, logger = Listen(), logging.getLogger("everfit.extract")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        task(folder).execute(context())
    finally:
        logger.removeHandler(handler)
    assert seen == ["extract: 10 %"]


def test_the_component_sees_no_airflow_and_no_secret_of_it(
    folder, component, tmp_path, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://u:hunter2@h/db")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "postgresql://u:hunter2@h/db")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("EVERFIT_STORE", "s3://bucket/prefix")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3")
    component(f"env > {tmp_path}/env\n" + leave(OUTCOME))
    task(folder).execute(context())
    seen = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert not [name for name in seen if "AIRFLOW" in name or name.startswith("PYTHON")]
    assert "hunter2" not in "".join(seen.values())
    assert seen["EVERFIT_STORE"] == "s3://bucket/prefix"
    assert seen["AWS_ENDPOINT_URL"] == "http://s3"
    assert seen["EVERFIT_ROOT"] == str(folder.parents[1])


def test_a_connection_is_handed_on_and_masked(folder, component, tmp_path, monkeypatch):
    text = (
        (folder / "fares.yaml")
        .read_text()
        .replace(
            'source: {uri: "{data}/*.csv"}',
            "source: {uri: sql, connection: trips, query: SELECT * FROM t, watermark: at}",
        )
    )
    (folder / "fares.yaml").write_text(text)
    found = Connection(
        conn_id="trips", conn_type="postgres", host="db", login="me", password="p@ss/word",
        port=5432, schema="taxi",
    )  # fmt: skip
    masked = []
    monkeypatch.setattr(Connection, "get", classmethod(lambda cls, name: found))
    monkeypatch.setattr(operator_module, "mask_secret", masked.append)
    component(f'echo "$EVERFIT_CONN_TRIPS" > {tmp_path}/seen\n' + leave(OUTCOME))
    task(folder).execute(context())
    url = "postgresql+psycopg://me:p%40ss%2Fword@db:5432/taxi"
    assert (tmp_path / "seen").read_text().strip() == url
    assert masked == ["p@ss/word", url]


def test_killing_the_task_ends_the_whole_group(folder, component, tmp_path):
    # The component ignores a polite word, and so does its child.
    component(
        f"trap '' TERM; (trap '' TERM; echo $BASHPID > {tmp_path}/child; while :; do sleep 1; done)"
        f" & echo $$ > {tmp_path}/leader; while :; do sleep 1; done\n"
    )
    operator = task(folder)
    failures = []

    def run():
        try:
            operator.execute(context())
        except ComponentFailed as error:
            failures.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    pids = [_read(tmp_path / "leader"), _read(tmp_path / "child")]
    operator.on_kill()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert all(_gone(pid) for pid in pids)
    assert "signal 9" in failures[0]


def test_a_task_killed_before_its_component_starts_never_starts_it(folder, component, tmp_path):
    component(f"touch {tmp_path}/started\n" + leave(OUTCOME))
    operator = task(folder)
    operator.on_kill()
    with pytest.raises(ComponentFailed, match="stopped before it was started"):
        operator.execute(context())
    assert not (tmp_path / "started").exists()


def test_whatever_outlives_the_component_is_ended_with_it(folder, component, tmp_path):
    component(
        f"(echo $BASHPID > {tmp_path}/child; while :; do sleep 1; done) >/dev/null 2>&1 &\n"
        f"while [ ! -s {tmp_path}/child ]; do sleep 0.02; done\n" + leave(OUTCOME)
    )
    task(folder).execute(context())
    assert _gone(_read(tmp_path / "child"))


def test_a_retry_first_ends_what_the_try_before_left_running(folder, component, tmp_path):
    memory = Memory()
    pid = os.fork()
    if pid == 0:  # a task process that is killed while its component works
        component(f"echo $$ > {tmp_path}/leader; while :; do sleep 1; done\n")
        try:
            task(folder).execute(context(_Written(tmp_path / "memory")))
        finally:
            os._exit(0)
    left = _read(tmp_path / "leader")
    memory[REMEMBERED] = json.loads(_text(tmp_path / "memory"))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert _alive(left)
    component(leave(OUTCOME))
    task(folder).execute(context(memory))
    assert _gone(left)


def test_a_number_that_was_given_to_another_process_is_left_alone(folder, component):
    import subprocess

    from everfit_airflow.runners.process import identity

    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        stale = {**identity(other.pid), "started": "another-boot/123"}
        elsewhere = {**identity(other.pid), "host": "another-machine"}
        component(leave(OUTCOME))
        for remembered in (stale, elsewhere, {}, {"group": 1}):
            task(folder).execute(context(Memory({REMEMBERED: remembered})))
            assert other.poll() is None
        other.kill()


class _Written(Memory):
    def __init__(self, path):
        super().__init__()
        self._path = path

    def set(self, key, value):
        aside = self._path.with_suffix(".part")
        aside.write_text(json.dumps(value))
        aside.rename(self._path)


def _text(path: Path) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text().strip()):
            return text
        time.sleep(0.02)
    raise AssertionError(f"{path.name} was never written")


def _read(path: Path) -> int:
    return int(_text(path))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _gone(pid: int) -> bool:
    """Whether it ends soon; the kernel may take a moment after the signal."""
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _alive(pid)
