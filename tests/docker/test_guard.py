"""The guard before a real engine: what the runner does works, and nothing else does."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
import tarfile
import threading

import docker
import pytest

from everfit.contracts.errors import Unavailable, UserError
from everfit_airflow.runners.docker_container import given
from tests.docker.conftest import IMAGE
from tests.docker.guarded import SECRET, SLEEP, Guard, create, guarding, started
from tests.docker.refused import NAME
from tests.docker.shell import Shell, containers, until

pytest_plugins = ("tests.docker.guard_fixtures",)
pytestmark = pytest.mark.usefixtures("shell_image")

# What the runner does.


def test_a_component_runs_through_it(through, engine, run_id, networks):
    shell = Shell(run_id, networks)
    ending = shell.run(
        'echo working; cat "$0" > /task/outcome.json; echo $PASSWORD > /tmp/x\n',
        secrets={"PASSWORD": SECRET},
    )
    assert (ending.code, ending.outcome is not None, shell.lines) == (0, True, ["working"])
    assert containers(engine, run_id) == []
    assert SECRET not in through.log


def test_lines_come_while_it_works_and_a_stop_ends_it(through, engine, run_id):
    shell = Shell(run_id)
    shell.begin("trap 'echo ending; exit 7' TERM; echo ready; while :; do sleep 0.1; done\n")
    until(lambda: shell.lines == ["ready"])
    shell.runner.stop()
    assert shell.end().code != 0
    assert containers(engine, run_id) == []


def test_a_retry_takes_over_what_a_try_has_left(through, engine, run_id):
    script = "echo ready; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo 1 > /task/outcome.json"
    first, second = Shell(run_id), Shell(run_id)
    first.begin(script)
    until(lambda: "ready" in first.lines)
    second.begin(script)
    until(lambda: any("Took over" in line for line in second.lines))
    (container,) = containers(engine, run_id)
    container.exec_run("touch /tmp/go")
    assert second.end().outcome == b"1\n"


def test_what_an_earlier_try_left_is_fenced(through, engine, run_id):
    first = Shell(run_id)
    first.begin(SLEEP)
    until(lambda: first.remembered and containers(engine, run_id)[0].status == "running")
    said = Shell(run_id).runner.fence(first.remembered[0])
    assert "Removed container" in (said or "")
    assert containers(engine, run_id) == []
    with pytest.raises(Unavailable):
        first.end()


def test_every_call_of_the_sdk_that_the_runner_makes(guard, client, engine, wanted, network):
    assert client.ping() and client.version()["ApiVersion"]
    assert client.inspect_image(IMAGE)["Id"] == wanted[1]["Labels"]["io.everfit.image"]
    made = create(guard, wanted)
    archive = given(
        b"echo one; echo two >&2; echo 5 > /task/outcome.json; exit 3\n", "o", "50000:50000"
    )
    assert client.put_archive(made, "/task", archive)
    client.start(wanted[0])
    assert client.wait(made)["StatusCode"] == 3
    assert sorted(client.logs(made, stream=True, follow=True)) == [b"one\n", b"two\n"]
    chunks, about = client.get_archive(made, "/task/outcome.json")
    assert about["name"] == "outcome.json"
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        assert tar.extractfile("outcome.json").read() == b"5\n"
    client.stop(made, timeout=1)
    client.remove_container(made, v=True, force=True)
    with pytest.raises(docker.errors.NotFound):
        client.inspect_container(made)


def test_a_container_is_connected_to_an_allowed_network_before_it_starts(
    guard, client, engine, wanted, networks
):
    wanted[1]["HostConfig"]["NetworkMode"] = networks[0]
    made = create(guard, wanted)
    client.connect_container_to_network(made, networks[1])
    found = engine.api.inspect_container(made)
    assert sorted(found["NetworkSettings"]["Networks"]) == sorted(networks)
    client.put_archive(made, "/task", given(SLEEP.encode(), "o", "50000:50000"))
    client.start(made)
    said = guard.refuses("POST", f"/networks/{networks[0]}/connect", {"Container": made})
    assert "before it is started" in said


def test_what_is_made_has_the_shape_and_the_guards_label(guard, engine, wanted, guard_settings):
    found = engine.api.inspect_container(create(guard, wanted))
    host = found["HostConfig"]
    assert found["Config"]["Labels"]["io.everfit.guard"] == guard_settings["name"]
    assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"], host["NetworkMode"]) == (
        True,
        False,
        ["ALL"],
        "none",
    )
    assert host["SecurityOpt"] == ["no-new-privileges:true"] and not host["Binds"]
    assert found["Config"]["Env"][0] == f"PASSWORD={SECRET}"


def test_it_shows_no_variables(guard, client, wanted):
    made = create(guard, wanted)
    assert SECRET not in json.dumps(client.inspect_container(made))
    assert SECRET not in json.dumps(client.containers(all=True))


# Streams.


def test_a_stream_is_handed_on_as_it_comes_and_let_go_when_the_client_leaves(
    guard, client, engine, wanted
):
    made = started(guard, client, wanted, "echo ready; exec sleep 600\n")
    calm = guard.sockets
    for _ in range(5):
        with guard.asking("GET", f"/containers/{made}/logs?follow=1&stdout=1") as answer:
            assert answer.read(8 + 6)[8:] == b"ready\n"  # while it runs, and will for long
        with guard.asking("POST", f"/v1.41/containers/{made}/wait") as answer:
            assert answer.status == 200  # and nothing more for long
    until(lambda: guard.sockets <= calm)


def test_waiting_lasts_until_it_ends(guard, client, engine, wanted):
    made = started(guard, client, wanted)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(client.wait(made)["StatusCode"]))
    thread.start()
    assert guard.say("POST", f"/containers/{made}/kill?signal=SIGKILL")[0] == 204
    thread.join(60)
    assert codes == [137]


# Whose container it is.

VERBS = (
    ("GET", "json", None),
    ("GET", "logs?stdout=1", None),
    ("POST", "start", None),
    ("POST", "stop", None),
    ("POST", "kill", None),
    ("POST", "wait", None),
    ("GET", "archive?path=/task", None),
    ("DELETE", "", None),
    ("DELETE", "?force=1&v=1", None),
)


def test_nobody_elses_container_is_touched_or_looked_at(guard, client, foreign, engine, network):
    for container in foreign:
        for ref in (container.name, container.id, container.id[:12]):
            for method, rest, sent in VERBS:
                slash = "/" if rest and not rest.startswith("?") else ""
                said = guard.refuses(method, f"/v1.41/containers/{ref}{slash}{rest}", sent)
                assert SECRET not in said
            archive = given(b"x", "o", "50000:50000")
            guard.refuses("PUT", f"/containers/{ref}/archive?path=/task", archive)
            guard.refuses("POST", f"/networks/{network}/connect", {"Container": ref})
        container.reload()
        assert container.status == "running"
    listed = client.containers(all=True)
    assert not {one["Id"] for one in listed} & {one.id for one in foreign}


def test_no_filter_shows_more_than_ours(guard, foreign, wanted):
    made = create(guard, wanted)
    for filters in (
        {},
        {"label": []},
        {"label": ["x"]},
        {"label": {"io.everfit.task": True}},
        {"name": [foreign[0].name]},
        {"id": [foreign[0].id]},
        [],
    ):
        asked = f"/containers/json?all=1&filters={json.dumps(filters)}".replace(" ", "")
        status, said = guard.say("GET", asked.replace('"', "%22").replace("{", "%7B"))
        assert status == 200, said
        assert {one["Id"] for one in json.loads(said)} <= {made}
    guard.refuses("GET", "/containers/json?filters=%7B%22volume%22:%5B%22x%22%5D%7D")


def test_a_name_that_changes_hands_in_the_midst_leads_nobody_astray(guard, engine, wanted, foreign):
    """Both take turns under one name, while somebody kills by that name as fast as may be."""
    name, other = wanted[0], foreign[0]
    mine = engine.containers.get(create(guard, wanted))
    over = threading.Event()
    said: set[int] = set()

    def kill() -> None:
        while not over.is_set():
            said.add(guard.say("POST", f"/containers/{name}/kill")[0])

    killers = [threading.Thread(target=kill) for _ in range(3)]
    for thread in killers:
        thread.start()
    for _ in range(25):
        mine.rename(f"{name}-aside")
        other.rename(name)
        other.rename(f"{name}-other")
        mine.rename(name)
    over.set()
    for thread in killers:
        thread.join()
    other.reload()
    assert other.status == "running"
    assert 403 in said and 204 not in said  # seen as another's; mine never ran


# Limits and failures.


def test_there_is_an_end_to_containers(guard, engine, run_id, wanted, guard_settings):
    from everfit_airflow.runners import Task

    made = 0
    for number in range(guard_settings["containers"] + 1):
        task = Task("fares", run_id, f"train{number}", -1, "fares", "train")
        _, body = copy.deepcopy(wanted)
        body["Labels"]["io.everfit.task"] = task.name
        status, said = guard.say("POST", f"/containers/create?name={task.name}", body)
        made += status == 201
    assert status == 503 and b"at most 10 containers" in said
    assert made <= guard_settings["containers"]


def test_a_refusal_is_told_as_one_that_a_person_mends(through, engine, run_id):
    with pytest.raises(UserError, match=r"DOCKER-REFUSED .*GUARD create: .*Memory is more than"):
        Shell(run_id, memory="1Gi").run("true\n")
    with pytest.raises(UserError, match="NetworkMode is none of the networks that train may use"):
        Shell(run_id, ["bridge"]).run("true\n")
    assert containers(engine, run_id) == []


def test_a_pull_of_an_allowed_image_reaches_the_engine(through, run_id):
    with pytest.raises((UserError, Unavailable), match="DOCKER-IMAGE localhost:1/team/x:1"):
        Shell(run_id, image="localhost:1/team/x:1", pull="missing").run("true\n")
    with pytest.raises(UserError, match="GUARD image"):
        Shell(run_id, image="localhost:1/other/x:1", pull="missing").run("true\n")


def test_an_engine_that_is_gone_is_told_as_one_that_may_come_back(
    tmp_path, run_id, monkeypatch, guard_settings
):
    with guarding(tmp_path, engine=str(tmp_path / "absent.sock"), **guard_settings) as alone:
        status, said = alone.say("GET", "/version")
        assert status == 503 and b"the engine must answer" in said
        assert alone.say("GET", "/_guard/health")[0] == 503
        assert health(alone) == 1
        monkeypatch.setenv("DOCKER_HOST", alone.address)
        with pytest.raises(Unavailable, match="DOCKER-ENGINE"):
            Shell(run_id).run("true\n")


def test_it_says_whether_it_is_healthy(guard):
    assert guard.say("GET", "/_guard/health")[0] == 200
    assert health(guard) == 0


def health(guard: Guard) -> int:
    command = [sys.executable, "-m", "everfit_docker_guard", "--health"]
    return subprocess.run(command, env=guard.environment, check=False).returncode


def test_a_refusal_is_logged_without_what_was_sent(guard, wanted):
    guard.refuses("POST", f"/containers/{NAME}/exec?token={SECRET}", {"Cmd": [SECRET]})
    assert f"POST '/containers/{NAME}/exec': GUARD call" in guard.log
    assert SECRET not in guard.log


# Who asks.


def test_a_runner_says_its_token_and_starts_what_is_its_own(
    tmp_path, guard_settings, engine, run_id, monkeypatch, wanted
):
    tokens = {"worker": "w" * 32, "gpu": "g" * 32}
    for name, token in tokens.items():
        (tmp_path / name).write_text(token + "\n")
    runners = {
        "worker": {"token": str(tmp_path / "worker")},
        "gpu": {"token": str(tmp_path / "gpu"), "components": ["refit"]},
    }
    settings = {**guard_settings, "name": f"{guard_settings['name']}-t", "runners": runners}
    with guarding(tmp_path, **settings) as guard:
        name, body = wanted
        create_it = f"/v1.41/containers/create?name={name}"
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic d3d3"}):
            for method, path in (("POST", create_it), ("GET", "/_ping"), ("GET", "/version")):
                status, told = guard.say(method, path, body if method == "POST" else None, headers)
                assert status == 401 and b"GUARD login" in told
        gpu = {"Authorization": f"Bearer {tokens['gpu']}"}
        assert guard.say("GET", "/_ping", None, gpu)[0] == 200
        status, told = guard.say("POST", create_it, body, gpu)
        assert status == 403 and b"gpu starts refit alone" in told
        assert engine.containers.list(all=True, filters={"name": name}) == []
        monkeypatch.setenv("DOCKER_HOST", guard.address)
        monkeypatch.setenv("EVERFIT_GUARD_TOKEN", str(tmp_path / "worker"))
        shell = Shell(run_id)
        assert shell.run("echo 1 > /task/outcome.json\n").outcome == b"1\n"
        (tmp_path / "worker").write_text("another of 32 characters or more")
        with pytest.raises(UserError, match=r"DOCKER-REFUSED.*a runner says its token"):
            Shell(run_id).run("true\n")
        (tmp_path / "worker").write_text("")
        with pytest.raises(UserError, match="GUARD-TOKEN"):
            Shell(run_id).run("true\n")
        health = [sys.executable, "-m", "everfit_docker_guard", "--health"]
        subprocess.run(health, env=guard.environment, check=True)
        assert "GUARD login" in guard.log and "gpu starts refit alone" in guard.log
        assert not any(token in guard.log for token in tokens.values())


def test_a_component_is_in_no_network_but_those_it_needs(
    tmp_path, guard_settings, engine, wanted, networks
):
    by_need = {"store": networks[0], "registry": networks[1]}
    settings = {**guard_settings, "name": f"{guard_settings['name']}-n", "networks": []}
    with guarding(tmp_path, **settings, by_need=by_need) as guard:
        name, body = copy.deepcopy(wanted)
        component = body["Labels"]["io.everfit.component"]
        body["HostConfig"]["NetworkMode"] = networks[1]
        refused = guard.refuses("POST", f"/containers/create?name={name}", body)
        assert f"networks that {component} may use" in refused
        body["HostConfig"]["NetworkMode"] = networks[0]
        made = create(guard, (name, body))
        connect = {"Container": made}
        refused = guard.refuses("POST", f"/networks/{networks[1]}/connect", connect)
        assert "its component may use" in refused
        engine.containers.get(made).remove(force=True)
