"""Everfit's settings as Airflow's own processes see them, wherever these were started."""

from __future__ import annotations

import os

from airflow.configuration import conf

from everfit.contracts.settings import Settings


def settings_here() -> Settings:
    """The settings of the repository whose DAGs this Airflow has.

    Where ``EVERFIT_ROOT`` is not set, it is found from Airflow's DAGs folder: the folder that an
    API server is started in says nothing.
    """
    return Settings.from_environment(dict(os.environ), start=conf.get("core", "dags_folder"))
