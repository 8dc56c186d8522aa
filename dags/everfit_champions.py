"""Three Airflow DAGs by which people decide, for all ``pipelines/*.yaml``: this file only wires."""

from __future__ import annotations

from everfit_airflow.dags.repository import dags_of_people, specs_beside

dags_of_people(specs_beside(__file__))
