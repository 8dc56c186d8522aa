"""What may follow each command, read from its own parser."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from everfit.cli.command import load, names
from everfit.cli.parser import Parser, parser_of, top_parser

PIPELINE = "NAME"
"""The metavar of an argument that takes a pipeline."""

FILES = ("DIR", "FILE", "FOLDER", "PATH", "PLACE")
"""The metavars of what takes a file or a folder."""


@dataclass(frozen=True)
class Words:
    """What may follow a command."""

    command: str
    help: str
    options: dict[str, str]
    """Flag → what it says of itself."""
    values: dict[str, tuple[str, ...]]
    """Flag that takes a value → the values it takes; none: any."""
    file_flags: tuple[str, ...]
    pipelines: bool
    files: bool
    choices: tuple[str, ...]


def words_of(command: str, help_text: str, parser: Parser) -> Words:
    """What a parser takes."""
    options, values, paths = {}, {}, []
    arguments: list[argparse.Action] = []
    for action in parser._actions:
        if not action.option_strings:
            arguments.append(action)
            continue
        flag = action.option_strings[-1]
        options[flag] = action.help or ""
        if action.nargs == 0:
            continue
        if action.metavar in FILES:
            paths.append(flag)
        else:
            values[flag] = tuple(map(str, action.choices or ()))
    return Words(
        command,
        help_text,
        options,
        values,
        tuple(paths),
        pipelines=any(one.metavar == PIPELINE for one in arguments),
        files=any(one.metavar in FILES for one in arguments),
        choices=tuple(str(c) for one in arguments for c in one.choices or ()),
    )


def all_words() -> list[Words]:
    """Of every command, sorted by name."""
    found = ((name, load(name)) for name in names())
    return [words_of(name, command.help, parser_of(name, command)) for name, command in found]


def top_words() -> Words:
    """What may stand before a command."""
    return words_of("", "", top_parser())
