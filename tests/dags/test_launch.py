from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from everfit_launch.configuration import airflow_environment, login, signing_secret
from everfit_launch.errors import LaunchError
from everfit_launch.ports import port_setting
from everfit_launch.rest import TaskState
from everfit_launch.screen import RunView, Screen
from everfit_launch.services import Services


def test_a_taken_port_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LaunchError) as caught:
            port_setting(
                "EVERFIT_AIRFLOW_PORT", 8080, "the page", {"EVERFIT_AIRFLOW_PORT": str(port)}
            )
    line = str(caught.value)
    assert f"PORT {port}: the page" in line
    assert f"EVERFIT_AIRFLOW_PORT={port + 1}" in line
    assert "\n" not in line


def test_where_no_port_is_asked_for_a_free_one_is_found_and_told():
    told = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        default = taken.getsockname()[1]
        port = port_setting("P", default, "the page", {}, told.append)
    assert port != default
    assert told == [f"port {default} is taken: the page is at port {port}"]
    assert port_setting("P", default, "the page", {}, told.append) == default
    assert len(told) == 1


@pytest.mark.parametrize("text", ["http", "-1", "65536", "80 80"])
def test_what_is_no_port_says_so(text):
    with pytest.raises(LaunchError, match="PORT P: a port is a number"):
        port_setting("P", 8080, "the page", {"P": text})


def test_the_login_is_made_once_and_is_its_owners(settings):
    user, password = login(settings)
    assert (user, password) == login(settings)
    assert signing_secret(settings) == signing_secret(settings)
    for path in (settings.home / "airflow").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_airflow_on_the_machine_leaks_nothing_in(settings):
    environ = {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW_HOME": "/elsewhere",
        "PYTHONPATH": "/x",
        "PATH": "/bin",
        "EVERFIT_STORE": "s3://b/p",
    }
    found = airflow_environment(settings, 8080, environ, 30)
    assert found["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert found["AIRFLOW_HOME"] == str(settings.home / "airflow")
    assert "PYTHONPATH" not in found
    bundles = json.loads(found["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [bundle["name"] for bundle in bundles] == ["dags-folder", "spec-errors"]


def test_a_checkout_is_imported_from_where_it_is(settings, tmp_path):
    (settings.root / "pipeline_components" / "everfit").mkdir(parents=True)
    found = airflow_environment(settings, 8080, {"PYTHONPATH": "/x"}, 30)["PYTHONPATH"]
    assert found.split(os.pathsep) == [
        str(settings.root / name) for name in ("pipeline_components", "plugins")
    ]


@pytest.mark.parametrize(
    ("variable", "disabled"),
    [
        ("OPENLINEAGE_URL", "False"),
        ("OPENLINEAGE_CONFIG", "False"),
        ("OPENLINEAGE__TRANSPORT__TYPE", "False"),
        ("OPENLINEAGE_NAMESPACE", "True"),
    ],
)
def test_lineage_is_off_where_nobody_listens(settings, variable, disabled):
    found = airflow_environment(settings, 8080, {variable: "x"}, 30)
    assert found["AIRFLOW__OPENLINEAGE__DISABLED"] == disabled
    assert airflow_environment(settings, 8080, {}, 30)["AIRFLOW__OPENLINEAGE__DISABLED"] == "True"


@pytest.fixture
def services(tmp_path, monkeypatch):
    monkeypatch.setattr("everfit_launch.services.PATIENCE", (0.2, 0.2, 5.0))
    made = Services(tmp_path)
    yield made
    made.stop()


STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, time\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen(['sleep', '300'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(300)",
]


def test_stop_leaves_nothing_running(services):
    services.start("stubborn", STUBBORN, dict(os.environ))
    child = _child(services)
    services.stop()
    assert _gone(child)


def test_the_next_start_ends_what_a_killed_one_left(services, tmp_path):
    launcher = os.fork()
    if launcher == 0:
        services.start("stubborn", STUBBORN, dict(os.environ))
        time.sleep(60)
        os._exit(0)
    child = _child(services)
    os.kill(launcher, signal.SIGKILL)
    os.waitpid(launcher, 0)
    next_one = Services(tmp_path)
    next_one.clear_the_way()
    assert _gone(child)
    next_one.stop()


def test_what_another_launcher_runs_is_left_alone(services, tmp_path):
    services.clear_the_way()
    services.start("stubborn", STUBBORN, dict(os.environ))
    child = _child(services)
    other = Services(tmp_path)
    with pytest.raises(LaunchError, match="at work already"):
        other.clear_the_way()
    other.stop()
    assert not _gone(child, seconds=0.3)
    assert (tmp_path / "processes.json").exists()


def test_a_service_that_ends_is_told_with_its_last_line(services):
    services.start("api-server", ["/bin/sh", "-c", "echo no such module; exit 7"], {})
    deadline = time.monotonic() + 10
    with pytest.raises(LaunchError, match=r"SERVICE api-server: .*code 7: 'no such module'"):
        while time.monotonic() < deadline:
            services.check()
            time.sleep(0.02)


def test_a_run_is_shown_a_line_a_task(tmp_path):
    stream = io.StringIO()
    view = RunView(Screen(stream), tmp_path, ["plan", "train"])
    began = datetime.now(UTC)

    def task(name, state, index=-1, label="", seconds=1.5, tries=1):
        return TaskState(
            name, index, label, state, began, began + timedelta(seconds=seconds), tries
        )

    view.update([task("plan", "running")])
    view.update([task("plan", "success"), task("train", "running", 0, "linear")])
    view.update([task("plan", "success"), task("train", "up_for_retry", 0, "linear")])
    view.update([task("plan", "success"), task("train", "failed", 0, "linear", tries=2)])
    lines = [line.split() for line in stream.getvalue().splitlines()]
    assert lines == [
        ["✓", "plan", "1.5", "s"],
        ["↻", "train", "linear", "1.5", "s", "up", "for", "retry"],
        ["✗", "train", "linear", "1.5", "s", "failed,", "try", "2"],
    ]


def test_a_task_at_work_says_how_far_it_is_and_nothing_of_its_frame(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    view = RunView(Screen(stream), tmp_path, ["plan", "train"])
    log = tmp_path / "task_id=train" / "map_index=0" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    lines = (
        "fares train: key 8aa5c8cde07c",
        "training linear: 40 %",
        "fares train: done in 2.0 s;",
    )
    for count, shown in ((1, "train linear"), (2, "train linear: 40 %"), (3, ": 40 %")):
        log.write_text(
            "".join(
                json.dumps({"logger": "everfit.train", "event": text}) + "\n"
                for text in lines[:count]
            )
        )
        view.update([TaskState("train", 0, "linear", "running", None, None, 1)])
        assert stream.getvalue().endswith(shown)


def _child(services) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        line = services.last_line("stubborn")
        if line.isdigit():
            return int(line)
        time.sleep(0.02)
    raise AssertionError("the program never started")


def _gone(pid: int, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        shown = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
        if not shown or shown.startswith("Z"):
            return True
        time.sleep(0.05)
    return False
