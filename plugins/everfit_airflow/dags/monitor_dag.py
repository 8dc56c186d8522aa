"""The monitoring DAG of a pipeline: looks at its source and its champion, and wakes the training.

``wake`` runs whatever became of the tasks before it, so that what they could not see today stops
nothing else: it compares source, ledger and policy by itself. ``measured`` does no work and costs
no worker: as an end of the DAG it lets a run fail where a measurement failed.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetAlias, AssetOrTimeSchedule, TriggerRule

from everfit.contracts.messages.chain import monitoring_tasks
from everfit.contracts.spec.images import Component
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.dags.assets import (
    NEW_SPANS,
    champion_alias,
    new_spans_asset,
    scores_by_champion,
    source_ref,
    wake_alias,
)
from everfit_airflow.dags.describe import describe_monitoring
from everfit_airflow.dags.new_dag import new_dag
from everfit_airflow.dags.schedules import Schedule
from everfit_airflow.operators.operator import ComponentOperator
from everfit_airflow.ui.run_tab import WAKE

SUFFIX = ".monitor"
MEASURED = "measured"


def monitor_dag(spec: PipelineSpec, spec_file: str, schedule: Schedule) -> DAG:
    """Build the DAG.

    Parameters
    ----------
    spec_file : str
        Where ``spec`` was read from; every task reads it again.
    """
    with new_dag(
        spec,
        SUFFIX,
        schedule,
        description=f"Watches the source and the champion of {spec.name}, and wakes its training.",
        doc=describe_monitoring(spec),
    ) as dag:
        _tasks(spec, spec_file, watched=isinstance(schedule, AssetOrTimeSchedule))
    return dag


def _tasks(spec: PipelineSpec, spec_file: str, watched: bool) -> None:
    outlets: dict[Component, list[Asset | AssetAlias]] = {}
    if spec.score is not None and NEW_SPANS in spec.score.on:
        outlets["extract"] = [new_spans_asset(spec.name)]
    if scores_by_champion(spec):
        outlets["fall_back"] = [champion_alias()]
    tasks: dict[str, ComponentOperator] = {}
    last: ComponentOperator | None = None
    for each in monitoring_tasks(spec):
        if each.sweep:
            # The report is for people: no training waits for it.
            tasks.get("fall_back", tasks["monitor"]) >> ComponentOperator(
                task_id=WAKE,
                component=each.component,
                spec_file=spec_file,
                sweep=True,
                inlets=[source_ref(spec.name)] if watched else [],
                outlets=[wake_alias(spec.name)],
                trigger_rule=TriggerRule.ALL_DONE,
            )
            continue
        task = ComponentOperator(
            task_id=each.component,
            component=each.component,
            spec_file=spec_file,
            reads=each.upstream,
            outlets=outlets.get(each.component, []),
        )
        if last is not None:
            last >> task
        tasks[each.component] = last = task
    assert last is not None
    last >> EmptyOperator(
        task_id=MEASURED,
        trigger_rule=TriggerRule.NONE_FAILED,
        on_success_callback=None,  # with one it would need a worker
    )
