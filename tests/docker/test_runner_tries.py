"""What one try leaves and another finds: killed runners, lost engines, two tries at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from everfit.contracts.errors import Unavailable
from everfit_airflow.runners import docker as docker_runner
from everfit_airflow.runners import docker_engine
from everfit_airflow.runners.docker_container import body
from everfit_airflow.runners.docker_engine import Engine
from everfit_airflow.runners.reap import reap
from tests.docker.conftest import BASE, REPOSITORY, build
from tests.docker.proxy import Way
from tests.docker.shell import Shell, containers, until

pytestmark = pytest.mark.usefixtures("shell_image")

WAIT = (
    "id=$(cat /proc/sys/kernel/random/uuid); echo $id\n"
    "while [ ! -e /tmp/go ]; do sleep 0.05; done\n"
    "echo on; echo $id > /task/outcome.json\n"
)
"""Says who it is, waits for a word, and leaves who it was."""

ANOTHER_PROCESS = """
import signal, sys
from tests.docker.shell import Shell
shell = Shell(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: shell.runner.stop())
hear = lambda line: print(line, flush=True)
ending = shell.runner.run(sys.argv[2].encode(), {}, {}, hear, lambda what: None)
print("ended", ending.code, flush=True)
"""


def another_process(run_id: str, script: str) -> subprocess.Popen[str]:
    """A try as a process of its own, at work."""
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, run_id, script],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                str(REPOSITORY / folder) for folder in ("", "pipeline_components", "plugins")
            ),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    return process


def a_killed_try(run_id: str, script: str) -> str:
    """Its component works on; gives the first line that it had said."""
    with another_process(run_id, script) as process:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        process.kill()
    return said


def go(engine, run_id) -> None:
    (container,) = containers(engine, run_id)
    container.exec_run("touch /tmp/go")


def test_a_retry_follows_what_the_killed_try_started(engine, run_id):
    who = a_killed_try(run_id, WAIT)
    shell = Shell(run_id)
    shell.begin(WAIT)
    until(lambda: who in shell.lines)
    go(engine, run_id)
    ending = shell.end()
    assert ending.outcome == f"{who}\n".encode()
    assert shell.lines == [
        f"Took over container {shell.name}, which an earlier try had started.",
        who,
        "on",
    ]
    assert containers(engine, run_id) == []


def test_a_retry_collects_what_ended_meanwhile(engine, run_id):
    who = a_killed_try(run_id, WAIT)
    go(engine, run_id)
    (container,) = containers(engine, run_id)
    container.wait()
    shell = Shell(run_id)
    shell.begin(WAIT)
    assert shell.end().outcome == f"{who}\n".encode()
    assert shell.lines[1:] == [who, "on"]
    assert containers(engine, run_id) == []


@pytest.mark.parametrize("end", ["exit 75", "exit 0"])
def test_what_ended_without_an_outcome_is_begun_anew(engine, run_id, end):
    script = f"echo $(cat /proc/sys/kernel/random/uuid)\n{end}\n"
    who = a_killed_try(run_id, script)
    (container,) = containers(engine, run_id)
    container.wait()
    shell = Shell(run_id)
    assert shell.run(script).outcome is None
    assert shell.lines[0] == f"Removed container {shell.name}, which an earlier try had left."
    assert shell.lines[1] != who


def test_what_carries_out_another_order_is_removed_first(engine, run_id):
    a_killed_try(run_id, WAIT)
    (left,) = containers(engine, run_id)
    shell = Shell(run_id)
    assert shell.run("echo another > /task/outcome.json").outcome == b"another\n"
    assert shell.lines == [f"Removed container {shell.name}, which an earlier try had left."]
    assert left.id not in [one.id for one in engine.containers.list(all=True)]


def test_what_runs_another_image_is_removed_first(engine, run_id):
    who = a_killed_try(run_id, WAIT)
    build(
        engine,
        "everfit-test-shell:2",
        f"FROM {BASE}\nLABEL everfit.test=newer\n"
        'ENTRYPOINT ["/bin/sh", "-c", "exec /bin/sh \\"$2\\"", "component"]\n',
    )
    shell = Shell(run_id, image="everfit-test-shell:2")
    shell.begin(WAIT)
    until(lambda: len(shell.lines) == 2)
    go(engine, run_id)
    assert shell.end().outcome != f"{who}\n".encode()


def test_what_was_made_and_never_started_is_begun_anew(engine, run_id, monkeypatch):
    monkeypatch.setattr(docker_runner, "STARTING", 1.0)
    shell, script = Shell(run_id), b"echo 1 > /task/outcome.json"
    with Engine() as calls:
        image = calls.image(shell.place.image)
        calls.create(shell.name, body(shell.task, shell.place, (), script, image, {}))
    assert shell.run(script.decode()).outcome == b"1\n"


def test_two_tries_at_once_are_one_component(engine, run_id):
    one, two = Shell(run_id), Shell(run_id)
    one.begin(WAIT)
    two.begin(WAIT)
    until(lambda: [line for shell in (one, two) for line in shell.lines if "Took over" in line])
    until(lambda: len({line for s in (one, two) for line in s.lines if "-" in line[:9]}) == 1)
    go(engine, run_id)
    assert one.end().outcome == two.end().outcome
    assert containers(engine, run_id) == []


def test_a_try_that_lost_its_container_to_another_harms_it_no_more(engine, run_id):
    first, second = Shell(run_id), Shell(run_id)
    first.begin(WAIT)
    until(lambda: first.lines)
    second.begin(WAIT)
    until(lambda: len(second.lines) == 2)
    first.runner.stop()  # Airflow kills a try that it has given up
    go(engine, run_id)
    assert second.end().outcome == f"{first.lines[0]}\n".encode()
    assert containers(engine, run_id) == []


def test_a_killed_task_leaves_nothing(engine, run_id):
    # It ignores a polite word, and so does its child.
    script = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo up; wait; wait\n"
    with another_process(run_id, script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        (container,) = containers(engine, run_id)
        inside = [int(row[1]) for row in container.top()["Processes"]]
        assert len(inside) >= 2
        process.send_signal(signal.SIGTERM)  # its handler stops the runner, as Airflow's does
        assert process.stdout.readline() == "ended -15\n"
    assert containers(engine, run_id) == []
    assert not [pid for pid in inside if _is_alive(pid)]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_component_is_asked_to_end_before_it_is_ended(engine, run_id):
    shell = Shell(run_id)
    shell.begin("trap 'echo asked; exit 1' TERM; echo up; while :; do sleep 0.1; done\n")
    until(lambda: shell.lines)
    shell.runner.stop()
    assert shell.end().code == -15
    assert shell.lines == ["up", "asked"]


def test_a_task_killed_before_its_component_starts_never_starts_it(engine, run_id):
    shell = Shell(run_id)
    shell.runner.stop()
    assert shell.run("echo started").code == -15
    assert shell.lines == []


def test_a_task_killed_while_its_container_is_made_never_starts_it(engine, run_id, monkeypatch):
    shell, create = Shell(run_id), Engine.create

    def killed(self, name, body):
        made = create(self, name, body)
        shell.runner.stop()  # a signal comes as the answer does
        return made

    monkeypatch.setattr(Engine, "create", killed)
    assert shell.run("echo started").code == -15
    assert shell.lines == []
    assert containers(engine, run_id) == []


def test_what_somebody_else_ends_may_do_better_on_another_try(engine, run_id):
    shell = Shell(run_id)
    shell.begin("echo up; sleep 600")
    until(lambda: shell.lines)
    engine.containers.get(shell.name).kill()
    ending = shell.end()
    assert (ending.code, ending.out_of_memory) == (-9, False)


def test_what_somebody_else_removes_may_do_better_on_another_try(engine, run_id):
    shell = Shell(run_id)
    shell.begin("echo up; sleep 600")
    until(lambda: shell.lines)
    engine.containers.get(shell.name).remove(force=True)
    with pytest.raises(Unavailable, match=f"DOCKER-GONE {shell.name}: "):
        shell.end()


@pytest.fixture
def way(monkeypatch):
    found = Way()
    monkeypatch.setenv("DOCKER_HOST", found.url)
    yield found
    found.close()


def more_than(lines: list[str], few: int) -> None:
    """Wait for a few more lines than there are."""
    told = len(lines)
    until(lambda: len(lines) > told + few)


def test_an_engine_that_goes_away_and_comes_back_loses_no_line(engine, run_id, way):
    shell = Shell(run_id)
    shell.begin(
        "i=0; while [ ! -e /tmp/go ]; do echo line $i; i=$((i+1)); sleep 0.02; done\n"
        "echo $i > /task/outcome.json\n"
    )
    for _ in range(3):
        more_than(shell.lines, 5)
        way.close()
        way.open()
    more_than(shell.lines, 5)
    go(engine, run_id)
    outcome = shell.end().outcome
    assert outcome is not None
    assert shell.lines == [f"line {i}" for i in range(int(outcome))]


def test_a_component_that_is_quiet_for_long_is_heard_again(engine, run_id, monkeypatch):
    shell, asked, follow = Shell(run_id), [], Engine.follow

    def counted(self, container, lines):
        asked.append(lines.since)
        if len(asked) == 3:  # twice nothing came, and it was asked anew
            go(engine, run_id)
        follow(self, container, lines)

    monkeypatch.setattr(docker_engine, "QUIET", 0.5)
    monkeypatch.setattr(Engine, "follow", counted)
    ending = shell.run(WAIT)
    assert ending.outcome == f"{shell.lines[0]}\n".encode()
    assert shell.lines[1:] == ["on"]


def test_an_engine_that_stays_away_is_told_and_the_next_try_goes_on(
    engine, run_id, way, monkeypatch
):
    monkeypatch.setattr(docker_runner, "PATIENCE", 1.0)
    first = Shell(run_id)
    first.begin(WAIT)
    until(lambda: first.lines)
    way.close()
    with pytest.raises(Unavailable, match=f"DOCKER-ENGINE {way.url}: a Docker engine must answer"):
        first.end()
    way.open()
    second = Shell(run_id)
    second.begin(WAIT)
    until(lambda: len(second.lines) == 2)
    go(engine, run_id)
    assert second.end().outcome == f"{first.lines[0]}\n".encode()


def test_what_an_earlier_try_left_is_ended_where_this_one_starts_no_container(engine, run_id):
    a_killed_try(run_id, WAIT)
    shell = Shell(run_id)
    left = {"runner": "docker", "container": shell.name}
    assert shell.runner.fence(left) == (
        f"Removed container {shell.name}, which an earlier try had left."
    )
    assert containers(engine, run_id) == []
    assert shell.runner.fence(left) is None


class OfOneRun(Engine):
    """Other tests' containers are left alone."""

    run = ""

    def ours(self):
        return [one for one in super().ours() if one["Labels"]["io.everfit.run"] == self.run]


def test_what_nobody_comes_back_for_is_reaped(engine, run_id):
    a_killed_try(run_id, "echo up; exit 75")
    (ended,) = containers(engine, run_id)
    ended.wait()
    working = Shell(run_id, task_id="extract")
    working.begin("echo up; sleep 600")
    until(lambda: working.lines)
    now = datetime.now(UTC)
    with OfOneRun() as calls:
        calls.run = run_id
        assert reap(calls) == []
        assert reap(calls, now + timedelta(hours=23)) == []
        assert reap(calls, now + timedelta(hours=25)) == [ended.name]
        assert reap(calls, now + timedelta(days=6)) == []
        assert reap(calls, now + timedelta(days=8)) == [working.name]
    with pytest.raises(Unavailable):
        working.end()
    assert containers(engine, run_id) == []
