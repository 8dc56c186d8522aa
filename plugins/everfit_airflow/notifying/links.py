"""Absolute addresses for messages: they are read far from Airflow's own pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urljoin

from everfit_airflow.report_pages import report_address
from everfit_airflow.run_tab import REPORTS
from everfit_airflow.store_pages import readable
from pipeline_components.contracts.settings import Settings


def links_of(ti: Any, told: dict[str, Any], report: str | None) -> tuple[tuple[str, str], ...]:
    """The report, the run in MLflow and the run in Airflow, those that there are.

    Parameters
    ----------
    told : dict
        What the task has left: its outcome, or what it said where there was nothing to do.
    report : str or None
        The report the news names; of this task, or of the one that makes it.
    """
    found: list[tuple[str, str]] = []
    page = _report(ti, told, report) if report else None
    if report and page and readable(Settings.from_environment().store):
        # Of a store that Airflow's server cannot read, the reports are in MLflow too.
        name = REPORTS[report][1] if report in REPORTS else report.replace("_", " ").capitalize()
        found.append((name, urljoin(base_url(), report_address(str(page["digest"])))))
    mlflow = told.get("links", {}).get("mlflow_run")
    if mlflow:
        found.append(("MLflow run", str(mlflow)))
    found.append(("Run", run_page(ti)))
    return tuple(found)


def run_page(ti: Any) -> str:
    """The page of the DAG run."""
    return f"{base_url()}/dags/{ti.dag_id}/runs/{quote(ti.run_id)}"


def base_url() -> str:
    """The address people reach Airflow at, without a slash at its end."""
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")


def _report(ti: Any, told: dict[str, Any], report: str) -> dict[str, Any] | None:
    own = told.get("reports", {}).get(report)
    if own or report not in REPORTS:
        return own or None
    outcome = ti.xcom_pull(task_ids=REPORTS[report][0], map_indexes=-1)
    return outcome.get("reports", {}).get(report) if isinstance(outcome, dict) else None
