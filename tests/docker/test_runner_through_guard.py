"""The runner's own tests once more, with a guard between it and the engine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.docker.conftest import IMAGE
from tests.docker.guarded import guarding
from tests.docker.test_runner import *  # noqa: F403
from tests.docker.test_runner_tries import *  # noqa: F403

pytestmark = pytest.mark.usefixtures("shell_image", "through_a_guard")

# Its folder has another name each time, and a guard knows names: test_guard.py has mounts.
del test_a_mount_is_seen_and_read_only_unless_said  # noqa: F821


@pytest.fixture
def through_a_guard(engine, tmp_path, run_id, monkeypatch):
    """Only the runner is told of it; what a test itself does goes to the engine."""
    networks = [f"everfit-{run_id}-{which}" for which in ("store", "source", "registry")]
    settings = {
        "name": run_id,
        "images": [IMAGE, "everfit-*:*"],
        "cpus": 1024,
        "networks": [*networks, "everfit-no-such-network"],
    }
    with guarding(tmp_path, **settings) as guard:
        monkeypatch.setenv("DOCKER_HOST", guard.address)
        yield guard


@pytest.fixture
def way(through_a_guard):
    """What goes away in the midst of a component's work, and comes back, is the guard."""
    return SimpleNamespace(
        url=through_a_guard.address, open=through_a_guard.start, close=through_a_guard.kill
    )
