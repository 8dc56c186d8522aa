"""The operator: an order out, a component at work, its outcome back as a small XCom."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator, Connection
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from airflow.sdk.log import mask_secret

from everfit_airflow.assets import bells, signal_asset, signals_of
from everfit_airflow.child_environment import child_environment, connection_url, variable_of
from everfit_airflow.failures import ComponentFailed, MendFirst
from everfit_airflow.links import LINKS
from everfit_airflow.orders import Woken, make_order
from everfit_airflow.run_tab import BECAUSE, ENDED
from everfit_airflow.runners import Ending, Runner
from everfit_airflow.runners.process import ProcessRunner
from pipeline_components.contracts.base import canonical_json
from pipeline_components.contracts.errors import (
    EXIT_DONE,
    EXIT_NOTHING_TO_DO,
    EXIT_USER,
    SpecError,
)
from pipeline_components.contracts.settings import Settings, find_root
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.spec_file import load_spec
from pipeline_components.contracts.steps import (
    CHAIN,
    MONITORING,
    Asked,
    Component,
    Ended,
    Order,
    Outcome,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

COLOURS: dict[Component, str] = {
    "plan": "#e8eaf6", "extract": "#e0f2f1", "validate": "#e0f7fa", "prepare": "#e3f2fd",
    "train": "#fff3e0", "evaluate": "#fff8e1", "gate": "#fce4ec", "register": "#e8f5e9",
    "watch": "#f1f8e9", "monitor": "#ede7f6", "drift_report": "#fff8e1",
    "promote": "#e8f5e9", "reconcile": "#f3e5f5",
}  # fmt: skip

BESIDE: dict[Component, tuple[Component, ...]] = {"promote": (), "reconcile": ()}
"""The components beside the chain."""

REMEMBERED = "component_process"
"""Key in the task's state store, which outlives a try: what the component runs as."""


class RunsComponents:
    """What every task does that starts a component; beside one of Airflow's operators."""

    component: Component
    log: Any
    _runner: Runner | None = None
    _killed = False

    def perform(self, order: Order, spec_file: str, context: Context) -> Outcome:
        """Carry an order out.

        Raises
        ------
        AirflowSkipException
            If there is nothing to do.
        MendFirst
            If a person must mend something; the task is not tried again.
        ComponentFailed
            If it failed in a way that another try may cure.
        """
        settings = settings_beside(spec_file)
        self._runner = runner = ProcessRunner(door_program(settings.root, os.environ))
        if self._killed:  # Airflow goes on with a task after telling it to end
            runner.stop()
        memory = context.get("task_state_store")
        if memory is not None and isinstance(left := memory.get(REMEMBERED), dict):
            ended = runner.fence(left)
            if ended:
                self.log.warning(ended)
        log = logging.getLogger(f"everfit.{order.component}")
        ending = runner.run(
            canonical_json(order),
            child_environment(os.environ, str(settings.root), self._connections(order.pipeline)),
            {},
            log.info,
            lambda process: memory.set(REMEMBERED, process) if memory is not None else None,
        )
        return self._settle(ending, context["ti"])

    def on_kill(self) -> None:
        """End the component with everything it started."""
        self._killed = True
        if self._runner is not None:
            self._runner.stop()

    def _connections(self, spec: PipelineSpec) -> dict[str, str]:
        name = spec.source.connection
        if name is None or variable_of(name) in os.environ:
            return {}
        try:
            found = Connection.get(name)
        except AirflowException:
            return {}  # the component says which connection is missing, and how to give it
        url = connection_url(
            found.conn_type, found.login, found.password, found.host, found.port, found.schema
        )
        for secret in (found.password, url):
            if secret:
                mask_secret(secret)
        return {name: url}

    def _settle(self, ending: Ending, ti: Any) -> Outcome:
        """Turn exit code and outcome into what Airflow understands."""
        if ending.code == EXIT_DONE and ending.outcome is not None:
            return Outcome.model_validate_json(ending.outcome)
        line = ending.last_line or f"{self.component} said nothing."
        if ending.code == EXIT_DONE:
            line = f"OUTCOME {self.component}: a component leaves an outcome; it left none. {line}"
        elif ending.code < 0:
            line = f"KILLED {self.component}: ended by signal {-ending.code}; last line: {line}"
        ti.xcom_push(key=BECAUSE, value=line)
        if ending.code == EXIT_NOTHING_TO_DO:
            if ending.outcome:
                ended = Ended.model_validate_json(ending.outcome)
                ti.xcom_push(key=ENDED, value=ended.model_dump(mode="json"))
            raise AirflowSkipException(line)
        if ending.code == EXIT_USER:
            raise MendFirst(line)
        raise ComponentFailed(line)


