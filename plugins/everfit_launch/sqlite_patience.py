"""How long a part of Airflow waits for SQLite's one write lock before it gives up."""

from __future__ import annotations

CONNECT_ARGS = {"timeout": 60.0}
"""Seconds. After the 5 of the default a scheduler ends itself, and on one machine nothing starts it
again; a burst of requests on a busy machine is enough for that. The API server keeps the default:
its requests wait for one another, so that a longer patience would only make them wait longer."""

WHERE = f"{__name__}.CONNECT_ARGS"
"""As Airflow's setting ``[database] sql_alchemy_connect_args`` names it."""
