"""``everfit rollback``: back to a version that was champion."""

from __future__ import annotations

import argparse

from pipeline_components.cli import promote


def command(options: argparse.Namespace) -> int:
    """As ``everfit promote``, recorded as a rollback, and only to what was champion once."""
    return promote.command(options, "rollback")
