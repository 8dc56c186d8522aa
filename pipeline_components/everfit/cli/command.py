"""What a command is, and where commands are found: the files of ``everfit/cli/commands``."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from everfit.cli import commands
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import UserError


class Group(Enum):
    """The part of the help that a command stands in; in this order."""

    WORK_ON = "Work on a pipeline"
    LOOK_AT = "Look at what happened"
    DECIDE = "Decide"
    OPERATE = "Operate"


def no_arguments(parser: argparse.ArgumentParser) -> None:
    """For a command that takes none."""


@dataclass(frozen=True)
class Command:
    """One command, as its file declares it under the name ``COMMAND``.

    The file is imported for ``everfit --help`` too, so what is heavy is imported where it is used:
    in ``run``, never at the top.
    """

    group: Group
    help: str
    """One line, without a full stop."""
    run: Callable[[argparse.Namespace, Terminal], int]
    """Carries it out and returns the exit code."""
    answer: Callable[[], Any]
    """Gives the type of the document that ``--json`` writes: see ``docs/reference/cli.md``."""
    add_arguments: Callable[[argparse.ArgumentParser], None] = no_arguments
    description: str = ""
    """What ``everfit NAME --help`` says first, where it is more than ``help``."""
    epilog: str = ""
    """What it says last, such as examples; lines are kept as they are."""
    page: str = ""
    """The page of ``docs/`` that says more, if any."""


def names() -> list[str]:
    """The names of all commands, sorted; imports none of them."""
    found = (module.name for module in pkgutil.iter_modules(commands.__path__))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def load(name: str) -> Command:
    """The command of that name.

    Raises
    ------
    UserError
        If there is none; says which is near.
    """
    if name not in names():
        raise UserError(
            "USAGE",
            f"everfit {name}",
            "this is not a command",
            todo=did_you_mean(name, names()) or "Run everfit --help to see them all",
        )
    module = importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}")
    command: Command = module.COMMAND
    return command


def did_you_mean(text: str, known: list[str]) -> str:
    """A question that names what is near, or nothing."""
    from difflib import get_close_matches

    near = get_close_matches(text, known, n=1)
    return f"Did you mean {near[0]}?" if near else ""