class ComponentOperator(RunsComponents, BaseOperator):
    """Runs one component for one pipeline.

    Parameters
    ----------
    component : str
        A step of ``contracts.steps.CHAIN`` or ``MONITORING``, ``promote`` or ``reconcile``.
    spec_file : str
        The pipeline's YAML; read again when the task runs.
    family : str, optional
        Of ``train``: the model family.
    reads : sequence of str, optional
        The components whose results it reads, where not those of ``CHAIN``.
    sweep : bool
        Of ``plan``: only say what a wake would come to, and ring for each thing there is to wake
        the training for; takes ``assets.bells`` for an outlet, and ``assets.source_ref`` for an
        inlet where what its watcher told is to be kept as dealt with.
    """

    custom_operator_name = "Everfit component"
    ui_fgcolor = "#1f2328"
    template_fields: Sequence[str] = ()

    def __init__(
        self,
        *,
        component: Component,
        spec_file: str,
        family: str | None = None,
        reads: Sequence[Component] | None = None,
        sweep: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        known = {**CHAIN, **MONITORING, **BESIDE}
        if component not in known:
            raise ValueError(f"{component!r} is no component: {', '.join(known)}")
        self.component = component
        self.spec_file = spec_file
        self.family = family
        self.reads: Sequence[Component] = CHAIN.get(component, ()) if reads is None else reads
        self.sweep = sweep
        self.ui_color = COLOURS.get(component, "#ffffff")
        self.operator_extra_links = LINKS.get(component, ())

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the component and give back its outcome; see ``RunsComponents.perform``."""
        spec, ti = read_spec(self.spec_file), context["ti"]
        order = make_order(
            self.component, spec, self.family, woken(context, self.sweep), context["params"],
            {name: ti.xcom_pull(task_ids=[name]) or () for name in self.reads}, self.sweep,
            self.asked(context),
        )  # fmt: skip
        outcome = self.perform(order, self.spec_file, context)
        if self.sweep:
            ring(spec, outcome, context)
            if self.inlets:
                from everfit_airflow.watching import remember_consumed

                remember_consumed(context)
        return outcome.model_dump(mode="json")

    def asked(self, context: Context) -> Asked | None:  # noqa: ARG002
        """What a person asks of the champion: nothing here."""
        return None


def woken(context: Context, sweep: bool = False) -> Woken:
    """What Airflow knows of how a run came about."""
    run = context["dag_run"]
    kind = str(getattr(run.run_type, "value", run.run_type))
    # A sweep's own tick is none of the spec's schedules.
    due = run.logical_date or run.run_after if kind == "scheduled" and not sweep else None
    rang = context["triggering_asset_events"] if kind == "asset_triggered" else {}
    return Woken(
        run_type=kind,
        run_id=run.run_id,
        due=due.isoformat() if due else "",
        assets=rang_last({a.uri: events for a, events in rang.items() if isinstance(a, Asset)}),
    )


def read_spec(spec_file: str) -> PipelineSpec:
    """The spec as its YAML is now.

    Raises
    ------
    MendFirst
        With its problems.
    """
    try:
        return load_spec(Path(spec_file))
    except SpecError as error:
        raise MendFirst(error.line) from None


def rang_last(events: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The assets of the newest wake.

    Airflow hands on every event since the last run, also those a paused DAG has missed.

    Parameters
    ----------
    events : mapping
        URI of an asset → its events, in no order.
    """
    every = [event for found in events.values() for event in found]
    if not every:
        return ()
    by = max(every, key=lambda event: event.timestamp).source_run_id
    return tuple(uri for uri, found in events.items() if any(e.source_run_id == by for e in found))


def ring(spec: PipelineSpec, outcome: Outcome, context: Context) -> None:
    """One event for each thing there is to wake the training for."""
    known = signals_of(spec.triggers)
    wanted = {signal if signal in known else "due" for signal in outcome.signals if known}
    because = str(outcome.summary.get("because", ""))
    bell = context["outlet_events"][bells(spec.name)]
    for signal in known:
        if signal in wanted:
            bell.add(signal_asset(spec.name, signal), extra={"because": because})


def settings_beside(spec_file: str) -> Settings:
    """Settings with the root found from where the spec is, unless the environment names it."""
    return Settings.from_environment(
        {"EVERFIT_ROOT": str(find_root(Path(spec_file).resolve().parent)), **os.environ}
    )


def door_program(root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The command that opens a component's door.

    Raises
    ------
    MendFirst
        If the components' interpreter is not there.
    """
    python = Path(environ.get("EVERFIT_PYTHON") or root / ".venv" / "bin" / "python")
    if not os.access(python, os.X_OK):
        raise MendFirst(
            f"EVERFIT-PYTHON {python}: the components' Python must be there and executable; it is "
            "not. Run make setup, or name another in EVERFIT_PYTHON."
        )
    return (str(python), "-m", "pipeline_components.door")
