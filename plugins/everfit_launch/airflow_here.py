"""A whole Airflow on this machine: prepared, started, watched, stopped."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from everfit.contracts.settings import Settings
from everfit_launch import sqlite_patience
from everfit_launch.configuration import airflow_environment, airflow_program, login
from everfit_launch.errors import LaunchError
from everfit_launch.ports import HOST, port_setting
from everfit_launch.rest import FINISHED, AirflowApi, TaskState
from everfit_launch.services import Services

Say = Callable[[str], None]

STARTUP = 240.0
"""Seconds a slow and busy machine may take."""

SETTLED = 30.0
"""Seconds after which what Airflow says of a spec is surely of the spec as it is now."""

SCHEDULER = "scheduler"
PARTS = ("api-server", SCHEDULER, "dag-processor")
TRIGGERER = "triggerer"
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def _nothing(heard: object) -> None:
    """What is said to nobody."""
    del heard


class AirflowHere:
    """Airflow in ``<home>/airflow``: SQLite by default, local executor, a password of its own.

    Parameters
    ----------
    settings : Settings
        Places and addresses, handed on to every component.
    environ : mapping, optional
        Further environment, ``os.environ`` where left out; ``EVERFIT_AIRFLOW_PORT`` (8080) is read
        from it.
    parse_every : int
        Seconds after which a new YAML shows.
    further : mapping, optional
        ``AIRFLOW__*`` in place of what it is started with otherwise, such as another database.
    schedulers : int
        More than one needs a database server.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str] | None = None,
        parse_every: int = 30,
        further: Mapping[str, str] | None = None,
        schedulers: int = 1,
    ) -> None:
        self._settings = settings
        self._further = dict(further or {})
        self._parts = (*PARTS, *(f"{SCHEDULER}-{n}" for n in range(2, schedulers + 1)))
        self.environ = dict(os.environ if environ is None else environ)
        self._parse_every = parse_every
        self._home = settings.home / "airflow"
        self.services = Services(self._home)
        self._environment: dict[str, str] = {}
        self._prepared = False
        self.user, self.password = "", ""
        self.address = ""
        self.api = AirflowApi("", "", "")

    def __enter__(self) -> AirflowHere:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, say: Say = _nothing) -> None:
        """Start every part and wait until they are at work; nothing stays where this raises.

        Raises
        ------
        LaunchError
            If the environment is missing, the port is taken, or a part does not come up.
        """
        program = airflow_program(self._settings)
        if not os.access(program, os.X_OK):
            raise LaunchError(
                f"AIRFLOW {program}: must be there; it is not. Run make setup, then try again."
            )
        self.prepare()
        port = port_setting("EVERFIT_AIRFLOW_PORT", 8080, "the Airflow page", self.environ, say)
        self.user, self.password = login(self._settings)
        self._environment = airflow_environment(
            self._settings, port, self.environ, self._parse_every, self._further
        )
        self.address = f"http://localhost:{port}"
        self.api = AirflowApi(f"http://{HOST}:{port}", self.user, self.password)
        try:
            self._migrate(say)
            say("starting " + ", ".join(self._parts))
            for part in self._parts:
                self._start_part(part)
            self._wait(self.api.healthy, "Airflow", say)
            self.api.warm()
        except BaseException:
            self.stop()
            raise

    def prepare(self) -> None:
        """Make Airflow's folder and end what an earlier, killed start left running; once."""
        if not self._prepared:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.services.clear_the_way()
            self._prepared = True

    def stop(self) -> None:
        """Stop every part with all it started."""
        self._prepared = False
        self.services.stop()

    def wait_for_dag(self, dag_id: str, say: Say = _nothing) -> None:
        """Wait until a DAG has been read.

        Raises
        ------
        LaunchError
            If its YAML is broken, with its problems.
        """
        began = time.monotonic()

        def there() -> bool:
            if dag_id in self.api.dag_ids():
                return True
            name = dag_id.rpartition(".")[0] + ".yaml.py"
            problem = self.api.import_errors().get(name)
            # What Airflow remembers may be from before the YAML was fixed.
            if problem and time.monotonic() - began > SETTLED:
                raise LaunchError(problem.strip().rpartition("BrokenSpec: ")[2])
            return False

        self._wait(there, dag_id, say)

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        watch: Callable[[list[TaskState]], None] = _nothing,
        timeout: float = 3600.0,
        every: float = 1.0,
    ) -> str:
        """Wait for the end of a run and give back its state.

        Parameters
        ----------
        watch : callable
            Gets the tasks every time they were looked at.

        Raises
        ------
        LaunchError
            If a part of Airflow ends, or the time is over.
        """
        deadline = time.monotonic() + timeout
        while True:
            state = self.api.run_state(dag_id, run_id)
            watch(self.api.tasks(dag_id, run_id))
            if state in FINISHED:
                return state
            self.services.check()
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"RUN {run_id}: must end within {timeout:.0f} s; it is still {state}. "
                    f"Look at {self.address}/dags/{dag_id}."
                )
            time.sleep(every)

    def start_triggerer(self) -> None:
        """Start the part that only DAGs waiting for events need; Airflow's page asks for it too."""
        self._start_part(TRIGGERER)

    def restart(self, part: str) -> None:
        """Start a part that was killed."""
        self._start_part(part)

    def _start_part(self, part: str) -> None:
        command = SCHEDULER if part.startswith(SCHEDULER) else part
        # The API server reads the logs from their folder; nobody has to serve them.
        extra = ["--skip-serve-logs"] if command in (SCHEDULER, TRIGGERER) else []
        program = str(airflow_program(self._settings))
        environment = dict(self._environment)
        if DATABASE not in self._further and part != "api-server":
            environment[f"{DATABASE.removesuffix('CONN')}CONNECT_ARGS"] = sqlite_patience.WHERE
        self.services.start(part, [program, command, *extra], environment)

    def _migrate(self, say: Say) -> None:
        """Make the database, once for each version of Airflow."""
        packages = (
            airflow_program(self._settings)
            .parents[1]
            .glob("lib/python*/site-packages/apache_airflow_core-*.dist-info")
        )
        version = ",".join(sorted(path.name for path in packages))
        if database := self._further.get(DATABASE):
            version += f" {hashlib.sha256(database.encode()).hexdigest()}"
        stamp = self._home / "migrated"
        if stamp.exists() and stamp.read_text() == version:
            return
        say("preparing Airflow's database")
        log = self.services.log("db-migrate")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            code = subprocess.run(  # noqa: S603 (our own program)
                [str(airflow_program(self._settings)), "db", "migrate"],
                env=self._environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        if code != 0:
            raise LaunchError(
                f"AIRFLOW database: must be made; the command ended with code {code}: "
                f"{self.services.last_line('db-migrate')!r}. Read {log}."
            )
        stamp.write_text(version)

    def _wait(self, ready: Callable[[], bool], what: str, say: Say) -> None:
        began = time.monotonic()
        told = began
        while not ready():
            self.services.check()
            now = time.monotonic()
            if now - began > STARTUP:
                raise LaunchError(
                    f"AIRFLOW {what}: must be ready within {STARTUP:.0f} s; it is not. "
                    f"Read the logs in {self._home / 'logs'}."
                )
            if now - told > 5:
                told = now
                say(f"waiting for {what}, {now - began:.0f} s")
            time.sleep(0.5)
