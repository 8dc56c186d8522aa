"""Buttons on a task: its reports and its MLflow run.

Airflow asks for a link once, in the task's own process when it ends, and keeps the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperatorLink

from everfit_airflow.report_pages import report_address
from pipeline_components.contracts.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from pipeline_components.contracts.steps import Component


def _outcome(ti_key: TaskInstanceKey) -> dict[str, Any]:
    """The outcome the task has left, empty where it failed or skipped."""
    from airflow.sdk.execution_time.xcom import XCom

    value = XCom.get_value(ti_key=ti_key, key=XCom.XCOM_RETURN_KEY)
    return value if isinstance(value, dict) else {}


class _ReportLink(BaseOperatorLink):
    """A page of the store, or the MLflow run that holds a copy where the store is remote."""

    report: ClassVar[str]

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Address of the page; empty where there is none."""
        outcome = _outcome(ti_key)
        page = outcome.get("reports", {}).get(self.report)
        if page and Settings.from_environment().store.startswith("file://"):
            return report_address(page["digest"])
        return str(outcome.get("links", {}).get("mlflow_run", ""))


class DecisionReportLink(_ReportLink):
    """Why a candidate was promoted, held or rejected."""

    name = "Decision report"
    report = "decision_report"


class DataReportLink(_ReportLink):
    """What the data of the run looked like, and what was strange about it."""

    name = "Data report"
    report = "data_report"


class MlflowRunLink(BaseOperatorLink):
    """The run in MLflow."""

    name = "MLflow run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Address of the run; empty where MLflow has no page a browser can reach."""
        return str(_outcome(ti_key).get("links", {}).get("mlflow_run", ""))


LINKS: dict[Component, tuple[BaseOperatorLink, ...]] = {
    "validate": (DataReportLink(),),
    "gate": (DecisionReportLink(),),
    "register": (DecisionReportLink(), MlflowRunLink()),
}
"""The components that have something to show."""
