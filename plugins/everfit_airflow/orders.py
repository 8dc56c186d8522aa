"""From a task's surroundings to its order: trigger, wishes and the results before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from everfit_airflow.failures import MendFirst
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import (
    CHAIN,
    Component,
    Order,
    Outcome,
    RunType,
    Trigger,
    Wishes,
)

RUN_TYPES: dict[str, RunType] = {
    "manual": "manual",
    "operator_triggered": "manual",
    "scheduled": "scheduled",
    "backfill": "backfill",
    "asset_triggered": "asset",
    "asset_materialization": "asset",
}
"""Airflow's run type → ours. What woke a pipeline is read from the run, never from its form."""


def make_order(
    component: Component,
    spec: PipelineSpec,
    family: str | None,
    run_type: str,
    run_id: str,
    form: Mapping[str, Any],
    upstream: Mapping[str, Sequence[Any]],
) -> Order:
    """The order of one task.

    Parameters
    ----------
    run_type, run_id : str
        Of the DAG run.
    form : mapping
        The run's ``window``, ``force`` and ``reason``.
    upstream : mapping
        Component → outcomes of its tasks, as XCom gives them back.

    Raises
    ------
    MendFirst
        If the form or an outcome is not what it must be.
    """
    try:
        return Order(
            component=component,
            pipeline=spec,
            upstream={name: _digests(name, upstream.get(name, ())) for name in CHAIN[component]},
            family=family,
            trigger=Trigger(
                run_type=RUN_TYPES.get(run_type, "manual"),
                reason=str(form.get("reason") or "").strip(),
                run_id=run_id,
            ),
            wishes=Wishes(force=bool(form.get("force")), window=_window(form.get("window"))),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise MendFirst(f"ORDER {where}: {first['msg']}. Correct the run's form.") from None


def _digests(name: Component, outcomes: Sequence[Any]) -> tuple[Digest, ...]:
    found = [Outcome.model_validate(value).result for value in outcomes if value is not None]
    if not found:
        raise MendFirst(
            f"ORDER-UPSTREAM {name}: a task needs the outcome of {name}; this run has none. "
            f"Clear {name} with its downstream tasks so that it runs again."
        )
    return tuple(found)


def _window(value: Any) -> int | Literal["all"] | None:
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    if text == "all":
        return "all"
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise MendFirst(
            f"ORDER window: a window is empty, all, or a number of spans from 1; "
            f"found {text[:20]!r}. Correct the run's form."
        )
    return number
