"""Everfit's Airflow plugin; every task process imports it, so it stays light.

An installed package is found by its entry point, a checkout that is not installed by
``plugins/everfit_plugin.py``.
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

COCKPIT = address("/cockpit/app.js")


class EverfitPlugin(AirflowPlugin):
    """The pages, and the links to them."""

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
        },
        # All pipelines, at /plugin/everfit_models. Airflow knows a component by its plugin's name.
        {
            "name": "Models",
            "url_route": "everfit_models",
            "destination": "nav",
            "nav_top_level": True,
            "icon": address("/cockpit/models.svg"),
            "icon_dark_mode": address("/cockpit/models_dark.svg"),
            "bundle_url": COCKPIT,
        },
        # One of them, at /dags/<name>.train/plugin/everfit_model and of .monitor alike.
        {
            "name": "Model",
            "url_route": "everfit_model",
            "destination": "dag",
            "bundle_url": COCKPIT,
        },
    ]
    operator_extra_links: list[Any] = [  # noqa: RUF012 (as Airflow declares it)
        DecisionReportLink(),
        ModelCardLink(),
        DataReportLink(),
        MlflowRunLink(),
        MonitorReportLink(),
        DriftReportLink(),
    ]
