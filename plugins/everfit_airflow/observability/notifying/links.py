"""Absolute addresses for messages: they are read far from Airflow's own pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.steps import Ended, Outcome, read_outcome
from everfit_airflow.settings_here import settings_here
from everfit_airflow.ui.report_pages import report_address
from everfit_airflow.ui.run_tab import REPORTS
from everfit_airflow.ui.store_pages import readable


def links_of(ti: Any, left: Outcome | Ended, report: str | None) -> tuple[tuple[str, str], ...]:
    """The report, the run in MLflow and the run in Airflow, those that there are.

    Parameters
    ----------
    left : Outcome or Ended
        What the task has left.
    report : str or None
        The report the news names; of this task, or of the one that makes it.
    """
    found: list[tuple[str, str]] = []
    page = _report(ti, left, report) if report else None
    if report and page and readable(settings_here().store):
        # Of a store that Airflow's server cannot read, the reports are in MLflow too.
        name = REPORTS[report][1] if report in REPORTS else report.replace("_", " ").capitalize()
        found.append((name, urljoin(base_url(), report_address(page.digest))))
    if mlflow := left.links.get("mlflow_run"):
        found.append(("MLflow run", mlflow))
    found.append(("Run", run_page(ti)))
    return tuple(found)


def run_page(ti: Any) -> str:
    """The page of the DAG run."""
    return f"{base_url()}/dags/{ti.dag_id}/runs/{quote(ti.run_id)}"


def base_url() -> str:
    """The address people reach Airflow at, without a slash at its end."""
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")


def _report(ti: Any, left: Outcome | Ended, report: str) -> Artifact | None:
    own = left.reports.get(report)
    if own or report not in REPORTS:
        return own
    made = read_outcome(ti.xcom_pull(task_ids=REPORTS[report][0], map_indexes=-1))
    return made.reports.get(report) if made else None
