"""What goes wrong between a command and a running Airflow."""

from __future__ import annotations


class LaunchError(Exception):
    """One line: what must hold, what was found, what to do next."""
