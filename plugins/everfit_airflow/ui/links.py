"""Buttons on a task, under Details: its reports and its MLflow run.

Airflow asks for a link once, in the task's own process when it ends, and keeps the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseOperatorLink

from everfit.contracts.messages.steps import Ended, Outcome, read_outcome
from everfit_airflow.settings_here import settings_here
from everfit_airflow.ui.report_pages import report_address
from everfit_airflow.ui.run_tab import DRAWN_FIRST, ENDED, MLFLOW, REPORTS
from everfit_airflow.ui.store_pages import readable

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from everfit.contracts.messages.steps import Component


def _outcome(ti_key: TaskInstanceKey, task: str) -> Outcome | Ended | None:
    """What a task has left in this run; None where it failed or had nothing to leave."""
    from airflow.sdk.execution_time.xcom import XCom

    for key in (XCom.XCOM_RETURN_KEY, ENDED):
        value = XCom.get_one(key=key, dag_id=ti_key.dag_id, task_id=task, run_id=ti_key.run_id)
        if found := read_outcome(value):
            return found
    return None


def _mlflow_run(ti_key: TaskInstanceKey) -> str:
    """Address of the run in MLflow; empty where it has no page a browser can reach."""
    left = [one for name in MLFLOW if (one := _outcome(ti_key, name))]
    return next(filter(None, (one.links.get("mlflow_run") for one in left)), "")


class _ReportLink(BaseOperatorLink):
    """A page of the store, or the MLflow run that holds a copy where Airflow cannot read it."""

    report: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Address of the page; empty where there is none."""
        dag, task = operator.get_dag(), str(REPORTS[self.report][0])
        if dag is not None and task not in dag.task_ids:
            task = ti_key.task_id  # where a person promotes, no gate is in the same run
        page = None
        # As this task has drawn it, if it did; else as it was drawn last.
        for name in dict.fromkeys((ti_key.task_id, task, DRAWN_FIRST.get(self.report, task))):
            left = _outcome(ti_key, name)
            page = page or (left.reports.get(self.report) if left else None)
        if page and readable(settings_here().store):
            return report_address(page.digest)
        return _mlflow_run(ti_key)


class DecisionReportLink(_ReportLink):
    """Why a candidate was promoted, held or rejected."""

    name = "Decision report"
    report = "decision_report"


class DataReportLink(_ReportLink):
    """What the data of the run looked like, and what was strange about it."""

    name = "Data report"
    report = "data_report"


class ModelCardLink(_ReportLink):
    """What the candidate is, what it was trained and judged on, and its limits."""

    name = "Model card"
    report = "model_card"


class MonitorReportLink(_ReportLink):
    """How the newest spans and the champion's errors compare with what it was trained on."""

    name = "Monitor report"
    report = "monitor_report"


class DriftReportLink(_ReportLink):
    """The same columns as Evidently shows them."""

    name = "Drift report (Evidently)"
    report = "drift_report"


class MlflowRunLink(BaseOperatorLink):
    """The run in MLflow."""

    name = "MLflow run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Address of the run."""
        return _mlflow_run(ti_key)


APPROVAL_LINKS: tuple[BaseOperatorLink, ...] = (DecisionReportLink(), MlflowRunLink())
"""Of the question whether a version shall become champion."""

LINKS: dict[Component, tuple[BaseOperatorLink, ...]] = {
    "validate": (DataReportLink(),),
    "prepare": (DataReportLink(),),
    "evaluate": (ModelCardLink(),),
    "gate": (DecisionReportLink(), ModelCardLink(), DataReportLink()),
    "register": (MlflowRunLink(), DecisionReportLink(), ModelCardLink(), DataReportLink()),
    "monitor": (MonitorReportLink(),),
    "fall_back": (MonitorReportLink(),),
    "promote": (DecisionReportLink(),),
    "drift_report": (DriftReportLink(), MonitorReportLink(), MlflowRunLink()),
}
"""The components that have something to show."""
