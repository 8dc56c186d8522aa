"""A stand to storm on: a real Airflow, tiny pipelines beside each other, and a hand to break parts.

Everything is told apart by the pipeline's name, so that several storms rage at once in one Airflow.
"""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from everfit.contracts.settings import Settings
from everfit_launch.airflow_here import DATABASE, AirflowHere
from everfit_launch.errors import LaunchError
from tests.airflow.processes import components_of, descendants, end, is_component

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
"""Seconds until something must have happened, on a slow and busy machine."""

QUICK: dict[str, Any] = {
    "task": "regression",
    "target": "fare",
    "time": "picked_up",
    "source": {"period": "%Y-%m-%d", "settle": 0},
    "window": {"spans": "all"},
    "holdout": {"spans": 1},
    "train": {"families": ["linear"], "trials": 1, "folds": 2},
    "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
    "triggers": {"any": [{"new_data": {}}], "budget": {"trainings": 20, "per": "1d"}},
}
"""A pipeline that is done in seconds, and trains on whatever is new."""

FAST: dict[str, str] = {
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}
"""Airflow notices a dead part in seconds, where it takes minutes by default."""

SCHEDULERS = ("scheduler", "scheduler-2")

FIRST_DAY = date(2020, 3, 2)


def day_csv(number: int, rows: int = 240, of: str = "") -> str:
    """The trips of one day, the same at every call: the fare follows from miles and minutes.

    Every pipeline has trips ``of`` its own: what is judged on the same rows shares a budget.
    """
    dice = random.Random(f"{of} {number}")
    began = datetime.combine(day_of(number), datetime.min.time())
    lines = ["picked_up,miles,minutes,zone,fare"]
    for row in range(rows):
        miles = dice.uniform(0.5, 12)
        minutes = miles * dice.uniform(3, 5)
        fare = 2.5 + 2.1 * miles + 0.35 * minutes + dice.gauss(0, 0.8)
        at = began + timedelta(seconds=row * 86_000 // rows)
        lines.append(
            f"{at.isoformat(sep=' ')},{miles:.2f},{minutes:.1f},"
            f"{dice.choice(('north', 'south', 'airport'))},{fare:.2f}"
        )
    return "\n".join(lines) + "\n"


def day_of(number: int) -> date:
    """The day that a span is of."""
    return FIRST_DAY + timedelta(days=number)


def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until something holds and give it back."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)
    return found


def on_postgresql(database: str) -> dict[str, str]:
    """Settings of an Airflow whose own records are in that database."""
    return {
        DATABASE: database.replace("+psycopg:", "+psycopg2:"),
        # Its driver for asyncio is not here, and nothing here asks for it.
        f"{DATABASE}_ASYNC": "",
    }


class Stand:
    """One Airflow with its own home, data and pipelines.

    Parameters
    ----------
    folder : Path
        Empty.
    database, ledger : str
        URLs of empty PostgreSQL databases: of Airflow, and ``EVERFIT_LEDGER``.
    environ : mapping, optional
        Further settings.
    further : mapping, optional
        Further ``AIRFLOW__*``.
    """

    def __init__(
        self,
        folder: Path,
        database: str,
        ledger: str,
        environ: Mapping[str, str] | None = None,
        schedulers: int = len(SCHEDULERS),
        further: Mapping[str, str] | None = None,
    ) -> None:
        self.data, self.specs = folder / "data", folder / "pipelines"
        for made in (self.data, self.specs):
            made.mkdir()
        environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith("EVERFIT_")},
            "EVERFIT_ROOT": str(REPOSITORY),
            "EVERFIT_HOME": str(folder / "home"),
            "EVERFIT_DATA": str(self.data),
            "EVERFIT_PIPELINES": str(self.specs),
            "EVERFIT_AIRFLOW_PORT": "0",
            "EVERFIT_SWEEP": "1",
            "EVERFIT_POLL": "1",
            "EVERFIT_LEDGER": ledger,
            **(environ or {}),
        }
        self.settings = Settings.from_environment(environment)
        more = {**FAST, **on_postgresql(database), **(further or {})}
        self.airflow = AirflowHere(self.settings, environment, 5, more, schedulers=schedulers)
        self.api = self.airflow.api

    def start(self) -> None:
        """Start every part, the triggerer too."""
        opened = "with open_ledger(os.environ['LEDGER']) as ledger: ledger.runs('none')"
        subprocess.run(
            [
                REPOSITORY / ".venv" / "bin" / "python",
                "-c",
                f"import os; from everfit.storage.ledger import open_ledger\n{opened}",
            ],
            check=True,
            cwd=REPOSITORY,
            env={**os.environ, "LEDGER": self.settings.ledger},
        )
        self.airflow.start()
        self.api = self.airflow.api
        self.airflow.start_triggerer()

    def stop(self) -> None:
        """Stop every part; nothing of it may be left."""
        self.airflow.stop()
        until(lambda: not components_of(self.settings.home), "every component is gone", 30)

    # Pipelines and their data.

    def pipeline(self, name: str, **changes: Any) -> str:
        """Write the spec of a pipeline over a folder of its own name; gives the name back."""
        (self.data / name).mkdir(exist_ok=True)
        source = {**QUICK["source"], "uri": f"{{data}}/{name}/*.csv", **changes.pop("source", {})}
        spec = {**QUICK, **changes, "source": source}
        (self.specs / f"{name}.yaml").write_text(yaml.safe_dump(spec))
        return name

    def arrive(self, name: str, days: Iterable[int], rows: int = 240) -> list[str]:
        """Have the spans of those days arrive, each whole at once; gives their names back."""
        return [self.place(name, number, day_csv(number, rows, name)) for number in days]

    def place(self, name: str, number: int, text: str) -> str:
        """Have the span of a day arrive with that text, whole at once; gives its name back."""
        span = f"{day_of(number)}.csv"
        hidden = self.data / name / f".{span}"
        hidden.write_text(text)
        hidden.rename(self.data / name / span)
        return span

    def present(self, name: str) -> list[str]:
        """The spans in the source."""
        return sorted(path.name for path in (self.data / name).glob("[!._]*.csv"))

    # Airflow.

    def ready(self, *dag_ids: str) -> None:
        """Wait until Airflow knows those DAGs, and switch them on."""
        for dag_id in dag_ids:
            self.airflow.wait_for_dag(dag_id)
            self.api.pause(dag_id, False)

    def runs(self, dag_id: str, **where: str) -> list[dict[str, Any]]:
        """The runs of a DAG, oldest first."""
        found: list[dict[str, Any]] = []
        asked = "".join(f"&{key}={value}" for key, value in where.items())
        while True:
            page = self.api.call(
                "GET",
                f"/dags/{quote(dag_id)}/dagRuns?limit=100&offset={len(found)}&order_by=id{asked}",
            )
            found += page["dag_runs"]
            if len(found) >= page["total_entries"] or not page["dag_runs"]:
                return found

    def quiet(self, *dag_ids: str) -> bool:
        """Whether no run of those DAGs is waiting or at work."""
        return not any(
            self.runs(dag_id, state=state) for dag_id in dag_ids for state in ("queued", "running")
        )

    def bells(self, name: str) -> list[int]:
        """The numbers of the assets of a pipeline: its source and its signals."""
        found = self.api.call("GET", f"/assets?limit=100&uri_pattern=everfit://{name}/")["assets"]
        return [int(a["id"]) for a in found if a["uri"].startswith(f"everfit://{name}/")]

    def burst(self, bells: Sequence[int], events: int, seed: int = 0) -> None:
        """Many events of those assets at once, in any order, most of them doubled."""
        dice = random.Random(seed)
        drawn = [(dice.choice(bells), {"number": n // 2}) for n in range(events)]
        dice.shuffle(drawn)
        with ThreadPoolExecutor(6) as hands:
            list(hands.map(lambda event: self.ring(*event), drawn))

    def ring(self, asset: int, extra: Mapping[str, Any] | None = None) -> None:
        """One event of an asset, as anybody may post it."""
        body = {"asset_id": asset, "extra": dict(extra or {})}
        for left in (2, 1, 0):
            try:
                self.api.call("POST", "/assets/events", body)
            except LaunchError:  # the server is very busy; at worst the event is doubled
                if not left:
                    raise
                time.sleep(0.5)
            else:
                return

    def kill(self, part: str, components: bool = False) -> None:
        """End a part at once, as the kernel does when memory runs out.

        Parameters
        ----------
        components : bool
            What its tasks started goes too, as when the machine loses power; else it stays behind,
            working for nobody.
        """
        leader = self.airflow.services.pid(part)
        below = descendants(leader)
        self.airflow.services.kill(part)
        for pid in below:
            if components or not is_component(pid):
                end(pid)

    def restart(self, part: str) -> None:
        """Start a killed part again."""
        self.airflow.restart(part)

    # What has become of it.

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Any]:
        """The ledger, read by this process; the components have another driver."""
        from everfit.storage.ledger.ledger import Ledger
        from everfit.storage.ledger.server_connection import ServerConnection

        connection = ServerConnection(self.settings.ledger.replace("+psycopg:", "+psycopg2:"))
        try:
            yield Ledger(connection)
        finally:
            connection.close()

    def registered(self, name: str) -> list[int]:
        """The versions in MLflow's registry."""
        path = self.settings.mlflow.removeprefix("sqlite:///")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            rows = database.execute(
                "SELECT version FROM model_versions WHERE name = ? ORDER BY version", (name,)
            ).fetchall()
        database.close()
        return [int(row[0]) for row in rows]
