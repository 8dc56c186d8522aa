"""The images under test, and ways to ask what is in them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from everfit.contracts.version import VERSION

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILES = {
    "components": REPOSITORY / "pipeline_components" / "Dockerfile",
    "airflow": REPOSITORY / "Dockerfile",
    "mlflow": REPOSITORY / "deploy" / "mlflow" / "Dockerfile",
}
LOCKS = {
    "components": "components.txt",
    "airflow": "airflow-stack.txt",
    "mlflow": "mlflow-server.txt",
}
RESTRICTED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "network_mode": "none",
    "pids_limit": 512,
    "mem_limit": "4g",
}


def name_of(image: str) -> str:
    """``components`` → ``everfit-components:0.1.0``, as ``make images`` names it."""
    version = os.environ.get("EVERFIT_VERSION") or VERSION
    return f"{os.environ.get('EVERFIT_IMAGES', '')}everfit-{image}:{version}"


@contextmanager
def container(engine: Any, image: str, *command: str, **options: Any) -> Iterator[Any]:
    """A container of an image, locked in as components are; gone afterwards."""
    options = {**RESTRICTED, "tmpfs": {"/tmp": "size=1g,mode=1777"}, **options}
    made = engine.containers.create(
        name_of(image), list(command), labels={"everfit.test": "images"}, **options
    )
    try:
        yield made
    finally:
        made.remove(force=True, v=True)


def ran(engine: Any, image: str, *command: str, **options: Any) -> tuple[int, str]:
    """Exit code and all that a command wrote."""
    first, *rest = command
    with container(engine, image, *rest, entrypoint=[first], **options) as made:
        made.start()
        code = made.wait(timeout=600)["StatusCode"]
        return code, made.logs().decode()


def told(engine: Any, image: str, code: str) -> Any:
    """What Python in an image prints as JSON."""
    status, text = ran(engine, image, "python", "-c", code)
    assert status == 0, text
    return json.loads(text.splitlines()[-1])
