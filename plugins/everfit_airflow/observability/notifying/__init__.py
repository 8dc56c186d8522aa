"""Telling people what happened, through Airflow's own notifiers."""

from everfit_airflow.observability.notifying.notices import notices, notices_of_any

__all__ = ["notices", "notices_of_any"]
