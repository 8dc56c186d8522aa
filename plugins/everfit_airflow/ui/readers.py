"""Who may read a pipeline's documents: those who may read the DAG that left them.

A page is known by its digest alone. Which DAG left it is asked of Airflow's database, never of the
page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from everfit.contracts.messages.steps import Ended, Outcome, read_outcome
from everfit.contracts.messages.summaries import ReconcileSummary
from everfit_airflow.ui.run_tab import ENDED

TRAINING = ".train"
"""Of the DAG whose readers may see a pipeline."""

OF_ONE = (TRAINING, ".monitor", ".score")
"""Suffixes of the DAGs of one pipeline; in ``everfit.promote`` and its like, runs are of any."""

OF_ALL = "everfit."

LISTED = "pipelines"
"""The task of a DAG for all pipelines that lists them; a later task has one at each map index."""

RETURNED = "return_value"
MOST_KNOWN = 4096
"""Pages whose DAGs are kept in memory."""


class Readers:
    """Tells whether a user may read a page; which DAGs left it is looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[str]] = {}

    def may_read(self, user: Any, digest: str) -> bool:
        """Whether a DAG that left the page as a report of its own may be read by the user.

        Parameters
        ----------
        user : BaseUser
            As Airflow's auth manager knows them.
        digest : str
            Of a page in the store; 64 hexadecimal digits.
        """
        dags = self._known.get(digest)
        if dags is None:
            dags = frozenset(dags_that_left(digest))
            if dags:  # what no run has left yet may be left later
                while len(self._known) >= MOST_KNOWN:
                    self._known.pop(next(iter(self._known)), None)
                self._known[digest] = dags
        return bool(readable_dags(user, dags))


def dags_that_left(digest: str) -> set[str]:
    """The DAGs whose readers may see a page, by what their runs have left."""
    from airflow.models.dag import DagModel
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    columns: Any = XComModel.__table__.c
    ours = columns.dag_id.startswith(OF_ALL)
    for suffix in OF_ONE:
        ours |= columns.dag_id.endswith(suffix)
    text = columns.value.cast(DagModel.description.type)  # of no bounded length
    ours &= columns.key.in_([RETURNED, ENDED]) & text.contains(digest)
    found: set[str] = set()
    with create_session() as session:
        for xcom in session.query(XComModel).filter(ours):
            left = read_outcome(XComModel.deserialize_value(xcom))
            if left is None or digest not in (page.digest for page in left.reports.values()):
                continue
            if owner := dag_of(xcom.dag_id, pipeline_of(xcom, left)):
                found.add(owner)
    return found


def dag_of(dag_id: str, pipeline: str) -> str:
    """The DAG whose readers may see what a run of a DAG has left; empty where nobody may."""
    if dag_id.endswith(OF_ONE):
        return dag_id
    return f"{pipeline}{TRAINING}" if pipeline else ""


def pipeline_of(xcom: Any, left: Outcome | Ended | None, listed: Collection[str] = ()) -> str:
    """The pipeline that a task of a DAG for all has worked for; empty where nothing says it.

    Parameters
    ----------
    xcom : XComModel
        What the task has left.
    left : Outcome, Ended or None
        The same, where it is one of ours.
    listed : collection of str
        What the run's ``pipelines`` task listed.
    """
    if isinstance(left, Outcome) and isinstance(left.summary, ReconcileSummary):
        return left.summary.pipeline
    if 0 <= xcom.map_index < len(listed):
        return str(list(listed)[xcom.map_index])
    form = xcom.dag_run.conf if xcom.dag_run is not None else None
    return str(form.get("pipeline") or "") if isinstance(form, dict) else ""


def visible(user: Any, names: Collection[str]) -> set[str]:
    """The pipelines whose training the user may read, with what its runs have left."""
    may = readable_dags(user, {f"{name}{TRAINING}" for name in names})
    return {name for name in names if f"{name}{TRAINING}" in may}


def readable_dags(user: Any, dag_ids: Iterable[str]) -> set[str]:
    """Those of the DAGs whose XComs the user may read."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        DagAccessEntity,
        DagDetails,
    )
    from airflow.models.dag import DagModel

    asked = list(dag_ids)
    if not asked:
        return set()
    teams = DagModel.get_dag_id_to_team_name_mapping(asked)
    may: Callable[..., bool] = get_auth_manager().is_authorized_dag
    return {
        dag_id
        for dag_id in asked
        if may(
            method="GET",
            access_entity=DagAccessEntity.XCOM,
            details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
            user=user,
        )
    }
