"""The settings Airflow is started with; nothing of an Airflow elsewhere on the machine leaks in."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from everfit.contracts.settings import Settings
from everfit_airflow.runners.interpreter import component_python
from everfit_launch.ports import HOST

USER = "admin"
PARALLEL = 4


def airflow_environment(
    settings: Settings,
    port: int,
    environ: Mapping[str, str],
    parse_every: int,
    further: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Environment of every Airflow process.

    Parameters
    ----------
    port : int
        Of the API server.
    parse_every : int
        Seconds between two looks at an unchanged DAG file; a new YAML shows after that long.
    further : mapping, optional
        ``AIRFLOW__*`` of the caller, in place of what stands here.
    """
    home = settings.home / "airflow"
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("AIRFLOW", "_AIRFLOW", "PYTHON"))
    }
    bundles = [
        {
            "name": "dags-folder",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {},
        },
        {
            "name": "spec-errors",
            "classpath": "everfit_airflow.dags.spec_errors.SpecErrors",
            "kwargs": {},
        },
    ]
    return {
        **kept,
        **checkout_path(settings),
        "PATH": os.pathsep.join([str(airflow_program(settings).parent), kept.get("PATH", "")]),
        "EVERFIT_ROOT": str(settings.root),
        "EVERFIT_HOME": str(settings.home),
        "EVERFIT_PIPELINES": str(settings.pipelines),
        "EVERFIT_DATA": str(settings.data),
        "EVERFIT_STORE": settings.store,
        "EVERFIT_LEDGER": settings.ledger,
        "EVERFIT_MLFLOW": settings.mlflow,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.root / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(PARALLEL),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(password_file(settings)),
        "AIRFLOW__API_AUTH__JWT_SECRET": signing_secret(settings),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": str(parse_every),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        # What a killed scheduler left running is taken up again within half a minute, not five.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        # The API server's first answer to a task can take longer than the default of 5 s.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        # Airflow's own deprecations would stand at the head of every task's log.
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Where nobody listens to lineage, its provider is not even loaded by a task.
        "AIRFLOW__OPENLINEAGE__DISABLED": str(not lineage_is_heard(kept)),
        # The provider kills what sends an event after 10 s, and a busy machine needs longer.
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "60",
        **(further or {}),
    }


def lineage_is_heard(environ: Mapping[str, str]) -> bool:
    """Whether OpenLineage's own variables say where its events go."""
    return any(
        value and name.startswith(("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSP"))
        for name, value in environ.items()
    )


def airflow_program(settings: Settings) -> Path:
    """The ``airflow`` command: of the environment kept for it, or of the one this runs in."""
    apart = settings.root / ".venv-airflow" / "bin" / "airflow"
    return apart if apart.exists() else Path(sys.executable).with_name("airflow")


def component_program(settings: Settings, environ: Mapping[str, str], name: str) -> str:
    """A program of the components' environment, such as ``everfit`` or ``mlflow``.

    Raises
    ------
    UserError
        If there is no such environment.
    """
    return str(component_python(settings.root, environ).with_name(name))


def checkout_path(settings: Settings) -> dict[str, str]:
    """Where Airflow imports Everfit from in a checkout; an installed package needs nothing."""
    folders = [settings.root / folder for folder in ("pipeline_components", "plugins")]
    if not (folders[0] / "everfit").is_dir():
        return {}
    return {"PYTHONPATH": os.pathsep.join(map(str, folders))}


def password_file(settings: Settings) -> Path:
    """Where the login is kept, readable by its owner alone."""
    return settings.home / "airflow" / "login.json"


def login(settings: Settings) -> tuple[str, str]:
    """User and password; made once, kept from then on."""
    path = password_file(settings)
    try:
        password = json.loads(path.read_text())[USER]
    except (OSError, ValueError, KeyError):
        password = secrets.token_urlsafe(12)
        _keep_private(path, json.dumps({USER: password}))
    return USER, str(password)


def signing_secret(settings: Settings) -> str:
    """What Airflow signs its tokens with; as long as its signature asks for."""
    path = settings.home / "airflow" / "signing-secret"
    try:
        return path.read_text()
    except OSError:
        secret = secrets.token_urlsafe(64)
        _keep_private(path, secret)
        return secret


def _keep_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first moment."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
