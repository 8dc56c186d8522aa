"""The one module that Airflow loads from this folder as a plugin."""

from __future__ import annotations

from everfit_airflow.plugin import EverfitPlugin

__all__ = ["EverfitPlugin"]
