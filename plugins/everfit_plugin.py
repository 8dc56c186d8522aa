"""The one module Airflow loads from here; every task process imports it, so it stays light."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from everfit_airflow.links import (
    DataReportLink,
    DecisionReportLink,
    DriftReportLink,
    MlflowRunLink,
    ModelCardLink,
    MonitorReportLink,
)
from everfit_airflow.report_pages import PREFIX, ReportPages, address


class EverfitPlugin(AirflowPlugin):
    """The report pages, and the links to them."""

    name = "everfit"
    fastapi_apps: ClassVar[list[Any]] = [
        {"name": "Everfit reports", "app": ReportPages(), "url_prefix": PREFIX}
    ]
    # A tab of every run, at /dags/<name>.train/runs/<run>/plugin/everfit and of .monitor alike.
    external_views: ClassVar[list[Any]] = [
        {
            "name": "Everfit",
            "url_route": "everfit",
            "destination": "dag_run",
            "href": address("/runs/{DAG_ID}/{RUN_ID}"),
        }
    ]
    operator_extra_links: ClassVar[list[Any]] = [
        DecisionReportLink(), ModelCardLink(), DataReportLink(), MlflowRunLink(),
        MonitorReportLink(), DriftReportLink(),
    ]  # fmt: skip
