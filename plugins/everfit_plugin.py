"""The one module Airflow loads from here; every task process imports it, so it stays light."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin
from everfit_airflow.links import DataReportLink, DecisionReportLink, MlflowRunLink
from everfit_airflow.report_pages import PREFIX, ReportPages


class EverfitPlugin(AirflowPlugin):
    """The report pages, and the links to them."""

    name = "everfit"
    fastapi_apps: ClassVar[list[Any]] = [
        {"name": "Everfit reports", "app": ReportPages(), "url_prefix": PREFIX}
    ]
    operator_extra_links: ClassVar[list[Any]] = [
        DecisionReportLink(), DataReportLink(), MlflowRunLink()
    ]  # fmt: skip
