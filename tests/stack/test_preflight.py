"""Settings of the stack are checked, all at once, before anything is replaced."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

ENGINE = """#!/bin/sh
# Stands where the engine's client would: the image's Python is this machine's.
case $1 in
  run) shift; while [ "$1" != -c ]; do shift; done
       folder=$(mktemp -d); cd "$folder" && tar -xo && exec {python} -B preflight.py . ;;
  ps) ;;
  *) exit 0 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout's files of the stack."""
    for name in ("scripts", "deploy/compose", "dags"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shutil.copy(REPOSITORY / ".env.example", tmp_path)
    engine = tmp_path / "bin" / "docker"
    engine.parent.mkdir()
    engine.write_text(ENGINE.format(python=sys.executable))
    engine.chmod(0o755)
    return tmp_path


def changed(checkout: Path, **env: str) -> list[str]:
    """What ``scripts/stack.sh preflight`` says of the example's settings with some replaced."""
    lines = [
        line
        for line in (REPOSITORY / ".env.example").read_text().splitlines()
        if line.partition("=")[0] not in env
    ]
    (checkout / ".env").write_text("\n".join([*lines, *(f"{n}={v}" for n, v in env.items())]))
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("EVERFIT_", "COMPOSE"))}
    done = subprocess.run(
        [checkout / "scripts/stack.sh", "preflight"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **kept,
            "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY / "pipeline_components"),
        },
    )
    assert done.returncode == (2 if done.stderr else 0), done.stdout + done.stderr
    return done.stderr.splitlines()


def test_the_example_is_valid(checkout: Path) -> None:
    assert changed(checkout) == []


def test_another_store_is_read_from_env(checkout: Path) -> None:
    found = changed(checkout, EVERFIT_S3_ENDPOINT="https://minio.example.org:9000")
    assert [line.split(":")[0] for line in found] == [
        "SETTING COMPOSE_PROFILES",
        "SETTING EVERFIT_S3_INTERNAL",
    ]
    assert "https://minio.example.org:9000" in found[0]
    elsewhere = {
        "EVERFIT_S3_ENDPOINT": "https://minio.example.org:9000",
        "COMPOSE_PROFILES": "",
        "EVERFIT_S3_INTERNAL": "false",
    }
    assert changed(checkout, **elsewhere) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EVERFIT_WORKER_SLOTS", "abc", "whole number from 1 to 64"),
        ("EVERFIT_WORKER_SLOTS", "0", "whole number from 1 to 64"),
        ("EVERFIT_AIRFLOW_PORT", "80800", "whole number from 1 to 65535"),
        ("EVERFIT_MLFLOW_PORT", "8080", "must differ from Airflow's"),
        ("EVERFIT_S3_INTERNAL", "yes", "must be true or false"),
        ("EVERFIT_STORE", "everfit-store", "must be s3://"),
        ("EVERFIT_AIRFLOW_URL", "airflow.example.org", "must be http:// or https://"),
        ("EVERFIT_MLFLOW_URL", "https://me:secret@mlflow.example.org", "user or password"),
        ("EVERFIT_DAGS", "./nowhere", "must be a folder with pipelines/"),
        ("COMPOSE_PROFILES", "", "COMPOSE_PROFILES=s3"),
    ],
)
def test_a_bad_value_is_named(checkout: Path, name: str, value: str, said: str) -> None:
    found = changed(checkout, **{name: value})
    assert any(said in line for line in found), found


def test_all_mistakes_are_said_at_once_with_what_was_meant(checkout: Path) -> None:
    found = changed(
        checkout,
        EVERFIT_WORKER_SLOTS="two",
        EVERFIT_POL="30",
        EVERFIT_S3_ENDPONT="http://other:9000",
        EVERFIT_NONSENSE="1",
    )
    assert len(found) == 4, found
    text = "\n".join(found)
    assert "Did you mean EVERFIT_POLL?" in text
    assert "Did you mean EVERFIT_S3_ENDPOINT?" in text
    assert "EVERFIT_NONSENSE: unknown setting" in text


def test_a_taken_port_is_named_before_anything_starts(checkout: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = str(held.getsockname()[1])
        found = changed(checkout, EVERFIT_AIRFLOW_PORT=port)
    assert len(found) == 1 and found[0].startswith(f"PORT {port}: must be free"), found


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("runners", "{}\n", "it holds no settings"),
        ("runners", "default: {runer: docker}\n", "default.runer"),
        ("runners", "default: [\n", "must be a YAML file"),
        ("guard", "images: [other:*]\nnetworks: []\n", "must allow everfit-components:0.1.0"),
        ("guard", "images: [everfit-components:*]\nnetworks: []\n", "must hold everfit_store"),
        (
            "guard",
            "by_need: {store: everfit_store, source: everfit_registry, registry: null}\n",
            "by_need.source: must hold everfit_source",
        ),
    ],
)
def test_files_of_the_runners_and_the_guard_agree(
    checkout: Path, file: str, text: str, said: str
) -> None:
    path = checkout / f"{file}.yaml"
    path.write_text(text)
    name = {"runners": "EVERFIT_RUNNERS_FILE", "guard": "EVERFIT_GUARD_FILE"}[file]
    found = changed(checkout, **{name: str(path)})
    assert any(said in line for line in found), found


def test_another_project_needs_its_networks(checkout: Path) -> None:
    found = changed(checkout, COMPOSE_PROJECT_NAME="team")
    assert found and all("team_" in line for line in found), found
