"""``python -m everfit_launch.demo PIPELINE``: a pipeline through a real Airflow scheduler, shown.

Starts Airflow and MLflow on this machine, runs the pipeline's training DAG once, shows the
verdict, and then stays for a person to look around; with no terminal it stops and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

from everfit.contracts.errors import UserError
from everfit.contracts.messages.chain import CHAIN
from everfit.contracts.messages.steps import Outcome, find_summary, read_outcome
from everfit.contracts.messages.summaries import GateSummary, RegisterSummary
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import find_spec, load_spec
from everfit_airflow.security.child_environment import child_environment
from everfit_launch.airflow_here import AirflowHere
from everfit_launch.configuration import component_program
from everfit_launch.errors import LaunchError
from everfit_launch.mlflow_here import answers, start_mlflow
from everfit_launch.ports import port_setting
from everfit_launch.rest import TaskState
from everfit_launch.screen import RunView, Screen

DEFAULT = "taxi_fare"
BECAUSE = "because"


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 after a verdict or where nothing changed, 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="python -m everfit_launch.demo", description=__doc__)
    parser.add_argument("pipeline", nargs="?", default=DEFAULT)
    name = parser.parse_args(arguments).pipeline
    screen = Screen()
    # A closed terminal or a polite kill also stops what was started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        settings = Settings.from_environment()
        load_spec(find_spec(settings.pipelines, name))
        return Demo(settings, dict(os.environ), screen).run(name)
    except (LaunchError, UserError) as error:
        screen.line(f"  {screen.paint('✗', '31')} {getattr(error, 'line', error)}")
        return 1
    except KeyboardInterrupt:
        screen.line()
        return 130


class Demo:
    """Airflow and MLflow, a run, and its story.

    Parameters
    ----------
    settings : Settings
        Where everything is.
    environ : dict
        ``EVERFIT_AIRFLOW_PORT`` and ``EVERFIT_MLFLOW_PORT`` are read from it.
    """

    def __init__(self, settings: Settings, environ: dict[str, str], screen: Screen) -> None:
        self._settings, self._environ, self._screen = settings, environ, screen
        self._airflow = AirflowHere(settings, environ)
        self._mlflow_page: str | None = None
        self._mlflow_port = 0

    def run(self, name: str) -> int:
        """Start, run, show, stay if there is a terminal, stop."""
        screen = self._screen
        try:
            began = time.monotonic()
            self._start(name)
            screen.line(
                f"  {screen.paint('✓', '32')} {'ready':<28}{time.monotonic() - began:7.1f} s"
            )
            code = self._train(name)
            self._wait_for_mlflow()
            self._addresses(name)
            if screen.terminal and sys.stdin.isatty():
                self._stay(name)
            return code
        finally:
            # Whoever is impatient now would leave half of it running.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            screen.now("stopping")
            self._airflow.stop()
            screen.line(
                screen.faint(
                    f"  stopped; everything that was made is kept in {self._settings.home}"
                )
            )

    def _start(self, name: str) -> None:
        screen = self._screen
        screen.line(screen.strong(f"\nEverfit: {name} through Airflow's own scheduler\n"))
        if self._settings.mlflow.startswith("sqlite:"):
            self._airflow.prepare()
            self._mlflow_port = port_setting(
                "EVERFIT_MLFLOW_PORT", 5000, "the MLflow page", self._environ, self._say
            )
            self._mlflow_page = start_mlflow(
                self._airflow.services, self._settings, self._environ, self._mlflow_port
            )
            self._airflow.environ["EVERFIT_MLFLOW_PAGE"] = self._mlflow_page
        else:
            self._mlflow_page = self._settings.mlflow_page
        self._airflow.start(screen.now if screen.terminal else self._say)
        self._airflow.wait_for_dag(f"{name}.train", screen.now)

    def _say(self, text: str) -> None:
        self._screen.line(f"    … {text}")

    def _train(self, name: str) -> int:
        api, dag_id = self._airflow.api, f"{name}.train"
        api.pause(dag_id, False)
        began = time.monotonic()
        run_id = api.trigger(dag_id, {"reason": "demo"})
        logs = self._settings.home / "airflow" / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
        view = RunView(self._screen, logs, list(CHAIN))
        last: list[TaskState] = []

        def watch(tasks: list[TaskState]) -> None:
            last[:] = tasks
            view.update(tasks)

        state = self._airflow.wait_for_run(dag_id, run_id, watch)
        wall = time.monotonic() - began
        self._screen.line()
        if state != "success":
            return self._failed(dag_id, run_id, last)
        if any(task.task == "plan" and task.state == "skipped" for task in last):
            because = str(api.xcom(dag_id, run_id, "plan", BECAUSE) or "")
            self._fact("verdict", self._screen.strong("nothing to do"))
            because = because.partition(": ")[2] or because
            self._fact("because", because[:1].upper() + because[1:])
            self._fact("@champion", self._champion(name) or "none yet")
            return 0
        self._verdict(dag_id, run_id, last, wall)
        return 0

    def _failed(self, dag_id: str, run_id: str, tasks: list[TaskState]) -> int:
        screen = self._screen
        for task in tasks:
            if task.state == "failed":
                line = self._airflow.api.xcom(dag_id, run_id, task.task, BECAUSE, task.map_index)
                where = f"{self._airflow.address}/dags/{dag_id}/runs/{run_id}/tasks/{task.task}"
                screen.line(f"  {screen.paint('✗', '31')} {line or f'{task.task} failed.'}")
                screen.line(screen.faint(f"    its log: {where}"))
        return 1

    def _verdict(self, dag_id: str, run_id: str, tasks: list[TaskState], wall: float) -> None:
        screen, api = self._screen, self._airflow.api
        left = [read_outcome(api.xcom(dag_id, run_id, task)) for task in ("gate", "register")]
        outcomes = [one for one in left if isinstance(one, Outcome)]
        if gate := find_summary(outcomes, GateSummary):
            colour = {"promote": "1;32", "hold": "1;33", "reject": "1;31"}[gate.verdict]
            self._fact("verdict", screen.paint(gate.verdict, colour))
            self._fact("because", gate.because)
        if made := find_summary(outcomes, RegisterSummary):
            name = dag_id.rpartition(".")[0]
            self._fact(
                "registered", f"{name} version {made.version}" if made.version else "nothing"
            )
            self._fact("@champion", f"version {made.champion}" if made.champion else "none yet")
        self._times(dag_id, run_id, tasks, wall)

    def _fact(self, name: str, text: str) -> None:
        """A name and what there is to say of it, on as many lines as that needs."""
        width = max(40, min(100, shutil.get_terminal_size().columns) - 16)
        lines = textwrap.wrap(text, width) or [""]
        self._screen.line(f"  {name:<12}{lines[0]}")
        for line in lines[1:]:
            self._screen.line(f"  {'':<12}{line}")

    def _champion(self, name: str) -> str:
        """Who serves, and since when; empty where nobody does."""
        everfit = component_program(self._settings, self._environ, "everfit")
        told = subprocess.run(  # noqa: S603 (our own program)
            [everfit, "champion", name, "--json"],
            env=child_environment(self._environ, str(self._settings.root)),
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            champion = json.loads(told.stdout)
            return (
                f"version {champion['version']}, since {champion['since'][:16].replace('T', ' ')}"
            )
        except (ValueError, KeyError, TypeError):
            return ""

    def _times(self, dag_id: str, run_id: str, tasks: list[TaskState], wall: float) -> None:
        screen = self._screen
        rows: list[tuple[str, float, bool]] = []
        order: list[str] = list(CHAIN)
        for task in sorted(tasks, key=lambda task: (order.index(task.task), task.map_index)):
            left = self._airflow.api.xcom(dag_id, run_id, task.task, map_index=task.map_index)
            if isinstance(outcome := read_outcome(left), Outcome):
                name = f"{task.task} {task.label}".strip()
                rows.append((name, outcome.seconds, outcome.cached))
        screen.line(f"\n  {screen.strong('where the time went')}")
        longest = max([*(seconds for _, seconds, _ in rows), 1e-9])
        for name, seconds, cached in rows:
            told = "found, not computed" if cached else "█" * round(24 * seconds / longest)
            screen.line(f"  {name:<26}{seconds:7.1f} s  {screen.faint(told)}".rstrip())
        screen.line(
            f"  {'from trigger to end':<26}{wall:7.1f} s  "
            + screen.faint("families side by side; the rest is Airflow and starting Python")
        )

    def _addresses(self, name: str) -> None:
        screen, airflow = self._screen, self._airflow
        screen.line(f"\n  {'Airflow':<12}{airflow.address}/dags/{name}.train")
        screen.line(f"  {'login':<12}{airflow.user} / {airflow.password}")
        if self._mlflow_page:
            screen.line(f"  {'MLflow':<12}{self._mlflow_page}/#/models/{name}")
        screen.line()

    def _wait_for_mlflow(self) -> None:
        """An address is only told once it answers."""
        while self._mlflow_port and not answers(self._mlflow_port):
            self._screen.now("waiting for MLflow's page")
            self._airflow.services.check()
            time.sleep(0.5)

    def _stay(self, name: str) -> None:
        """Keep the pages up until Ctrl-C, and the source watched."""
        screen = self._screen
        self._airflow.start_triggerer()
        if load_spec(find_spec(self._settings.pipelines, name)).triggers.automatic:
            self._airflow.api.pause(f"{name}.monitor", False)
            screen.line(screen.faint(f"  {name}.monitor is on too: it looks at what is new."))
        screen.line(screen.strong("  The pages stay up; Ctrl-C stops everything."))
        try:
            while True:
                self._airflow.services.check()
                time.sleep(1)
        except KeyboardInterrupt:
            screen.line()


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
