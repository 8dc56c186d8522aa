"""One component in one container of a real engine: what it gets, may do, and leaves."""

from __future__ import annotations

import json
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
from docker.errors import NotFound

from everfit.contracts.errors import Unavailable, UserError
from tests.docker.conftest import BASE, build
from tests.docker.shell import Shell, containers

pytestmark = pytest.mark.usefixtures("shell_image")


def test_the_order_goes_in_and_the_outcome_comes_out(engine, run_id):
    shell = Shell(run_id)
    ending = shell.run('cat "$0" > /task/outcome.json\n')
    assert ending.outcome == b'cat "$0" > /task/outcome.json\n'
    assert (ending.code, ending.out_of_memory) == (0, False)
    assert shell.remembered[0]["container"] == shell.name
    assert containers(engine, run_id) == []


@pytest.mark.parametrize("code", [0, 75])
def test_its_volume_goes_with_it(engine, run_id, code):
    volumes: list[str] = []
    shell = Shell(run_id)

    def look(line: str) -> None:
        (mount,) = engine.api.inspect_container(shell.name)["Mounts"]
        volumes.append(mount["Name"])
        engine.containers.get(shell.name).exec_run("touch /tmp/go")

    wait = "echo ready; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo 1 > /task/outcome.json\n"
    shell.run(f"{wait}exit {code}", log=look)
    (volume,) = volumes
    with pytest.raises(NotFound):
        engine.volumes.get(volume)


def test_it_may_do_next_to_nothing(run_id):
    shell = Shell(run_id, pids=32)
    shell.run(
        "id -u; id -g\n"
        "grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status\n"
        "for place in / /etc /usr/bin /var/tmp /home; do\n"
        "  touch $place/here 2>/dev/null && echo wrote $place; done\n"
        "cp /bin/true /tmp/true; /tmp/true 2>/dev/null || echo no program in /tmp\n"
        "head -c 9M /dev/zero > /tmp/large 2>/dev/null || echo /tmp is full\n"
        "rm -f /task/order.json 2>/dev/null; test -s /task/order.json && echo the order stays\n"
        "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null\n"
    )
    said = [line.replace("\t", " ") for line in shell.lines]
    assert said[:2] == ["50000", "50000"]
    capabilities = [line.split()[1] for line in said if line.startswith("Cap")]
    assert len(capabilities) == 5
    assert {int(mask, 16) for mask in capabilities} == {0}
    assert "NoNewPrivs: 1" in said
    assert "Seccomp: 2" in said
    assert not [line for line in said if line.startswith("wrote")]
    assert said[-4:] == ["no program in /tmp", "/tmp is full", "the order stays", "32"]


def test_it_reaches_no_network_unless_one_is_named(engine, run_id):
    names = [f"everfit-{run_id}-{which}" for which in ("store", "source")]
    for name in names:
        engine.networks.create(name, labels={"everfit.test": run_id}, internal=True)
    alone, joined = Shell(run_id), Shell(run_id, names, task_id="extract")
    look = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | sort | tr '\\n' ' '\n"
    alone.run(look + "tail -n +2 /proc/net/route | wc -l\n")
    assert alone.lines == ["lo 0"]
    joined.run(look)
    assert joined.lines == ["eth0 eth1 lo"]


@pytest.mark.parametrize(("said", "code"), [(1, 1), (2, 2), (75, 75), (137, -9), (143, -15)])
def test_how_it_ended(engine, run_id, said, code):
    ending = Shell(run_id).run(f"echo 'LEDGER: did not answer.' >&2; exit {said}\n")
    assert (ending.code, ending.outcome, ending.last_line) == (
        code,
        None,
        "LEDGER: did not answer.",
    )
    assert not ending.out_of_memory
    assert containers(engine, run_id) == []


def test_what_is_left_where_nothing_is_to_do_is_kept(run_id):
    ending = Shell(run_id).run("echo '{}' > /task/outcome.json; exit 3\n")
    assert (ending.code, ending.outcome) == (3, b"{}\n")


def test_an_outcome_that_is_a_link_is_none(run_id):
    ending = Shell(run_id).run("ln -sf /etc/passwd /task/outcome.json 2>/dev/null; exit 0\n")
    assert ending.outcome is None


def test_an_outcome_of_many_megabytes_is_refused(engine, run_id):
    with pytest.raises(UserError, match="OUTCOME train: an outcome has at most 1024 KiB"):
        Shell(run_id).run("head -c 3M /dev/zero > /task/outcome.json\n")
    assert containers(engine, run_id) == []


def test_lines_arrive_while_it_works(engine, run_id):
    shell = Shell(run_id)

    def answer(line: str) -> None:
        if line == "10 %":  # without this line, while it runs, it never ends
            container = engine.containers.get(shell.name)
            container.exec_run("touch /tmp/go")

    ending = shell.run("echo '10 %'; while [ ! -e /tmp/go ]; do sleep 0.05; done\n", log=answer)
    assert (ending.code, shell.lines) == (0, ["10 %"])


def test_every_line_comes_whole_and_in_order(run_id):
    shell = Shell(run_id)
    ending = shell.run(
        "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done\n"
        "printf 'gr\\303'; sleep 0.3; printf '\\274n\\n'\n"  # a letter in two writes
        "printf '\\377 is no letter\\n\\n   \\n' >&2\n"
        "head -c 40000 /dev/zero | tr '\\0' x; echo\n"  # the engine splits it in three
        "printf 'without an end'\n"
    )
    # stdout and stderr are two streams: which of two lines came first is not to be had.
    out = [line for line in shell.lines if "no letter" not in line]
    assert out == [*(f"line {i}" for i in range(300)), "grün", "x" * 40000, "without an end"]
    assert "\ufffd is no letter" in shell.lines
    assert ending.last_line == "without an end"


