"""The one module that Airflow loads from this folder as a plugin.

Where the package is installed, its entry point names the plugin. A second one of its name must not
be there: Airflow's tasks then leave out every plugin that comes after it, such as OpenLineage's.
"""

from __future__ import annotations

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="everfit"):
    from everfit_airflow.plugin import EverfitPlugin  # noqa: F401 (Airflow looks for it here)
