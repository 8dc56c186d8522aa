"""The images at work: read-only, without a capability, a privilege or a network."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import subprocess
import tarfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from tests.docker.images import REPOSITORY, container, ran

ASK = """
import base64, sys, urllib.error, urllib.request
path, login = sys.argv[1], sys.argv[2:]
request = urllib.request.Request("http://127.0.0.1:5000" + path)
if login:
    request.add_header("Authorization", "Basic " + base64.b64encode(login[0].encode()).decode())
try:
    print(urllib.request.urlopen(request, timeout=20).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError:
    print(0)
"""


def put(made, folder: str, files: dict[str, str]) -> None:
    """Files in a volume of a container, readable by its user alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.gid, entry.mode = len(text), 50000, 0, 0o400
            tar.addfile(entry, io.BytesIO(text.encode()))
    assert made.put_archive(folder, buffer.getvalue())


@pytest.mark.thorough
def test_the_whole_chain_and_its_monitoring(engine):
    chain = """
    set -e
    everfit example --months 4 --rows 1500
    everfit run taxi_fare
    everfit example --next --rows 1500
    everfit monitor taxi_fare
    everfit champion taxi_fare
    everfit reproduce taxi_fare 1
    """
    code, text = ran(engine, "components", "sh", "-c", chain)
    assert code == 0, text
    assert "PROMOTE" in text
    assert "@champion" in text
    assert "BIT-IDENTICAL" in text


def test_its_entry_is_the_door(engine):
    with container(
        engine,
        "components",
        "--order",
        "/task/order.json",
        "--outcome",
        "/task/outcome.json",
        volumes=["/task"],
    ) as made:
        put(made, "/task", {"order.json": "{}"})
        made.start()
        assert made.wait(timeout=120)["StatusCode"] == 2
        assert made.logs().decode().startswith("ORDER order.json ")


@pytest.mark.parametrize(
    "component", ["plan", "extract", "validate", "prepare", "train", "evaluate", "gate", "register"]
)
def test_no_container_compiles_anything(engine, component):
    code = f"""
import pathlib, sys
import everfit.steps.{component}.step
for module in list(sys.modules.values()):
    made = getattr(module, "__cached__", None)
    if made and str(module.__file__).startswith("/opt/everfit"):
        head = pathlib.Path(made).read_bytes()[:8] if pathlib.Path(made).exists() else b""
        if head[4:] != bytes([1, 0, 0, 0]):  # checked against its source, or not there
            print(module.__file__)
"""
    assert ran(engine, "components", "python", "-c", code) == (0, "")


def test_no_container_lists_the_fonts_of_the_machine(engine):
    code = """
import logging
logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
import matplotlib.font_manager
"""
    command = ["python", "-c", code]
    assert "generated new fontManager" in ran(engine, "components", *command)[1]
    with container(
        engine,
        "components",
        "-c",
        'component --help >/dev/null; python -c "$0"',
        code,
        entrypoint=["sh"],
    ) as made:
        made.start()
        assert made.wait(timeout=120)["StatusCode"] == 0
        assert "fontManager" not in made.logs().decode()


def test_airflow_builds_the_dags_and_loads_the_plugin(engine):
    code = """
import json
from airflow.dag_processing.dagbag import DagBag
from airflow.plugins_manager import get_import_errors, get_plugin_info
bag = DagBag("/opt/everfit/app/dags")
plugins = [one["name"] for one in get_plugin_info()]
print(json.dumps([sorted(bag.dags), bag.import_errors, plugins, get_import_errors()]))
"""
    home = {"AIRFLOW_HOME": "/tmp/airflow"}
    status, text = ran(engine, "airflow", "python", "-c", code, environment=home)
    assert status == 0, text
    dags, errors, plugins, plugin_errors = json.loads(text.splitlines()[-1])
    assert (errors, plugin_errors) == ({}, {})
    assert {"taxi_fare.train", "taxi_fare.monitor", "everfit.promote"} <= set(dags)
    assert "everfit" in plugins


@pytest.fixture(scope="module")
def mlflow(engine):
    """An MLflow server on a database of its own, its secrets in files."""
    password, key = secrets.token_urlsafe(18), secrets.token_urlsafe(32)
    with container(
        engine,
        "mlflow",
        volumes=["/run/secrets"],
        tmpfs={"/tmp": "size=1g,mode=1777", "/mlflow": "mode=1777"},
        environment={
            "MLFLOW_BACKEND_STORE_URI_FILE": "/run/secrets/database",
            "MLFLOW_ADMIN_PASSWORD_FILE": "/run/secrets/password",
            "MLFLOW_FLASK_SERVER_SECRET_KEY_FILE": "/run/secrets/key",
            "MLFLOW_WORKERS": "1",
        },
    ) as made:
        files = {"database": "sqlite:////mlflow/mlflow.db\n", "password": f"{password}\n"}
        put(made, "/run/secrets", {**files, "key": key})
        made.start()
        deadline = time.monotonic() + 600
        while asked(made, "/health") != 200:
            made.reload()
            assert made.status == "running", made.logs().decode()
            assert time.monotonic() < deadline, made.logs().decode()
            time.sleep(1)
        yield made, password, key


def asked(made, path: str, *login: str) -> int:
    """The status that the server in a container answers with."""
    return int(made.exec_run(["python", "-c", ASK, path, *login]).output)


EXPERIMENTS = "/api/2.0/mlflow/experiments/search?max_results=1"


def test_mlflow_answers_only_those_who_are_logged_in(mlflow):
    made, password, _ = mlflow
    assert asked(made, EXPERIMENTS) == 401
    assert asked(made, EXPERIMENTS, "admin:password1234") == 401
    assert asked(made, EXPERIMENTS, f"admin:{password}") == 200


def test_mlflow_shows_its_secrets_to_nobody(mlflow):
    made, password, key = mlflow
    lines = made.exec_run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).output.decode()
    assert "mlflow.server" in lines
    made.reload()
    for shown in (lines, made.logs().decode(), json.dumps(made.attrs)):
        assert password not in shown
        assert key not in shown


