"""The operator: an order out, a component at work, its outcome back as a small XCom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from airflow.sdk import Asset, BaseOperator

from everfit.contracts.errors import SpecError
from everfit.contracts.messages.people import PersonRequest
from everfit.contracts.messages.steps import Component, Outcome
from everfit.contracts.messages.summaries import FallBackSummary, PromoteSummary, RegisterSummary
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.dags.assets import (
    champion_alias,
    champion_asset,
    scores_by_champion,
    signal_asset,
    signals_of,
    wake_alias,
)
from everfit_airflow.operators.failures import UserActionRequired
from everfit_airflow.operators.orders import AirflowRun, make_order, scoring_by_form
from everfit_airflow.operators.performing import RunsComponents
from everfit_airflow.ui.links import LINKS

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ComponentOperator", "RunsComponents", "airflow_run", "read_spec", "wake_training"]

COLOURS: dict[Component, str] = {
    "plan": "#e8eaf6",
    "extract": "#e0f2f1",
    "validate": "#e0f7fa",
    "prepare": "#e3f2fd",
    "train": "#fff3e0",
    "evaluate": "#fff8e1",
    "gate": "#fce4ec",
    "refit": "#fff3e0",
    "register": "#e8f5e9",
    "watch": "#f1f8e9",
    "monitor": "#ede7f6",
    "fall_back": "#e8f5e9",
    "drift_report": "#fff8e1",
    "score": "#e3f2fd",
    "promote": "#e8f5e9",
    "reconcile": "#f3e5f5",
}


class ComponentOperator(RunsComponents, BaseOperator):
    """Runs one component for one pipeline.

    Parameters
    ----------
    component : str
        A component of training or monitoring, ``score``, ``promote`` or ``reconcile``.
    spec_file : str
        The pipeline's YAML; read again when the task runs.
    family : str, optional
        Of ``train``: the model family.
    reads : sequence of str, optional
        The components whose results it reads.
    sweep : bool
        Of ``plan``: only say what a run would come to, and wake the training for each thing there
        is to do; takes ``assets.wake_alias`` for an outlet, and ``assets.source_ref`` for an inlet
        where what its watcher has seen is to be kept as handled.
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
        reads: Sequence[Component] = (),
        sweep: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if component not in get_args(Component):
            raise ValueError(f"{component!r} is not a component: {', '.join(get_args(Component))}")
        self.component = component
        self.spec_file = spec_file
        self.family = family
        self.reads = reads
        self.sweep = sweep
        self.ui_color = COLOURS[component]
        self.operator_extra_links = LINKS.get(component, ())

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the component and give back its outcome; see ``RunsComponents.perform``."""
        spec, ti = read_spec(self.spec_file), context["ti"]
        upstream = {name: ti.xcom_pull(task_ids=[name]) or () for name in self.reads}
        order = make_order(
            self.component,
            spec,
            self.family,
            airflow_run(context, self.sweep),
            context["params"],
            upstream,
            self.sweep,
            self.requested(context),
            scoring_by_form(context["params"], spec) if self.component == "score" else None,
        )
        outcome = self.perform(order, self.spec_file, context, upstream)
        if self.sweep:
            wake_training(spec, outcome, context)
            if self.inlets:
                from everfit_airflow.watching import remember_consumed

                remember_consumed(context)
        if champion_alias() in self.outlets and scores_by_champion(spec):
            tell_champion(spec, outcome, context)
        return outcome.model_dump(mode="json")

    def requested(self, _context: Context, /) -> PersonRequest | None:
        """What a person asks of the champion: nothing here."""
        return None


def airflow_run(context: Context, sweep: bool = False) -> AirflowRun:
    """What Airflow knows of how a run came about."""
    run = context["dag_run"]
    kind = str(getattr(run.run_type, "value", run.run_type))
    # A sweep's own tick is none of the spec's schedules.
    due = run.logical_date or run.run_after if kind == "scheduled" and not sweep else None
    events = context["triggering_asset_events"] if kind == "asset_triggered" else {}
    return AirflowRun(
        run_type=kind,
        run_id=run.run_id,
        due=due.isoformat() if due else "",
        assets=newest_of({a.uri: each for a, each in events.items() if isinstance(a, Asset)}),
        person=str(getattr(run, "triggering_user_name", None) or ""),
    )


def read_spec(spec_file: str) -> PipelineSpec:
    """The spec as its YAML is now.

    Raises
    ------
    UserActionRequired
        With its problems.
    """
    try:
        return load_spec(Path(spec_file))
    except SpecError as error:
        raise UserActionRequired(error.line) from None


def newest_of(events: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The assets with the newest events.

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


def tell_champion(spec: PipelineSpec, outcome: Outcome, context: Context) -> None:
    """Send an event where a version was made champion."""
    match outcome.summary:
        case RegisterSummary(version=version, champion=champion) if version == champion:
            made = version
        case PromoteSummary(version=version, champion=champion) if version == champion:
            made = version
        case FallBackSummary(champion=champion, before=int()):
            made = champion
        case _:
            made = None
    if made is not None:
        alias = context["outlet_events"][champion_alias()]
        alias.add(champion_asset(spec.name), extra={"version": made})


def wake_training(spec: PipelineSpec, outcome: Outcome, context: Context) -> None:
    """Send one event for each signal of the outcome."""
    known = signals_of(spec.triggers)
    wanted = {signal if signal in known else "due" for signal in outcome.signals if known}
    because = outcome.summary.because if outcome.summary else ""
    alias = context["outlet_events"][wake_alias(spec.name)]
    for signal in known:
        if signal in wanted:
            alias.add(signal_asset(spec.name, signal), extra={"because": because})
