"""What the DAGs of one pipeline have in common."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from airflow.sdk import DAG, Param
from airflow.utils.types import DagRunType

from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.dags.schedules import Schedule
from everfit_airflow.observability.notifying import notices
from everfit_airflow.operators.failures import RETRIES

RUN_TYPES: Any = tuple(  # the SDK names the same kinds by an enum of its own
    kind for kind in DagRunType if kind is not DagRunType.BACKFILL_JOB
)
"""How a run may begin. Not by a backfill: none could promote, and ``plan`` would skip each."""


def new_dag(
    spec: PipelineSpec,
    suffix: str,
    schedule: Schedule,
    *,
    description: str,
    doc: str,
) -> DAG:
    """A DAG without tasks yet, one run at a time.

    It has no start date: a schedule counts from when the DAG is switched on, and a person's first
    run does not have to wait behind one for the past.

    Parameters
    ----------
    spec : PipelineSpec
    suffix : str
        Of its name after the pipeline's: ``.train``; without the dot it is a tag.
    schedule : Schedule
    description : str
        A line.
    doc : str
        Markdown.
    """
    return DAG(
        dag_id=spec.name + suffix,
        description=description,
        schedule=schedule,
        start_date=None,
        catchup=False,
        max_active_runs=1,
        allowed_run_types=RUN_TYPES,
        tags=["everfit", suffix.removeprefix("."), spec.task, *spec.tags],
        doc_md=doc,
        default_args={"owner": spec.owner, **RETRIES, **notices(spec)},
    )


def add_form(dag: DAG, form: Mapping[str, Param]) -> None:
    """What a person may ask of one run; to be given when the DAG has its tasks.

    Each task would copy the form, and Airflow would check it anew for every DAG, which takes longer
    than all the rest.
    """
    dag.params.update({name: copy(field) for name, field in form.items()})
