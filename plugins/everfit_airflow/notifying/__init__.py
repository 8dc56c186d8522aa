"""Telling people what happened, through Airflow's own notifiers."""

from everfit_airflow.notifying.notices import notices

__all__ = ["notices"]
