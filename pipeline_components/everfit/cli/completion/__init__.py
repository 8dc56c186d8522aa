"""The scripts with which shells complete; nothing of Everfit is started when Tab is pressed."""

from __future__ import annotations

from collections.abc import Callable

from everfit.cli.completion.bash import bash, zsh
from everfit.cli.completion.fish import fish

SHELLS: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
"""Shell → what writes its script."""
