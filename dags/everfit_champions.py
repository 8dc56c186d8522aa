"""Three Airflow DAGs by which people decide, for all ``pipelines/*.yaml``: this file only wires.

They read the names of the specs and nothing else; a spec that is broken shows as an import error of
its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import get_parsing_context
from everfit_airflow.champion_dags import champion_dags

FOLDER = Path(os.environ.get("EVERFIT_PIPELINES") or Path(__file__).with_name("pipelines"))

champion_dags(FOLDER, get_parsing_context().dag_id)
