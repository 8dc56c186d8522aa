"""Parsing of the command line: grouped help, and mistakes as one line that says what is near."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

from everfit.cli.command import Command, Group, did_you_mean, load, names
from everfit.contracts.errors import UserError
from everfit.contracts.version import VERSION
from everfit.contracts.wording import listed

DESCRIPTION = "Continuous training for tabular models: models that stay fit."
EPILOG = (
    "everfit COMMAND --help says more about a command; docs/reference/cli.md describes them all."
)


class _Formatter(argparse.HelpFormatter):
    """Wraps a paragraph, and keeps the lines of what has several, such as examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(indent + line for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """One that raises its complaints in plain words, and takes no abbreviated option."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=_Formatter,
            add_help=False,
            **more,
        )
        self._positionals.title = "arguments"
        self.add_argument("-h", "--help", action="help", help="show this help and exit")

    def check_options(self, arguments: Sequence[str]) -> None:
        """Name an option that there is not before argparse names an argument that is missing.

        Raises
        ------
        UserError
            If there is one.
        """
        for text in arguments:
            flag = text.partition("=")[0]
            if flag == "--":
                return
            if flag.startswith("--") and flag not in self.options():
                self.error(f"unrecognized arguments: {text}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments.

        Raises
        ------
        UserError
            Always.
        """
        must, todo = self._plainly(message)
        raise UserError("USAGE", self.prog, must, todo=todo or f"See {self.prog} --help")

    def _plainly(self, message: str) -> tuple[str, str]:
        """What is wrong, and what is near; argparse's own words where they are plain."""
        if found := re.fullmatch(r"unrecognized arguments: (.*)", message):
            given = found[1].split()
            first = given[0].partition("=")[0]
            if first.startswith("-"):
                return f"there is no option {first}", did_you_mean(first, self.options())
            return f"{' '.join(given)!r} is more than it takes", ""
        if found := re.fullmatch(r"the following arguments are required: (.*)", message):
            parts = found[1].split(", ")
            return f"{' and '.join(parts)} {'is' if len(parts) == 1 else 'are'} missing", ""
        if found := re.fullmatch(r"one of the arguments (.*) is required", message):
            return f"one of {' or '.join(found[1].split())} is needed", ""
        if found := re.fullmatch(r"argument (.*): not allowed with argument (.*)", message):
            return f"{found[1]} and {found[2]} exclude each other", "Leave one out"
        if found := re.fullmatch(
            r"argument (.*): invalid choice: '(.*)' \(choose from .*\)", message
        ):
            (known,) = (
                list(action.choices or ())
                for action in self._actions
                if found[1] in (*action.option_strings, action.metavar)
            )
            return (
                f"{found[1]} is {listed(known, 'or')}; found {found[2]!r}",
                did_you_mean(found[2], known),
            )
        if found := re.fullmatch(r"argument (.*): expected one argument", message):
            return f"{found[1]} needs a value", ""
        if found := re.fullmatch(r"argument (.*): invalid (\w+) value: (.*)", message):
            kind = {"int": "a whole number", "float": "a number"}.get(found[2], f"a {found[2]}")
            return f"{found[1]} takes {kind}; found {found[3]}", ""
        return message.removeprefix("argument "), ""

    def options(self) -> list[str]:
        """Its long options."""
        return [
            flag
            for action in self._actions
            for flag in action.option_strings
            if flag.startswith("--")
        ]


class _TopParser(Parser):
    """The options that stand before the command, and the help that lists all commands."""

    def format_help(self) -> str:
        """All commands, a group after the other."""
        width = max(40, shutil.get_terminal_size().columns - 2)
        found = {name: load(name) for name in names()}
        options = {", ".join(action.option_strings): action.help or "" for action in self._actions}
        column = 4 + max(map(len, (*found, *options)))
        lines = ["usage: everfit [-v] COMMAND …", "", *textwrap.wrap(DESCRIPTION, width)]
        for group in Group:
            lines += ["", f"{group.value}:"]
            for name, command in found.items():
                if command.group is group:
                    lines += _entry(name, command.help, column, width)
        lines += ["", "Options:"]
        for flags, text in options.items():
            lines += _entry(flags, text, column, width)
        return "\n".join([*lines, "", *textwrap.wrap(EPILOG, width)]) + "\n"


def _entry(name: str, text: str, column: int, width: int) -> list[str]:
    """A name and what it means, wrapped beside it."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=f"  {name}".ljust(column),
        subsequent_indent=" " * column,
    )


class _Version(argparse.Action):
    """Prints the version."""

    def __call__(self, *_: object) -> NoReturn:
        sys.stdout.write(f"everfit {VERSION}\n")
        raise SystemExit(0)


def top_parser() -> Parser:
    """The parser of what stands before the command."""
    top = _TopParser(prog="everfit")
    _add_verbose(top)
    top.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,  # an option of a command may have the name
        help="show the version and exit",
    )
    return top


def parser_of(name: str, command: Command) -> Parser:
    """The parser of what stands after the command."""
    more = f"More: docs/{command.page}" if command.page else ""
    parser = Parser(
        prog=f"everfit {name}",
        description=command.description or _sentence(command.help),
        epilog="\n\n".join(filter(None, (command.epilog, more))),
    )
    command.add_arguments(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="write one JSON document instead (docs/reference/cli.md)",
    )
    _add_verbose(parser)
    return parser


def parse(arguments: Sequence[str]) -> tuple[str, Command, argparse.Namespace]:
    """The command's name, the command and its options; nothing else is imported for them.

    Raises
    ------
    SystemExit
        After help or version, which is all that was asked for.
    UserError
        If there is no such command, or if it cannot be called so.
    """
    top = top_parser()
    place = next(
        (at for at, text in enumerate(arguments) if not text.startswith("-")), len(arguments)
    )
    options = top.parse_args(arguments[:place])
    if place == len(arguments):
        top.print_help()
        raise SystemExit(0)
    name, rest = arguments[place], arguments[place + 1 :]
    command = load(name)
    parser = parser_of(name, command)
    parser.check_options(rest)
    return name, command, parser.parse_args(rest, options)


def _add_verbose(parser: Parser) -> None:
    parser.add_argument(
        "-v", "--verbose", action="store_true", default=False, help="log what each step does"
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
