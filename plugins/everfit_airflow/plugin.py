"""Everfit's Airflow plugin; every task process imports it, so it stays light.

An installed package is found by its entry point, a checkout by ``plugins/everfit_plugin.py``.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from everfit_airflow.ui.links import (
    DataReportLink,
    DecisionReportLink,
    DriftReportLink,
    MlflowRunLink,
    ModelCardLink,
    MonitorReportLink,
)
from everfit_airflow.ui.report_pages import PREFIX, ReportPages, address


class EverfitPlugin(AirflowPlugin):
    """The report pages, and the links to them."""

    name = "everfit"
    fastapi_apps: list[Any] = [  # noqa: RUF012 (as Airflow declares it)
        {"name": "Everfit reports", "app": ReportPages(), "url_prefix": PREFIX}
    ]
    # A tab of every run, at /dags/<name>.train/runs/<run>/plugin/everfit and of .monitor alike.
    react_apps: list[Any] = [  # noqa: RUF012 (as Airflow declares it)
        {
            "name": "Everfit",
            "url_route": "everfit",
            "destination": "dag_run",
            "bundle_url": address("/run_tab.js"),
        }
    ]
    operator_extra_links: list[Any] = [  # noqa: RUF012 (as Airflow declares it)
        DecisionReportLink(),
        ModelCardLink(),
        DataReportLink(),
        MlflowRunLink(),
        MonitorReportLink(),
        DriftReportLink(),
    ]
