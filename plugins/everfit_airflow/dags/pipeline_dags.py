"""From the YAMLs of a folder to their DAGs: two for each pipeline, and a third where it scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from airflow.sdk import DAG

from everfit.contracts.spec.load import load_spec, spec_paths
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.dags import monitor_dag, score_dag, training_dag
from everfit_airflow.dags.schedules import (
    Schedule,
    monitoring_schedule,
    scoring_schedule,
    training_schedule,
)

Scheduling = Callable[[PipelineSpec], Schedule]
Building = Callable[[PipelineSpec, str, Schedule], DAG]

KINDS: dict[str, tuple[Scheduling, Building]] = {
    training_dag.SUFFIX: (training_schedule, training_dag.training_dag),
    monitor_dag.SUFFIX: (monitoring_schedule, monitor_dag.monitor_dag),
    score_dag.SUFFIX: (scoring_schedule, score_dag.score_dag),
}
"""End of the DAG's id → what gives its schedule, and what builds it."""


def specs_to_load(folder: Path, dag_id: str | None) -> list[Path]:
    """The specs to read: all of them, or in a task's process its own alone."""
    paths = spec_paths(folder)
    if dag_id is None:
        return paths
    return [path for path in paths if dag_id in {path.stem + suffix for suffix in KINDS}]


def pipeline_dags(path: Path, dag_id: str | None = None) -> list[DAG]:
    """Build the DAGs of one YAML; in a task's process only its own.

    Raises
    ------
    SpecError
        With every problem of the YAML; then it has no DAG at all.
    """
    spec = load_spec(path)
    wanted = [suffix for suffix in kinds_of(spec) if dag_id in (None, spec.name + suffix)]
    schedules = schedules_of(spec, wanted)
    return [KINDS[suffix][1](spec, str(path), schedules[suffix]) for suffix in wanted]


def kinds_of(spec: PipelineSpec) -> list[str]:
    """The DAGs that a pipeline has, by the end of their ids."""
    return [suffix for suffix in KINDS if suffix != score_dag.SUFFIX or spec.score is not None]


def schedules_of(spec: PipelineSpec, suffixes: Iterable[str] = tuple(KINDS)) -> dict[str, Schedule]:
    """When the DAGs of a pipeline run.

    Raises
    ------
    SpecError
        If a schedule is none.
    """
    return {suffix: KINDS[suffix][0](spec) for suffix in suffixes}
