"""An order carried out where the settings say, and its end as Airflow understands it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowSkipException
from pydantic import ValidationError

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import (
    EXIT_DONE,
    EXIT_NOTHING_TO_DO,
    EXIT_USER,
    EverfitError,
    UserError,
    shortlist,
)
from everfit.contracts.messages.steps import Component, Ended, Order, Outcome
from everfit.contracts.runners import Place
from everfit.contracts.settings import Settings, find_root
from everfit.contracts.spec.load import problems_of
from everfit_airflow.observability.datasets import Work
from everfit_airflow.observability.lineage import facets
from everfit_airflow.observability.metrics import State, send_metrics
from everfit_airflow.operators.failures import ComponentFailed, UserActionRequired
from everfit_airflow.runners import Ending, Runner, Task
from everfit_airflow.runners.choice import choose, fence, installation, lasting, makes_its_key
from everfit_airflow.security.credentials import credentials
from everfit_airflow.security.signing_keys import require_key
from everfit_airflow.ui.run_tab import BECAUSE, ENDED

if TYPE_CHECKING:
    from airflow.sdk import Context

Left = TypeVar("Left", Outcome, Ended)

REMEMBERED = "component_process"
"""Key in the task's state store, which outlives a try: what the component runs as."""


class RunsComponents:
    """What every task does that starts a component; beside one of Airflow's operators."""

    component: Component
    log: Any
    _runner: Runner | None = None
    _killed = False
    _work: Work | None = None

    def perform(
        self,
        order: Order,
        spec_file: str,
        context: Context,
        upstream: Mapping[Component, Sequence[Any]] | None = None,
    ) -> Outcome:
        """Carry an order out.

        Parameters
        ----------
        upstream : mapping, optional
            Component whose result is read → outcomes of its tasks, for whoever asks for lineage.

        Raises
        ------
        AirflowSkipException
            If there is nothing to do.
        UserActionRequired
            If a person must fix something; the task is not tried again.
        ComponentFailed
            If it failed in a way that another try may cure.
        """
        clock = _Clock()
        state: State = "failed"
        outcome, line = None, ""
        settings = settings_beside(spec_file)
        self._work = Work(order, settings, upstream or {})
        try:
            place, ending = self._carry_out(order, settings, context, clock)
            outcome = self._work.outcome = self._outcome_of(ending, place, context["ti"])
            state = "done"
            return outcome
        except EverfitError as error:
            line = error.line
            raise (UserActionRequired if isinstance(error, UserError) else ComponentFailed)(
                line
            ) from None
        except (AirflowSkipException, ComponentFailed) as error:
            line = str(error)
            state = "skipped" if isinstance(error, AirflowSkipException) else "failed"
            raise
        finally:
            if line:
                context["ti"].xcom_push(key=BECAUSE, value=line)
            send_metrics(
                order.component, order.pipeline, outcome, clock.worked, clock.waited, state, line
            )

    def on_kill(self) -> None:
        """End the component with everything it started."""
        self._killed = True
        if self._runner is not None:
            self._runner.stop()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002
        """What was read and written, where OpenLineage's provider asks."""
        return facets(self._work)

    def _carry_out(
        self, order: Order, settings: Settings, context: Context, clock: _Clock
    ) -> tuple[Place, Ending]:
        """Run the component where the installation's settings say."""
        spec, component, runners = order.pipeline, order.component, installation(os.environ)
        task = task_of(context["ti"], order)
        chosen = choose(runners, spec, component, task, settings, os.environ)
        place, environment = chosen.place, chosen.environment
        secrets = credentials(spec, component, runners.connections, os.environ)
        if self._work is not None:
            self._work.registry = secrets.get("EVERFIT_MLFLOW", "")
        lasting(place, component, environment, secrets)
        if place.runner != "process" and not makes_its_key(place, environment):
            require_key(component, secrets)
        self._runner = runner = chosen.runner
        if self._killed:  # Airflow goes on with a task after telling it to end
            runner.stop()
        memory = context.get("task_state_store")
        if memory is not None and isinstance(left := memory.get(REMEMBERED), dict):
            ended = fence(left, runners, chosen, component, task)
            if ended:
                self.log.warning(ended)

        def started(what: dict[str, Any]) -> None:
            clock.start()
            if memory is not None:
                memory.set(REMEMBERED, what)

        log = logging.getLogger(f"everfit.{component}")
        return place, runner.run(canonical_json(order), environment, secrets, log.info, started)

    def _outcome_of(self, ending: Ending, place: Place, ti: Any) -> Outcome:
        """Turn exit code and outcome into what Airflow understands."""
        if ending.code == EXIT_DONE and ending.outcome is not None:
            return self._read(Outcome, ending.outcome)
        line = self._because(ending, place)
        if ending.code == EXIT_NOTHING_TO_DO:
            if ending.outcome:
                ended = self._read(Ended, ending.outcome)
                ti.xcom_push(key=ENDED, value=ended.model_dump(mode="json"))
            raise AirflowSkipException(line)
        if ending.code == EXIT_USER:
            raise UserActionRequired(line)
        raise ComponentFailed(line)

    def _read(self, kind: type[Left], document: bytes) -> Left:
        """What a component has left; an image of somebody's own may leave anything."""
        try:
            return kind.model_validate_json(document)
        except ValidationError as error:
            raise UserError(
                "OUTCOME",
                self.component,
                "an outcome must follow the contract",
                shortlist(problems_of(kind, error), 2, " | "),
                "Correct the component or its image",
            ) from error

    def _because(self, ending: Ending, place: Place) -> str:
        """Why there is no outcome."""
        line = ending.last_line or f"{self.component} gave no message."
        if ending.out_of_memory:
            return (
                f"OUT-OF-MEMORY {self.component}: a component must stay within its memory; it "
                f"needed more than {place.memory} and was stopped. Raise its memory in the runners "
                f"file (EVERFIT_RUNNERS). Last line: {line}"
            )
        if ending.code == EXIT_DONE:
            return (
                f"OUTCOME {self.component}: a component must leave an outcome; it left none. {line}"
            )
        if ending.code < 0:
            by = f"ended by signal {-ending.code}"
            if ending.code == -9 and place.runner != "process" and not self._killed:
                by += ", by someone or because the machine ran out of memory"
            return f"KILLED {self.component}: {by}; last line: {line}"
        return line


class _Clock:
    """When a task began, and when its component did."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._started: float | None = None

    def start(self) -> None:
        self._started = time.monotonic()

    @property
    def waited(self) -> float | None:
        """Seconds until the component began; None where it never did."""
        return None if self._started is None else self._started - self._began

    @property
    def worked(self) -> float:
        """Seconds since then."""
        return 0.0 if self._started is None else time.monotonic() - self._started


def task_of(ti: Any, order: Order) -> Task:
    """Which task of Airflow it is, whichever try."""
    return Task(
        ti.dag_id, ti.run_id, ti.task_id, ti.map_index, order.pipeline.name, order.component
    )


def settings_beside(spec_file: str) -> Settings:
    """Settings with the root found from where the spec is, unless the environment names it."""
    return Settings.from_environment(
        {"EVERFIT_ROOT": str(find_root(Path(spec_file).resolve().parent)), **os.environ}
    )
