"""The training DAG of a pipeline: the chain as tasks, the same for every spec.

Where the gate asks a person, two more stand at its end: the question, and what the answer does.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from airflow.sdk import DAG, Param

from everfit.contracts.messages.chain import training_tasks
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.dags.assets import champion_alias, scores_by_champion
from everfit_airflow.dags.describe import describe, first_line
from everfit_airflow.dags.new_dag import add_form, new_dag
from everfit_airflow.dags.schedules import Schedule
from everfit_airflow.operators.operator import ComponentOperator

SUFFIX = ".train"
FORM = {
    "window": Param(
        None,  # the page takes an empty text for a missing one
        type=["null", "string"],
        pattern="^(all|[1-9][0-9]{0,5})?$",
        title="Window",
        description="How many of the newest spans to train on, such as 6, or all of them: all. "
        "Empty: as the spec says.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Force",
        description="Run every step even if nothing changed. Results computed before are reused.",
    ),
    "cooldown": Param(
        False,
        type="boolean",
        title="Cooldown",
        description="Apply the cooldown to this run too: within it, nothing is trained.",
    ),
    "reason": Param(
        None,
        type=["null", "string"],
        maxLength=500,
        title="Reason",
        description="Why you start this run. Kept in the ledger with the run.",
    ),
}
"""What a person may ask of one run."""


def training_dag(spec: PipelineSpec, spec_file: str, schedule: Schedule) -> DAG:
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
        description=first_line(spec),
        doc=describe(spec),
    ) as dag:
        _chain(spec, spec_file)
    add_form(dag, FORM)
    return dag


def _chain(spec: PipelineSpec, spec_file: str) -> None:
    last: Any = None
    for component, tasks in groupby(training_tasks(spec), key=lambda task: task.component):
        first, *others = tasks
        given: dict[str, Any] = {
            "task_id": component,
            "component": component,
            "spec_file": spec_file,
            "reads": first.upstream,
        }
        if component == "register" and scores_by_champion(spec):
            given["outlets"] = [champion_alias()]
        task: Any
        if first.family is None:
            task = ComponentOperator(**given)
        else:
            families = [one.family for one in (first, *others)]
            given["map_index_template"] = "{{ task.family }}"
            task = ComponentOperator.partial(**given).expand(family=families)
        # Every component also reads results of steps further back; one line of tasks shows the
        # order, and a task only starts once all it reads is there.
        if last is not None:
            last >> task
        last = task
    if spec.gate.approval == "required":
        # Imported here: a pipeline that asks nobody has no use for it.
        from everfit_airflow.operators.approval import approval_tasks

        outlets = [champion_alias()] if scores_by_champion(spec) else []
        approval_tasks(spec_file, after=last, outlets=outlets)
