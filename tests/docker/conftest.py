"""A real engine, and a component image made of a shell: its order is the script that it runs."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in (REPOSITORY, REPOSITORY / "plugins"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# Airflow reads its settings when it is first imported.
os.environ.update(
    AIRFLOW_HOME=tempfile.mkdtemp(prefix="everfit-airflow-test-"),
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(REPOSITORY / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="True",
)

BASE = os.environ.get("EVERFIT_TEST_BASE", "debian:bookworm-slim")
IMAGE = "everfit-test-shell:1"

DOCKERFILE = f"""
FROM {BASE}
LABEL everfit.test=shell
ENTRYPOINT ["/bin/sh", "-c", "exec /bin/sh \\"$2\\"", "component"]
"""
"""Called with ``--order FILE --outcome FILE``: ``$2`` is the order."""


def pytest_configure(config: pytest.Config) -> None:
    """Airflow's own use of what is deprecated is not ours to fix."""
    for module in ("airflow", "pathspec", "starlette", "fastapi", "jwt", "sqlalchemy"):
        config.addinivalue_line("filterwarnings", f"ignore::DeprecationWarning:{module}")
    for message in ("GitWildMatchPattern", "Using `httpx` with"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}")


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """The engine of this machine."""
    import docker

    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def shell_image(engine: Any) -> str:
    """An image whose component is whatever its order says; its outcome is what it writes to $4."""
    build(engine, IMAGE, DOCKERFILE)
    return IMAGE


def build(engine: Any, name: str, dockerfile: str) -> None:
    """Build an image of a Dockerfile alone."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile.encode())
        tar.addfile(entry, io.BytesIO(dockerfile.encode()))
    context.seek(0)
    engine.images.build(fileobj=context, custom_context=True, tag=name, rm=True)


@pytest.fixture
def run_id(engine: Any) -> Iterator[str]:
    """A run of its own, whose containers, networks and volumes are gone after the test."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    for container in engine.containers.list(
        all=True, ignore_removed=True, filters={"label": f"io.everfit.run={name}"}
    ):
        container.remove(v=True, force=True)
    for network in engine.networks.list(filters={"label": f"everfit.test={name}"}):
        network.remove()
