"""The stack of docker-compose.yaml under a name and secrets of its own, and hands to break it."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from everfit_launch.errors import LaunchError
from everfit_launch.rest import FINISHED, AirflowApi
from tests.airflow.stand import QUICK, day_csv, day_of
from tests.canary import Canaries
from tests.stack.stand_ins import compose_v2, image, run

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
"""Seconds until something must have happened, on a slow and busy machine."""

TASK = "io.everfit.task"


def until(
    holds: Callable[[], Any], what: str, seconds: float = PATIENCE, pause: float = 1.0
) -> Any:
    """Wait until something holds and give it back; a service that is away is asked again."""
    deadline, said = time.monotonic() + seconds, ""
    while True:
        try:
            if found := holds():
                return found
        except (LaunchError, OSError, ValueError) as error:
            said = f": {error}"
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}{said}"
        time.sleep(pause)


class Team:
    """A running stack.

    Parameters
    ----------
    folder : Path
        Empty; gets the DAG files, the secrets and the runners file.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"everfit-test-{secrets.token_hex(3)}"
        self.secrets, self.dags = folder / "secrets", folder / "dags"
        shutil.copytree(
            REPOSITORY / "dags", self.dags, ignore=shutil.ignore_patterns("__pycache__")
        )
        for file in ("runners.yaml", "guard.yaml"):  # which name the networks, and so the stack
            text = (REPOSITORY / "deploy/compose" / file).read_text()
            text = re.sub(r"everfit_(store|registry|source)$", rf"{self.name}_\1", text, flags=re.M)
            (folder / file).write_text(text.replace("name: everfit\n", f"name: {self.name}\n"))
        plugins = folder / "docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(compose_v2())
        self.ports = _free_ports(2)
        self._had_settings = (REPOSITORY / ".env").exists()
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("EVERFIT_", "COMPOSE"))}
        self.environment = {
            **kept,
            "DOCKER_CONFIG": str(folder / "docker"),
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_PROFILES": "s3",
            "EVERFIT_AIRFLOW_PORT": str(self.ports[0]),
            "EVERFIT_MLFLOW_PORT": str(self.ports[1]),
            "EVERFIT_REDIS_IMAGE": image("redis"),
            "EVERFIT_S3_IMAGE": image("s3"),
            "EVERFIT_SECRETS": str(self.secrets),
            "EVERFIT_DAGS": str(self.dags),
            "EVERFIT_RUNNERS_FILE": str(folder / "runners.yaml"),
            "EVERFIT_GUARD_FILE": str(folder / "guard.yaml"),
            "EVERFIT_SWEEP": "1",
            "EVERFIT_POLL": "3",
        }
        for part in ("AIRFLOW", "COMPONENTS", "MLFLOW"):
            if named := os.environ.get(f"EVERFIT_{part}_IMAGE"):
                self.environment[f"EVERFIT_{part}_IMAGE"] = named

    def up(self, workers: int) -> str:
        """``make up``, with so many workers; what it prints."""
        return self.script("up", "--scale", f"worker={workers}", timeout=1200)

    def script(self, *words: str, timeout: float = 300) -> str:
        """``scripts/stack.sh`` with the settings of this stack."""
        return run(
            REPOSITORY / "scripts/stack.sh",
            *words,
            cwd=REPOSITORY,
            env=self.environment,
            timeout=timeout,
        )

    def down(self) -> None:
        """Take everything away, volumes too."""
        self.script("down", "--volumes", "--timeout", "5")
        for left in self.components(running=False):
            run("docker", "rm", "--force", "--volumes", left["id"])
        if not self._had_settings:
            (REPOSITORY / ".env").unlink(missing_ok=True)

    def secret(self, name: str) -> str:
        """What a file of the stack's secrets holds."""
        return (self.secrets / name).read_text().strip()

    def canaries(self) -> Canaries:
        """Every secret of this stack; of a key in PEM its one line that is nobody else's."""
        # A name, and what everybody may know.
        shown = {"s3_access_key", "verify_key", "verify_keys_before"}
        made_of_others = {"aws_credentials", "connections.json"}
        return Canaries(
            {
                file.name: max(file.read_text().split("\n"), key=len)
                for file in self.secrets.iterdir()
                if file.name not in shown | made_of_others
            }
        )

    def services(self) -> list[str]:
        """The services of the stack that have a container."""
        project = f"label=com.docker.compose.project={self.name}"
        shown = '{{.Label "com.docker.compose.service"}}'
        return sorted(
            set(run("docker", "ps", "-a", "--filter", project, "--format", shown).split())
        )

    # Pipelines and their data.

    def pipeline(self, name: str, **changes: Any) -> str:
        """Write the spec of a quick pipeline over a folder of its own name; gives the name back."""
        source = {**QUICK["source"], "uri": f"{{data}}/{name}/*.csv"}
        spec = {**QUICK, "source": source, **changes}
        (self.dags / "pipelines" / f"{name}.yaml").write_text(yaml.safe_dump(spec))
        return name

    def arrive(self, name: str, days: Iterable[int], rows: int = 2000) -> None:
        """Put spans of those days into the bucket."""
        for number in days:
            self.s3().put_object(
                Bucket="everfit-data",
                Key=f"{name}/{day_of(number)}.csv",
                Body=day_csv(number, rows, name).encode(),
            )

    def s3(self) -> Any:
        """A client of the store, at the address it has on this machine."""
        import boto3
        from botocore.config import Config

        networks = self.parts("s3")[0]["NetworkSettings"]["Networks"]
        return boto3.client(
            "s3",
            endpoint_url=f"http://{networks[f'{self.name}_store']['IPAddress']}:7070",
            aws_access_key_id=self.secret("s3_access_key"),
            aws_secret_access_key=self.secret("s3_secret_key"),
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    # Containers.

    def parts(self, service: str) -> list[dict[str, Any]]:
        """The containers of a service, as the engine describes them."""
        found = run(
            "docker",
            "ps",
            "-aq",
            "--filter",
            f"label=com.docker.compose.project={self.name}",
            "--filter",
            f"label=com.docker.compose.service={service}",
        ).split()
        return list(json.loads(run("docker", "inspect", *found))) if found else []

    def components(self, pipeline: str | None = None, running: bool = True) -> list[dict[str, str]]:
        """Containers of components on this stack's networks: id, component, pipeline."""
        shown = '{{.ID}} {{.Label "io.everfit.component"}} {{.Label "io.everfit.pipeline"}}'
        found = run(
            "docker",
            "ps",
            *([] if running else ["-a"]),
            "--filter",
            f"label={TASK}",
            "--no-trunc",
            "--filter",
            f"network={self.name}_store",
            "--format",
            shown,
        )
        names = ("id", "component", "pipeline")
        each = [dict(zip(names, line.split(), strict=True)) for line in found.splitlines()]
        return [one for one in each if pipeline in (None, one["pipeline"])]

    def at_work(self, pipeline: str, component: str) -> dict[str, str]:
        """Wait until a component of a pipeline runs; gives its container."""

        def found() -> dict[str, str] | None:
            here = [c for c in self.components(pipeline) if c["component"] == component]
            return here[0] if here else None

        return dict(until(found, f"{component} of {pipeline} at work", pause=0.2))

    def crash(self, container: Mapping[str, Any]) -> None:
        """End a container's first process, as the kernel does when memory runs out."""
        os.kill(int(container["State"]["Pid"]), signal.SIGKILL)

    def healthy(self, service: str, count: int = 1) -> None:
        """Wait until a service is as it should be."""
        until(
            lambda: (
                [p["State"].get("Health", {}).get("Status") for p in self.parts(service)]
                == ["healthy"] * count
            ),
            f"{service} healthy",
        )

    # Airflow.

    @property
    def api(self) -> AirflowApi:
        """Airflow's API, as the first user."""
        if not hasattr(self, "_api"):
            address = f"http://127.0.0.1:{self.ports[0]}"
            self._api = AirflowApi(address, "admin", self.secret("airflow_admin_password"))
        return self._api

    def switch_on(self, *dag_ids: str) -> None:
        """Wait until Airflow knows those DAGs, and switch them on."""
        for dag_id in dag_ids:
            until(lambda dag_id=dag_id: dag_id in self.api.dag_ids(), f"{dag_id} known")
            self.api.pause(dag_id, False)

    def start(self, pipeline: str) -> str:
        """Switch the training on, start a run by hand; its id."""
        dag_id = f"{pipeline}.train"
        self.switch_on(dag_id)
        # A DAG is listed a moment before it can be started.
        until(lambda: self.api.call("GET", f"/dagSources/{dag_id}"), f"{dag_id} written down")
        return self.api.trigger(dag_id, {"reason": "test"})

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, oldest first."""
        path = f"/dags/{quote(dag_id)}/dagRuns?limit=100&order_by=id"
        return list(self.api.call("GET", path)["dag_runs"])

    def ended(self, pipeline: str, run_id: str, seconds: float = PATIENCE) -> str:
        """Wait for the end of a training and give its state."""

        def state() -> str | None:
            found = self.api.run_state(f"{pipeline}.train", run_id)
            return found if found in FINISHED else None

        return str(until(state, f"the end of {pipeline}.train {run_id}", seconds))

    def instances(self, pipeline: str, run_id: str) -> list[dict[str, Any]]:
        """The tasks of a training, as Airflow's API tells of them."""
        path = f"/dags/{pipeline}.train/dagRuns/{quote(run_id)}/taskInstances?limit=100"
        return list(self.api.call("GET", path)["task_instances"])

    def why(self, pipeline: str, run_id: str) -> dict[str, Any]:
        """Of each task that failed or was tried again: state, tries and the one line it left."""
        dag_id, told = f"{pipeline}.train", {}
        for task in self.api.tasks(dag_id, run_id):
            if task.state == "failed" or task.tries > 1:
                line = self.api.xcom(dag_id, run_id, task.task, "because", task.map_index)
                told[f"{task.task} {task.label}".strip()] = (task.state, task.tries, line)
        return told

    # What has become of it.

    def mlflow(self, path: str, **query: str) -> dict[str, Any]:
        """An answer of MLflow's API to its admin."""
        asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[1]}/api/2.0/mlflow/{path}?{asked}"
        )
        login = f"admin:{self.secret('mlflow_admin_password')}".encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return dict(json.load(reply))

    def versions(self, pipeline: str) -> list[dict[str, Any]]:
        """The versions in MLflow's registry, oldest first."""
        found = self.mlflow("model-versions/search", filter=f"name='{pipeline}'")
        return sorted(found.get("model_versions", []), key=lambda v: int(v["version"]))

    def champion(self, pipeline: str) -> str:
        """The version with the alias."""
        found = self.mlflow("registered-models/alias", name=pipeline, alias="champion")
        return str(found["model_version"]["version"])

    def cli(self, *words: str) -> str:
        """``everfit`` on the stack."""
        return self.script("compose", "run", "--rm", "-T", "everfit", *words)


def refused(address: str) -> int:
    """The status of a page asked for without a login."""
    try:
        with urllib.request.urlopen(address, timeout=30) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def docker(*words: str) -> str:
    """A command of the engine's client."""
    return run("docker", *words)
