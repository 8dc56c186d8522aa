"""Two Airflow DAGs for each ``pipelines/*.yaml``: this file only says where the specs are."""

from __future__ import annotations

from everfit_airflow.dags.repository import dags_of_pipelines, specs_beside

dags_of_pipelines(specs_beside(__file__))
