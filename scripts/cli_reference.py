"""Writes the reference of ``docs/reference/cli.md`` from the commands.

.venv/bin/python scripts/cli_reference.py          rewrite it
.venv/bin/python scripts/cli_reference.py --check  exit 1 where it is out of date
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from everfit.cli.command import Command, Group, load, names
from everfit.cli.parser import parser_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def commands() -> str:
    """A section for each group, a subsection for each command."""
    found = {name: load(name) for name in names()}
    lines = []
    for group in Group:
        lines += [f"## {group.value}", ""]
        for name, command in found.items():
            if command.group is group:
                lines += section(name, command)
    return "\n".join(lines)


def section(name: str, command: Command) -> Iterator[str]:
    """What a command does, how it is called and what it writes as JSON."""
    parser = parser_of(name, command)
    yield from (f"### {name}", "")
    yield from (f"`{usage(parser)}`", "")
    yield from (f"{parser.description}{more(command)}", "")
    rows = list(arguments(parser))
    if rows:
        yield from ("| argument | |", "| --- | --- |", *rows, "")
    if command.epilog:
        yield from ("```console", *examples(command.epilog), "```", "")
    yield from (f"`--json`: {type_name(command.answer())}.", "")


def usage(parser: argparse.ArgumentParser) -> str:
    """``everfit check [--spec-only] [NAME ...]``, without what every command takes."""
    text = " ".join(parser.format_usage().removeprefix("usage: ").split())
    for common in ("[-h] ", "[--json] ", "[-v] "):
        text = f"{text} ".replace(common, "", 1).strip()
    return text


def more(command: Command) -> str:
    """A link to the page about it."""
    if not command.page:
        return ""
    target = os.path.relpath(command.page, PAGE.parent.name)
    return f" More: [{Path(target).stem.replace('_', ' ')}]({target})."


def arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A row for each argument that is the command's own."""
    for action in parser._actions:
        if {"--help", "--json", "--verbose"} & set(action.option_strings):
            continue
        metavar = action.metavar or ("|".join(action.choices) if action.choices else "")
        flag = action.option_strings[-1] if action.option_strings else ""
        called = " ".join(filter(None, (flag, str(metavar) if action.nargs != 0 else "")))
        required = ", required" if flag and action.required else ""
        yield f"| `{escaped(called)}` | {escaped(action.help or '')}{required} |"


def examples(epilog: str) -> Iterator[str]:
    """Lines of an epilog: examples without their indentation."""
    for line in map(str.strip, epilog.splitlines()):
        if line and not line.endswith(":"):
            yield f"$ {line}" if line.startswith("everfit") else line


def documents() -> str:
    """A table for each kind of document, in the order in which commands mention them."""
    seen: dict[type, None] = {}
    for name in names():
        for kind in kinds_in(load(name).answer()):
            collect(kind, seen)
    return "\n".join(line for kind in sorted(seen, key=_name) for line in table(kind))


def collect(kind: type, seen: dict[type, None]) -> None:
    """The kind and all that its fields hold."""
    if kind in seen:
        return
    seen[kind] = None
    for annotation in hints(kind).values():
        for inner in kinds_in(annotation):
            collect(inner, seen)


def table(kind: type) -> Iterator[str]:
    """Fields, types and meanings."""
    about = field_docs(kind)
    yield from (f"### JSON: {_name(kind)}", "")
    doc = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0]
    yield from (" ".join(doc.split()), "")
    yield from ("| field | type | |", "| --- | --- | --- |")
    for name, annotation in hints(kind).items():
        yield f"| `{name}` | {type_name(annotation)} | {escaped(about.get(name, ''))} |"
    yield ""


def hints(kind: type) -> dict[str, Any]:
    """Field → type."""
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return typing.get_type_hints(kind)


def field_docs(kind: type) -> dict[str, str]:
    """Field → what it says of itself: a description, or the docstring below it."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("everfit."):
            found |= _docstrings(base)
    if issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        found |= {name: field.description for name, field in fields if field.description}
    return found


def _docstrings(kind: type) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            value = below.value
            if isinstance(value, ast.Constant) and isinstance(field.target, ast.Name):
                found[field.target.id] = " ".join(str(value.value).split()).rstrip(".")
    return found


def type_name(annotation: Any) -> str:
    """A type in words: ``list of [Champion](#champion)``, ``text or null``."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        named = [type_name(one) for one in inner if one is not type(None)]
        return " or ".join([*named, "null"] if type(None) in inner else named)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is typing.Annotated:
        return type_name(inner[0])
    if origin in (list, tuple):
        return f"list of {type_name(inner[0])}"
    if origin is dict:
        return f"mapping to {type_name(inner[1])}"
    if is_kind(annotation):
        return f"[{_name(annotation)}](#json-{_name(annotation).lower()})"
    return WORDS.get(annotation, "any value")


def kinds_in(annotation: Any) -> Iterator[type]:
    """The documents an annotation mentions."""
    if is_kind(annotation):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from kinds_in(inner)


def is_kind(annotation: Any) -> bool:
    """Whether it is a document with fields of its own."""
    return typing.is_typeddict(annotation) or (
        isinstance(annotation, type) and issubclass(annotation, BaseModel)
    )


def _name(kind: type) -> str:
    return kind.__name__


def escaped(text: str) -> str:
    """As a cell of a table."""
    return text.replace("|", "\\|").replace("``", "`")


def written(page: str) -> str:
    """The page with its references rewritten."""
    for name, text in (("commands", commands()), ("documents", documents())):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, rest = page.split(begin)
        after = rest.split(end)[1]
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def main() -> int:
    """Write, or check."""
    page = PAGE.read_text(encoding="utf-8")
    found = written(page)
    if "--check" in sys.argv:
        if found != page:
            sys.stderr.write(f"{PAGE.name} is out of date: run scripts/cli_reference.py\n")
        return int(found != page)
    PAGE.write_text(found, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
