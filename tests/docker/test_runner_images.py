"""When an image is fetched, and what is told where it cannot be."""

from __future__ import annotations

import pytest
from docker.errors import ImageNotFound

from everfit.contracts.errors import Unavailable, UserError
from tests.docker.registry import Registry
from tests.docker.shell import Shell, containers


@pytest.fixture
def registry(engine):
    found = Registry()
    yield found
    found.close()
    for tag in ("1", "2"):
        try:
            engine.images.remove(f"{found.image}:{tag}", force=True)
        except ImageNotFound:
            continue


def fetched(registry: Registry, run_id: str, pull: str) -> bool:
    """Whether a try has fetched the image; its program cannot run, which is told after."""
    registry.asked.clear()
    with pytest.raises(UserError, match="DOCKER-REFUSED"):
        Shell(run_id, image=f"{registry.image}:1", pull=pull).run("exit 0")
    return any("/manifests/" in path for path in registry.asked)


def test_an_image_is_fetched_when_the_settings_say_so(engine, registry, run_id):
    registry.push("first")
    assert fetched(registry, run_id, "missing")
    first = engine.images.get(f"{registry.image}:1").id
    assert not fetched(registry, run_id, "missing")
    assert not fetched(registry, run_id, "never")
    registry.push("second")
    assert not fetched(registry, run_id, "missing")
    assert engine.images.get(f"{registry.image}:1").id == first
    assert fetched(registry, run_id, "always")
    assert engine.images.get(f"{registry.image}:1").id != first
    assert containers(engine, run_id) == []


@pytest.mark.parametrize("pull", ["missing", "always"])
def test_an_image_that_its_registry_does_not_have_is_to_be_mended(registry, run_id, pull):
    with pytest.raises(UserError) as caught:
        Shell(run_id, image=f"{registry.image}:2", pull=pull).run("exit 0")
    line = str(caught.value)
    assert line.startswith(f"DOCKER-IMAGE {registry.image}:2: an image must be there or be had")
    assert "manifest unknown" in line
    assert "make images" in line
    assert "\n" not in line


@pytest.mark.parametrize("pull", ["missing", "always"])
def test_a_registry_that_is_away_may_come_back(run_id, pull):
    shell = Shell(run_id, image="127.0.0.1:1/everfit-nowhere:1", pull=pull)
    with pytest.raises(Unavailable, match=r"DOCKER-IMAGE 127.*make images") as caught:
        shell.run("exit 0")
    assert "\n" not in str(caught.value)
    assert shell.lines == ["Pulling 127.0.0.1:1/everfit-nowhere:1."]


def test_an_image_that_is_never_pulled_must_be_there(run_id):
    with pytest.raises(UserError) as caught:
        Shell(run_id, image="everfit-nowhere:1").run("exit 0")
    assert str(caught.value) == (
        "DOCKER-IMAGE everfit-nowhere:1: an image that is never pulled must be there; the engine "
        "has none of that name. Build it with make images, load it, or correct image or pull in "
        "the runners file."
    )