def test_not_one_of_many_megabytes_of_lines_is_lost(run_id):
    # An engine that begins a new file meanwhile loses some, and tells others twice.
    shell = Shell(run_id)
    shell.run(
        "pad=$(head -c 1500 /dev/zero | tr '\\0' x); i=0\n"
        "while [ $i -lt 20000 ]; do echo $i $pad; i=$((i+1)); done\n"
    )
    assert [int(line.split()[0]) for line in shell.lines] == list(range(20000))


def test_wanting_more_memory_than_there_is_is_told_as_that(run_id):
    ending = Shell(run_id, memory="32Mi").run("echo filling; x=x; while :; do x=$x$x; done\n")
    assert ending.out_of_memory
    assert ending.code != 0
    assert ending.last_line == "filling"


def test_a_child_that_wanted_too_much_and_was_done_without_is_no_failure(run_id):
    ending = Shell(run_id, memory="32Mi").run(
        "sh -c 'x=x; while :; do x=$x$x; done' 2>/dev/null; echo 1 > /task/outcome.json\n"
    )
    assert (ending.code, ending.out_of_memory, ending.outcome) == (0, False, b"1\n")


def test_what_fills_tmp_counts_as_memory(run_id):
    ending = Shell(run_id, memory="32Mi", disk="1Gi").run("head -c 64M /dev/zero > /tmp/x\n")
    assert ending.out_of_memory


def test_secrets_are_variables_and_stand_nowhere_else(engine, run_id):
    secret = f"hunter2-{uuid.uuid4().hex}"
    seen: list[str] = []
    shell = Shell(run_id)

    def look(line: str) -> None:
        if line == "ready":
            seen.append(subprocess.check_output(["ps", "axww"], text=True))
            described = engine.api.inspect_container(shell.name)
            assert secret in str(described["Config"].pop("Env"))
            seen.append(json.dumps(described))
            engine.containers.get(shell.name).exec_run("touch /tmp/go")

    shell.run(
        'test "$EVERFIT_LEDGER" = "$(cat /tmp/none 2>/dev/null)" && echo absent\n'
        "echo ready; while [ ! -e /tmp/go ]; do sleep 0.05; done\n"
        "echo ${#EVERFIT_LEDGER} $EVERFIT_STORE > /task/outcome.json\n",
        {"EVERFIT_LEDGER": "of the settings", "EVERFIT_STORE": "s3://b"},
        {"EVERFIT_LEDGER": secret},
        look,
    )
    assert shell.ending is not None
    assert shell.ending.outcome == f"{len(secret)} s3://b\n".encode()
    assert shell.lines == ["ready"]
    assert len(seen) == 2
    assert secret not in "".join(seen)


def test_a_mount_is_seen_and_read_only_unless_said(run_id):
    look = "cat /data/trips.csv; touch /data/x 2>/dev/null && echo written\n"
    with tempfile.TemporaryDirectory(prefix="everfit-mount-") as folder:
        Path(folder).chmod(0o777)
        Path(folder, "trips.csv").write_text("fare\n1\n")
        mount = {"source": folder, "target": "/data"}
        shell = Shell(run_id, mounts=[mount])
        shell.run(look)
        assert shell.lines == ["fare", "1"]
        shell = Shell(run_id, mounts=[{**mount, "read_only": False}])
        shell.run(look)
        assert shell.lines == ["fare", "1", "written"]


@pytest.mark.parametrize(
    ("user", "who"),
    [("1234:56", "1234:56"), ("1234:0", "1234:1234"), ("root", "50000:50000"), ("", "50000:50000")],
)
def test_the_user_of_the_image_unless_it_is_root(engine, run_id, user, who):
    name = f"everfit-test-user:{user.replace(':', '-') or 'none'}"
    build(
        engine,
        name,
        f'FROM {BASE}\nENTRYPOINT ["/bin/sh", "-c", "exec /bin/sh \\"$2\\"", "component"]\n'
        + (f"USER {user}\n" if user else ""),
    )
    shell = Shell(run_id, image=name)
    ending = shell.run("echo $(id -u):$(id -g) > /task/outcome.json\n")
    assert ending.outcome == f"{who}\n".encode()


def test_more_cores_than_there_are_are_as_many_as_there_are(run_id):
    assert Shell(run_id, cpu=1024).run("exit 0").code == 0


def test_a_network_that_is_not_there_is_told_in_a_line(engine, run_id):
    with pytest.raises(UserError, match=r"DOCKER-REFUSED .*everfit-no-such-network") as caught:
        Shell(run_id, ["everfit-no-such-network"]).run("exit 0")
    assert "\n" not in str(caught.value)
    assert containers(engine, run_id) == []


def test_a_program_that_is_not_there_is_told_in_a_line(engine, run_id):
    build(engine, "everfit-test-empty:1", f'FROM {BASE}\nENTRYPOINT ["/no/such/program"]\n')
    with pytest.raises(UserError, match=r"DOCKER-REFUSED .*/no/such/program") as caught:
        Shell(run_id, image="everfit-test-empty:1").run("exit 0")
    assert "\n" not in str(caught.value)
    assert containers(engine, run_id) == []


def test_an_engine_that_is_not_there_may_come_back(run_id, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(Unavailable) as caught:
        Shell(run_id).run("exit 0")
    assert str(caught.value) == (
        "DOCKER-ENGINE tcp://127.0.0.1:1: a Docker engine must answer; [Errno 111] Connection "
        "refused. Start it, or correct DOCKER_HOST."
    )
