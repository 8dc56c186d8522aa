"""The scoring DAG of a pipeline whose spec has a ``score`` block: one task, and a form."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.dags.assets import predictions_asset
from everfit_airflow.dags.describe import describe_scoring
from everfit_airflow.dags.new_dag import add_form, new_dag
from everfit_airflow.dags.schedules import Schedule
from everfit_airflow.operators.operator import ComponentOperator

SUFFIX = ".score"
FORM = {
    "spans": Param(
        None,
        type=["null", "string"],
        pattern="^(all|[1-9][0-9]{0,5})?$",
        title="Spans",
        description="How many of the newest spans to score, such as 1, or all of them: all. Those "
        "that the version has scored are left as they are. Empty: as the spec says.",
    ),
    "input": Param(
        None,
        type=["null", "string"],
        maxLength=2000,
        title="Input",
        description="A path, a glob, s3://…, https://… or sql:CONNECTION:TABLE. Empty: as the spec "
        "says.",
    ),
    "version": Param(
        None,
        type=["null", "string"],
        pattern="^(champion|challenger|[vV]?[1-9][0-9]{0,9})?$",
        title="Version",
        description="champion, challenger or a number such as 7. Empty: as the spec says.",
    ),
    "as_of": Param(
        None,
        type=["null", "string"],
        maxLength=40,
        title="As of",
        description="Instead of a version: by who was champion at that time, such as 2026-03-31; "
        "or span: each span by the champion of its own end.",
    ),
    "output": Param(
        None,
        type=["null", "string"],
        maxLength=2000,
        title="Output",
        description="A folder, s3://bucket/prefix, one .parquet or .csv file, or "
        "sql:CONNECTION:TABLE. Empty: as the spec says.",
    ),
}
"""What a person may ask of one run."""


def score_dag(spec: PipelineSpec, spec_file: str, schedule: Schedule) -> DAG:
    """Build the DAG.

    Parameters
    ----------
    spec_file : str
        Where ``spec`` was read from; the task reads it again.
    """
    with new_dag(
        spec,
        SUFFIX,
        schedule,
        description=f"Scores spans with a version of {spec.name}, each once.",
        doc=describe_scoring(spec),
    ) as dag:
        ComponentOperator(
            task_id="score",
            component="score",
            spec_file=spec_file,
            outlets=[predictions_asset(spec.name)],
        )
    add_form(dag, FORM)
    return dag
