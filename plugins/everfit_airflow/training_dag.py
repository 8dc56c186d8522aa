"""The training DAG of a pipeline: the chain as tasks, the same for every spec."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow.sdk import DAG, CronTriggerTimetable, Param
from airflow.sdk.exceptions import AirflowTimetableInvalid

from everfit_airflow.describe import describe, first_line
from everfit_airflow.failures import RETRIES
from everfit_airflow.operator import ComponentOperator
from pipeline_components.contracts.errors import SpecError
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.spec_file import load_spec, spec_paths
from pipeline_components.contracts.steps import CHAIN
from pipeline_components.contracts.triggers import TriggerSpec

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
        description="Go through every step even where nothing changed. What was computed before is "
        "found again, not computed again.",
    ),
    "reason": Param(
        None,
        type=["null", "string"],
        maxLength=500,
        title="Reason",
        description="Why you start this run. It is kept in the ledger, with the run.",
    ),
}
"""What a person may ask of one run."""


def specs_to_load(folder: Path, dag_id: str | None) -> list[Path]:
    """The specs to read: all of them, or in a task's process its own alone."""
    paths = spec_paths(folder)
    if dag_id is None:
        return paths
    return [path for path in paths if path.stem + SUFFIX == dag_id]


def training_dag(path: Path) -> DAG:
    """Build the DAG of one YAML.

    Raises
    ------
    SpecError
        With every problem of the YAML.
    """
    spec = load_spec(path)
    with DAG(
        dag_id=spec.name + SUFFIX,
        description=first_line(spec),
        schedule=timetable(spec.triggers, path.name),
        # No start date: a schedule counts from when the DAG is switched on, and a person's first
        # run does not have to wait behind one for the past.
        start_date=None,
        catchup=False,
        max_active_runs=1,
        tags=["everfit", "train", spec.task, *spec.tags],
        doc_md=describe(spec),
        default_args={"owner": spec.owner, **RETRIES},
    ) as dag:
        _chain(spec, str(path))
    # Given last: each task would copy the form, and Airflow would check it anew for every DAG,
    # which takes longer than all the rest.
    dag.params.update({name: copy(field) for name, field in FORM.items()})
    return dag


def timetable(triggers: TriggerSpec, where: str) -> CronTriggerTimetable | None:
    """The schedule of a pipeline.

    Raises
    ------
    SpecError
        If the cron expression or the time zone is none.
    """
    if triggers.schedule is None:
        return None
    try:
        ZoneInfo(triggers.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SpecError(
            where,
            [f"triggers.timezone: {triggers.timezone!r} is no time zone, such as Europe/Berlin"],
        ) from None
    found = CronTriggerTimetable(triggers.schedule, timezone=triggers.timezone)
    try:
        found.validate()
    except AirflowTimetableInvalid as error:
        raise SpecError(
            where,
            [f"triggers.schedule: {triggers.schedule!r} is no cron expression, such as 0 3 * * *: "
             f"{error}"],
        ) from None  # fmt: skip
    return found


def _chain(spec: PipelineSpec, spec_file: str) -> None:
    tasks: dict[str, Any] = {}
    for component, needs in CHAIN.items():
        if component == "train":
            task: Any = ComponentOperator.partial(
                task_id=component,
                component=component,
                spec_file=spec_file,
                map_index_template="{{ task.family }}",
            ).expand(family=[family.name for family in spec.train.families])
        else:
            task = ComponentOperator(task_id=component, component=component, spec_file=spec_file)
        # Every component also reads results of steps further back; one line of tasks shows the
        # order, and a task only starts once all it reads is there.
        if needs:
            tasks[max(needs, key=list(CHAIN).index)] >> task
        tasks[component] = task
