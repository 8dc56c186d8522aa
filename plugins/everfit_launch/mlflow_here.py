"""MLflow's pages over the database the components register in."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Mapping

from everfit.contracts.settings import Settings
from everfit_airflow.runners.interpreter import component_python
from everfit_launch.errors import LaunchError
from everfit_launch.ports import HOST
from everfit_launch.services import Services

NAME = "mlflow"

ENSURE = (
    "from everfit.contracts.settings import Settings; "
    "from everfit.storage.mlflow import prepare_database; "
    "prepare_database(Settings.from_environment())"
)


def start_mlflow(
    services: Services, settings: Settings, environ: Mapping[str, str], port: int
) -> str:
    """Start MLflow's server on ``settings.mlflow`` and give back its address.

    The database is made first, complete: several processes that meet an empty one destroy it.
    Artifacts are not handed through the server, so that runs made without it fit in with the rest.

    Raises
    ------
    LaunchError
        If the database cannot be made, with the reason.
    """
    python = component_python(settings.root, environ)
    environment = mlflow_environment(settings, environ)
    made = subprocess.run(  # noqa: S603 (our own program)
        [str(python), "-c", ENSURE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        lines = made.stderr.strip().splitlines() or ["no message"]
        raise LaunchError(f"MLFLOW database: must be made; {lines[-1]} Run make setup again.")
    services.start(
        NAME,
        [
            str(python.with_name("mlflow")),
            "server",
            "--host",
            HOST,
            "--port",
            str(port),
            "--workers",
            "1",
            "--backend-store-uri",
            settings.mlflow,
            "--no-serve-artifacts",
            "--default-artifact-root",
            (settings.home / "mlartifacts").as_uri(),
        ],
        environment,
    )
    return f"http://localhost:{port}"


def mlflow_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Environment of the server: nothing of Airflow's, no jobs, no telemetry."""
    kept = {
        name: value for name, value in environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))
    }
    return {
        **kept,
        "PATH": os.pathsep.join(
            [str(component_python(settings.root, environ).parent), kept.get("PATH", "")]
        ),
        "EVERFIT_ROOT": str(settings.root),
        "EVERFIT_HOME": str(settings.home),
        "EVERFIT_MLFLOW": settings.mlflow,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def answers(port: int) -> bool:
    """Whether the server is up."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
