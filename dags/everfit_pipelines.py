"""Two Airflow DAGs for each ``pipelines/*.yaml``: this file only loads specs and wires operators.

A YAML that is no pipeline is left out here, so that it takes no other down; Airflow shows it as an
import error of its own (``plugins/everfit_airflow/spec_errors.py``).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from airflow.sdk import get_parsing_context
from everfit_airflow.pipeline_dags import pipeline_dags, specs_to_load

from pipeline_components.contracts.errors import SpecError

FOLDER = Path(os.environ.get("EVERFIT_PIPELINES") or Path(__file__).with_name("pipelines"))

log = logging.getLogger(__name__)

only = get_parsing_context().dag_id

for path in specs_to_load(FOLDER, only):
    try:
        pipeline_dags(path, only)
    except SpecError as error:
        log.warning("%s", error.line)
    except Exception:
        log.exception("DEFECT %s: left out, so that the other pipelines stay", path.name)