def test_mlflow_says_what_it_misses(engine):
    code, text = ran(engine, "mlflow", "python", "/opt/everfit/app/serve.py")
    assert (code, text) == (
        2,
        "MLFLOW-SERVER MLFLOW_BACKEND_STORE_URI: must be set; it is not. "
        "Set MLFLOW_BACKEND_STORE_URI_FILE to a file that holds it.\n",
    )


def built(engine, context: Path) -> Any:
    """The component image of a context, our part of it made anew."""
    told = context.parent / "id"
    subprocess.run(
        [
            os.environ.get("DOCKER", "docker"),
            "build",
            "--quiet",
            f"--iidfile={told}",
            "--label=everfit.test=images",
            f"--build-arg=ANEW={secrets.token_hex(4)}",
            f"--file={context / 'pipeline_components' / 'Dockerfile'}",
            str(context),
        ],
        check=True,
        capture_output=True,
    )
    return engine.images.get(told.read_text().strip())


@pytest.mark.thorough
def test_the_same_sources_give_the_same_layers(engine, tmp_path):
    context = tmp_path / "checkout"
    for part in ("pipeline_components", "dags/pipelines", "deploy/images", "requirements"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / part, context / part, ignore=ignore)
    shutil.copy2(REPOSITORY / ".dockerignore", context)
    layers = []
    for mode, when in ((0o600, 1_500_000_000), (0o664, 1_600_000_000)):  # two checkouts' habits
        for path in context.rglob("*"):
            if path.is_file():
                path.chmod(mode)
                os.utime(path, (when, when))
        image = built(engine, context)
        layers.append(image.attrs["RootFS"]["Layers"])
        with suppress(APIError):  # it may be what another image was made of
            engine.images.remove(image.id)
    assert layers[0] == layers[1]
