"""A client of Airflow's REST API, as much as starting and watching a run needs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from everfit_launch.errors import LaunchError

FINISHED = ("success", "failed")


@dataclass(frozen=True)
class TaskState:
    """One task of a run; a mapped one has ``label`` (the model family)."""

    task: str
    map_index: int
    label: str
    state: str | None
    started: datetime | None
    ended: datetime | None
    tries: int

    @property
    def seconds(self) -> float | None:
        """Wall seconds, None while it has not ended."""
        if self.started is None or self.ended is None:
            return None
        return (self.ended - self.started).total_seconds()


class AirflowApi:
    """Airflow at an address, as a user.

    Parameters
    ----------
    address : str
        Such as ``http://127.0.0.1:8080``.
    """

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address.rstrip("/")
        self._login = {"username": user, "password": password}
        self._token = ""

    def healthy(self) -> bool:
        """Whether server, scheduler and DAG processor are all at work."""
        try:
            health = self._plain("/api/v2/monitor/health")
        except (OSError, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return all(health.get(part, {}).get("status") == "healthy" for part in parts)

    def warm(self) -> None:
        """Ask the part of the server that tasks talk to once, before a task has to wait for it."""
        self._plain("/execution/health", timeout=60)

    def dag_ids(self) -> list[str]:
        """DAGs that can be run."""
        return [dag["dag_id"] for dag in self.call("GET", "/dags?limit=1000")["dags"]]

    def import_errors(self) -> dict[str, str]:
        """File → what Airflow says of it."""
        found = self.call("GET", "/importErrors?limit=1000")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in found}

    def pause(self, dag_id: str, paused: bool) -> None:
        """Switch a DAG off or on."""
        self.call("PATCH", f"/dags/{quote(dag_id)}", {"is_paused": paused})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run and give back its id; a bad form raises ``LaunchError``."""
        body = {"logical_date": None, "conf": conf or {}}
        run = self.call("POST", f"/dags/{quote(dag_id)}/dagRuns", body)
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.call("GET", f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Every task of a run."""
        path = f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances?limit=1000"
        return [
            TaskState(
                task=item["task_id"],
                map_index=item["map_index"],
                label=item.get("rendered_map_index") or "",
                state=item["state"],
                started=_moment(item["start_date"]),
                ended=_moment(item["end_date"]),
                tries=item["try_number"],
            )
            for item in self.call("GET", path)["task_instances"]
        ]

    def xcom(
        self, dag_id: str, run_id: str, task: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """What a task left, None where it left nothing."""
        path = (
            f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task)}"
            f"/xcomEntries/{quote(key)}?map_index={map_index}&stringify=false&deserialize=false"
        )
        try:
            value = self.call("GET", path)["value"]
        except NotThere:
            return None
        return value

    def links(self, dag_id: str, run_id: str, task: str, map_index: int = -1) -> dict[str, Any]:
        """The buttons of a task: name → address."""
        path = (
            f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task)}"
            f"/links?map_index={map_index}"
        )
        return dict(self.call("GET", path)["extra_links"])

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request of the public API.

        Raises
        ------
        NotThere
            If what is asked for does not exist.
        LaunchError
            If the server refuses or does not answer.
        """
        for attempt in (1, 2, 3):
            try:
                return self._request(method, f"/api/v2{path}", body)
            except urllib.error.HTTPError as error:
                detail = _detail(error)
                if error.code == 401 and attempt == 1:
                    self._token = ""
                    continue
                if error.code == 404:
                    raise NotThere(f"AIRFLOW {path}: is not there: {detail}.") from None
                raise LaunchError(
                    f"AIRFLOW {method} {path}: the server must accept it; it answered "
                    f"{error.code}: {detail}. Read its log."
                ) from None
            except OSError as error:
                # A lost reply of a POST must not be asked for again: the run may be there.
                if attempt == 3 or method == "POST":
                    raise LaunchError(
                        f"AIRFLOW {self.address}: the server must answer; {error}. Read its log."
                    ) from None
                time.sleep(1)
        raise LaunchError(f"AIRFLOW {self.address}: the login was refused. Read its log.")

    def _request(self, method: str, path: str, body: Any, timeout: float = 30) -> Any:
        if not self._token:
            self._token = self._plain("/auth/token", self._login, timeout)["access_token"]
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._plain(path, body, timeout, method, headers)

    def _plain(
        self,
        path: str,
        body: Any = None,
        timeout: float = 30,
        method: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        request = urllib.request.Request(  # noqa: S310  the address is ours
            self.address + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        with urllib.request.urlopen(request, timeout=timeout) as reply:  # noqa: S310
            return json.loads(reply.read() or b"null")


class NotThere(LaunchError):
    """The API knows nothing of that name."""


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        found = json.loads(error.read())
    except (ValueError, OSError):
        return str(error.reason)
    return str(found.get("detail", found))[:300] if isinstance(found, dict) else str(found)[:300]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
