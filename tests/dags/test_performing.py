"""A component that works for a task: what it sees, how it is heard, and how it is ended."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from airflow.sdk import Connection

from everfit_airflow.operators.failures import ComponentFailed
from everfit_airflow.operators.performing import REMEMBERED
from everfit_airflow.security import credentials as credentials_module
from tests.dags.tasks import OUTCOME, Memory, context, leave, task


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
        conn_id="trips",
        conn_type="postgres",
        host="db",
        login="me",
        password="p@ss/word",
        port=5432,
        schema="taxi",
    )
    masked = []
    monkeypatch.setattr(Connection, "get", classmethod(lambda cls, name: found))
    monkeypatch.setattr(credentials_module, "mask_secret", masked.append)
    component(f'echo "$EVERFIT_CONN_TRIPS" > {tmp_path}/seen\n' + leave(OUTCOME))
    task(folder).execute(context())
    url = "postgresql+psycopg://me:p%40ss%2Fword@db:5432/taxi"
    assert (tmp_path / "seen").read_text().strip() == url
    assert {"p@ss/word", url} <= set(masked)


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
