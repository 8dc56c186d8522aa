"""The files of the stack, without starting it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from everfit.contracts.runners import RunnerSettings
from tests.stack.stand_ins import compose_v2, run

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = (REPOSITORY / "docker-compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
NETWORKS = yaml.safe_load(COMPOSE)["networks"]


@pytest.mark.parametrize("kind", ["v2", "1.29"])
def test_both_composes_read_it(kind: str, tmp_path: Path) -> None:
    program = compose_v2() if kind == "v2" else shutil.which("docker-compose")
    assert program, "docker-compose 1.29 must be installed"
    for profiles, has_s3 in (("s3", True), ("", False)):
        shown = run(
            program,
            "config",
            cwd=REPOSITORY,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "COMPOSE_PROJECT_NAME": "everfit",
                "COMPOSE_PROFILES": profiles,
            },
        )
        services = yaml.safe_load(shown)["services"]
        if kind == "v2":  # the other shows every service, of whatever profile
            assert ("s3" in services) is has_s3
        assert {"postgres", "api-server", "worker", "docker-guard"} <= set(services)


def test_settings_are_documented() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE))
    script = (REPOSITORY / "scripts/stack.sh").read_text()
    used |= set(re.findall(r"\$\{(EVERFIT_\w+|COMPOSE_\w+)", script)) - {"EVERFIT_"}
    told = dict(
        re.findall(r"^(\w+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
    )
    assert used - set(told) == set()
    assert set(told) - used - {"COMPOSE_PROFILES"} == set()
    addresses = {"EVERFIT_AIRFLOW_URL", "EVERFIT_MLFLOW_URL"}  # stack.sh makes them of the ports
    for name, default in re.findall(r"\$\{(\w+):?-([^}]*)\}", COMPOSE):
        if name in addresses:
            assert told[name] == "" and re.fullmatch(r"http://localhost:\d+", default)
            continue
        assert told[name] == default, f"{name} has another default in docker-compose.yaml"


def test_only_the_guard_has_the_socket() -> None:
    holders = [name for name, service in SERVICES.items() if "docker.sock" in str(service)]
    assert holders == ["docker-guard"]


def test_pages_are_published_and_nothing_else() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api-server", "mlflow"}
    assert all(p.startswith("${EVERFIT_BIND:-127.0.0.1}:") for ps in published.values() for p in ps)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_services_are_bounded(name: str) -> None:
    service = SERVICES[name]
    assert {"mem_limit", "cpus", "logging", "networks", "restart"} <= set(service)
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name == "postgres"  # its image makes files as it starts
    assert "healthcheck" in service or name in ("store-init", "airflow-init", "everfit")


def test_components_reach_what_they_need() -> None:
    settings = RunnerSettings.model_validate(
        yaml.safe_load((REPOSITORY / "deploy/compose/runners.yaml").read_text())
    )
    guard = yaml.safe_load((REPOSITORY / "deploy/compose/guard.yaml").read_text())
    named = {need: getattr(settings.networks, need) for need in ("store", "source", "registry")}
    assert guard["by_need"] == named and "networks" not in guard
    for need, name in named.items():
        assert NETWORKS[need]["name"] == name.replace("everfit", "${COMPOSE_PROJECT_NAME:-everfit}")
    assert "internal" not in NETWORKS["source"] and NETWORKS["registry"]["internal"]
    members = {need: {s for s, v in SERVICES.items() if need in v["networks"]} for need in named}
    assert {"postgres", "s3"} <= members["store"] and "mlflow" not in members["store"]
    assert "redis" not in members["store"] | members["registry"] | members["source"]
    assert "docker-guard" not in members["store"] | members["registry"] | members["source"]


def test_the_guard_knows_who_asks() -> None:
    guard = yaml.safe_load((REPOSITORY / "deploy/compose/guard.yaml").read_text())
    tokens = {one["token"].rpartition("/")[2] for one in guard["runners"].values()}
    holders = {name for name, service in SERVICES.items() if tokens & set(service["secrets"])}
    assert tokens == {"guard_token"}
    assert holders == {"docker-guard", "worker"}
    worker = SERVICES["worker"]["environment"]["EVERFIT_GUARD_TOKEN"]
    assert {worker} == {one["token"] for one in guard["runners"].values()}


def test_secrets_are_made_once_and_closed(tmp_path: Path) -> None:
    engine = tmp_path / "bin" / "docker"  # in place of the image: the library that is in it
    engine.parent.mkdir()
    python = REPOSITORY / ".venv" / "bin" / "python"
    engine.write_text(f'#!/bin/sh\nwhile [ "$1" != -c ]; do shift; done\nexec {python} "$@"\n')
    engine.chmod(0o755)
    folder = tmp_path / "secrets"
    environment = {
        "PATH": f"{engine.parent}:{os.environ['PATH']}",
        "EVERFIT_S3_ENDPOINT": "http://s3.example:9000",
    }
    script = (REPOSITORY / "scripts/stack_secrets.sh", folder, "an-image")
    run(*script, env=environment)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    declared = set(yaml.safe_load(COMPOSE)["secrets"])
    assert declared <= set(first) and set(first) - declared == {"verify_key"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(set(first.values())) == len(first)
    connections = json.loads(first["connections.json"])
    assert connections["everfit_signing"]["password"] == first["signing_key"]
    assert connections["everfit_s3"]["extra"]["endpoint_url"] == "http://s3.example:9000"

    (folder / "s3_access_key").write_text("AKIA")  # somebody's own keys count at the next start
    (folder / "s3_secret_key").write_text('a/b+c"d\\e\n')
    run(*script, env=environment)
    again = {path.name: path.read_text() for path in folder.iterdir()}
    kept = {"aws_credentials", "connections.json", "s3_access_key", "s3_secret_key"}
    assert {name for name in first if first[name] != again[name]} == kept
    assert json.loads(again["connections.json"])["everfit_s3"]["password"] == 'a/b+c"d\\e'

    (folder / "s3_access_key").write_text("chain")
    run(*script, env={**environment, "EVERFIT_S3_ENDPOINT": ""})
    assert json.loads((folder / "connections.json").read_text())["everfit_s3"] == {
        "conn_type": "aws",
        "extra": {"region_name": "us-east-1"},
    }
    assert "aws_access_key_id" not in (folder / "aws_credentials").read_text()


def test_no_engine_is_said_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [REPOSITORY / "scripts/stack.sh", "up"],
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        },
    )
    assert done.returncode == 2 and done.stderr.startswith("ENGINE docker: must answer;")
    assert len(done.stderr.splitlines()) == 1 and not done.stdout
