"""What a DAG file of one's own repository imports: ``from everfit.airflow import dags``.

The one module of the package that leads to what knows Airflow; nothing of the package imports it.
"""

from __future__ import annotations

from everfit_airflow.dags.repository import dags

__all__ = ["dags"]
