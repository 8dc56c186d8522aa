"""``everfit``: the command line."""

from __future__ import annotations

import os

# Looking for pydantic's plugins among all installed packages is a twentieth of what a command with
# nothing to do may cost, and Everfit has none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from everfit.cli.main import main

__all__ = ["main"]
