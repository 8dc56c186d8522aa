"""All DAGs of a repository: two or three for each YAML, and three by which people decide.

A DAG file of two lines makes them (``from everfit.airflow import dags`` and ``dags(__file__)``).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from airflow.sdk import get_parsing_context

from everfit.contracts.errors import SpecError
from everfit_airflow.dags.champion_dags import champion_dags
from everfit_airflow.dags.pipeline_dags import pipeline_dags, specs_to_load

log = logging.getLogger(__name__)


def dags(dag_file: str | Path) -> None:
    """Make all DAGs of the repository that a DAG file belongs to.

    Parameters
    ----------
    dag_file : str or Path
        ``__file__`` of the DAG file. The specs are in ``pipelines`` beside it, or where
        ``EVERFIT_PIPELINES`` says.
    """
    folder = specs_beside(dag_file)
    dags_of_pipelines(folder)
    dags_of_people(folder)


def specs_beside(dag_file: str | Path) -> Path:
    """The folder of specs that belongs to a DAG file."""
    named = os.environ.get("EVERFIT_PIPELINES")
    return Path(named) if named else Path(dag_file).resolve().with_name("pipelines")


def dags_of_pipelines(folder: Path) -> None:
    """The DAGs of each YAML of a folder; in a task's process only its own.

    A YAML that is no pipeline is left out, so that it takes no other down; Airflow shows it as an
    import error of its own (``spec_errors.py``).
    """
    only = get_parsing_context().dag_id
    for path in specs_to_load(folder, only):
        try:
            pipeline_dags(path, only)
        except SpecError as error:
            log.warning("%s", error.line)
        except Exception:
            log.exception("DEFECT %s: left out, so that the other pipelines stay", path.name)


def dags_of_people(folder: Path) -> None:
    """The three DAGs by which people decide; they read the names of the specs and nothing else."""
    champion_dags(folder, get_parsing_context().dag_id)
