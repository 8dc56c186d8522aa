"""A guard, what a client says to it, and containers that are none of its business."""

from __future__ import annotations

import uuid

import docker
import pytest

from everfit_airflow.runners.docker_container import body
from tests.docker.conftest import IMAGE
from tests.docker.guarded import SECRET, SLEEP, guarding
from tests.docker.shell import Shell


@pytest.fixture(scope="module")
def networks(engine):
    """Networks that components may be in."""
    made = [
        engine.networks.create(f"everfit-guard-test-{uuid.uuid4().hex[:8]}", internal=True)
        for _ in range(2)
    ]
    yield [one.name for one in made]
    for one in made:
        one.remove()


@pytest.fixture
def network(networks):
    return networks[0]


@pytest.fixture(scope="module")
def volume(engine):
    """A volume that components may see."""
    made = engine.volumes.create(f"everfit-guard-test-{uuid.uuid4().hex[:8]}")
    yield made.name
    made.remove()


@pytest.fixture(scope="module")
def guard_settings(networks, volume):
    return {
        "name": f"test-{uuid.uuid4().hex[:8]}",
        "images": [IMAGE, "localhost:1/team/*:1"],
        "networks": networks,
        "mounts": [{"source": volume}],
        "containers": 10,
        "memory": "128Mi",
        "cpus": 2,
        "pids": 512,
        "disk": "8Mi",
    }


@pytest.fixture(scope="module")
def guard(tmp_path_factory, guard_settings, shell_image):
    with guarding(tmp_path_factory.mktemp("guard"), **guard_settings) as guard:
        yield guard


@pytest.fixture
def through(guard, monkeypatch):
    """The runner goes through the guard."""
    monkeypatch.setenv("DOCKER_HOST", guard.address)
    return guard


@pytest.fixture
def client(guard):
    """The SDK's own calls, through the guard."""
    api = docker.APIClient(base_url=guard.address, version="auto", timeout=60)
    yield api
    api.close()


@pytest.fixture
def wanted(engine, run_id):
    """The runner's own request, and the name it is made under."""
    shell = Shell(run_id, cpu=1, memory="64Mi")
    image = engine.api.inspect_image(IMAGE)
    made = body(shell.task, shell.place, [], SLEEP.encode(), image, {"PASSWORD": SECRET})
    return shell.name, made


@pytest.fixture
def foreign(engine):
    """Containers that are not of this guard: a plain one, and one of another guard's."""
    ours = {"io.everfit.task": "everfit-x", "io.everfit.guard": "somebody-else"}
    made = [
        engine.containers.run(
            IMAGE,
            entrypoint=["sleep", "600"],
            detach=True,
            labels=labels,
            environment=[SECRET],
            name=f"guard-test-{uuid.uuid4().hex[:8]}",
        )
        for labels in ({}, ours)
    ]
    yield made
    for container in made:
        container.remove(force=True)
