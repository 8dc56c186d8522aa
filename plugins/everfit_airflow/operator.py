"""The operator: an order out, a component at work, its outcome back as a small XCom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator

from everfit_airflow.assets import bells, signal_asset, signals_of
from everfit_airflow.failures import MendFirst
from everfit_airflow.links import LINKS
from everfit_airflow.orders import Woken, make_order
from everfit_airflow.performing import RunsComponents
from pipeline_components.contracts.errors import SpecError
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.spec_file import load_spec
from pipeline_components.contracts.steps import CHAIN, MONITORING, Asked, Component, Outcome

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ComponentOperator", "RunsComponents", "read_spec", "ring", "woken"]

COLOURS: dict[Component, str] = {
    "plan": "#e8eaf6", "extract": "#e0f2f1", "validate": "#e0f7fa", "prepare": "#e3f2fd",
    "train": "#fff3e0", "evaluate": "#fff8e1", "gate": "#fce4ec", "register": "#e8f5e9",
    "watch": "#f1f8e9", "monitor": "#ede7f6", "drift_report": "#fff8e1",
    "promote": "#e8f5e9", "reconcile": "#f3e5f5",
}  # fmt: skip

BESIDE: dict[Component, tuple[Component, ...]] = {"promote": (), "reconcile": ()}
"""The components beside the chain."""


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
        upstream = {name: ti.xcom_pull(task_ids=[name]) or () for name in self.reads}
        order = make_order(
            self.component, spec, self.family, woken(context, self.sweep), context["params"],
            upstream, self.sweep, self.asked(context),
        )  # fmt: skip
        outcome = self.perform(order, self.spec_file, context, upstream)
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
