"""``everfit completion``: what a shell needs to complete commands, options and pipelines."""

from __future__ import annotations

import argparse
import sys
from typing import TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.completion import SHELLS
from everfit.cli.terminal import Terminal


class Completion(TypedDict):
    """A script for a shell."""

    shell: str
    script: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which shell."""
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the script, as it is: it is for a shell, not for a person."""
    answer: Completion = {"shell": options.shell, "script": SHELLS[options.shell]()}
    terminal.document(answer)
    if not options.json:
        sys.stdout.write(answer["script"])
    return 0


COMMAND = Command(
    group=Group.OPERATE,
    help="let a shell complete commands, options and pipelines",
    description="Writes the script with which a shell completes commands, options, their values "
    "and the names of pipelines. Nothing of Everfit is started for it.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Completion,
    epilog="examples:\n"
    "  source <(everfit completion bash)    (in ~/.bashrc)\n"
    "  source <(everfit completion zsh)     (in ~/.zshrc)\n"
    "  everfit completion fish > ~/.config/fish/completions/everfit.fish",
    page="how-to/install.md",
)
