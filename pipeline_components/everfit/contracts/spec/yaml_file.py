"""Reading a small YAML file as YAML 1.2 says, with the line that each value stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from everfit.contracts.errors import SpecError

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

MAX_BYTES = 64 * 1024
"""Size of a spec; a larger file is refused unread."""
MAX_DEPTH = 12
"""Nesting of a spec."""

_TEXT = "tag:yaml.org,2002:str"
_WITHOUT_1_1 = re.compile(r"[-+]?0[0-9]+|0o[0-7]+")
"""Numbers with a leading zero, and octal ones as YAML 1.2 writes them."""


class _Core(Loader):
    """Reads plain values as the core schema of YAML 1.2 does."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own way)


for _tag, _looks, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _Core.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_looks})$"), list(_first)
    )


@dataclass(frozen=True)
class Document:
    """What a file says, and where."""

    data: dict[str, Any]
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    """Path of names and places in lists → line, from 1; the empty path is the document."""

    def line_of(self, path: Sequence[str]) -> int | None:
        """The line of a field, or of the nearest one above it that is written; else the first."""
        written: tuple[str, ...] = ()
        for part in path:
            if (*written, part) in self.lines:
                written = (*written, part)
        return self.lines.get(written)


def read_document(path: Path) -> Document:
    """One mapping from a small, plain YAML file, with its lines.

    Raises
    ------
    SpecError
        If it is too large or deep, malformed, uses aliases or tags, repeats a key, holds a value
        that versions of YAML read in different ways, or is no mapping.
    """
    text = _text_of(path)
    # The scanner takes long over brackets in brackets, and the composer recurses with the document.
    if max(text.count("["), text.count("{")) > 500:
        raise SpecError(path.name, ["holds too many brackets for a spec"])
    try:
        _check_events(path.name, text)
        loader = _Core(text)
        try:
            node = loader.get_single_node()
            lines: dict[tuple[str, ...], int] = {}
            if node is not None:
                lines[()] = node.start_mark.line + 1
                problems = list(_walk(path.name, node, (), lines))
                if problems:
                    raise SpecError(
                        path.name, [each for each, _ in problems], [at for _, at in problems]
                    )
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise SpecError(path.name, [_problem_of(error)], [_line_of(error, text)]) from error
    except (ValueError, RecursionError) as error:
        raise SpecError(path.name, ["holds a value that YAML cannot read"]) from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise SpecError(path.name, ["must be a mapping of field names to values"])
    return Document(data, lines)


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(path.name, [f"a spec has at most {MAX_BYTES // 1024} KiB"])
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(path.name, [f"cannot be read: {error.strerror}"]) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError(path.name, ["must be UTF-8 text; it is UTF-16: save it as UTF-8"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"must be UTF-8 text; it holds the byte 0x{data[error.start]:02x}: save it as UTF-8"
        raise SpecError(path.name, [found], [data[: error.start].count(b"\n") + 1]) from error


def _check_events(where: str, text: str) -> None:
    """Refuse, before anything is built, what a spec does not need and an attacker might use."""
    depth = documents = 0
    for event in yaml.parse(text, Loader):
        wrong = None
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                wrong = "a second document begins here (---): a file holds one"
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.NodeEvent):
            if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
                wrong = "anchors and aliases are not allowed in a spec: write the value out"
            elif (tag := getattr(event, "tag", None)) is not None:
                wrong = f"tags such as {str(tag)[:40]} are not allowed in a spec: leave it out"
            elif depth > MAX_DEPTH:
                wrong = f"is nested more than {MAX_DEPTH} levels deep"
            depth += isinstance(event, yaml.CollectionStartEvent)
        if wrong is not None:
            mark = event.start_mark
            raise SpecError(where, [wrong], [mark.line + 1 if mark is not None else None])


def _walk(
    where: str, node: yaml.Node, path: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> Iterator[tuple[str, int]]:
    """Note the line of every field; yield what no two versions of YAML read alike."""
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            below = (*path, str(number))
            lines[below] = child.start_mark.line + 1
            yield from _walk(where, child, below, lines)
    elif isinstance(node, yaml.ScalarNode):
        if not node.style and (meaning := _by_other_versions(node.value)) is not None:
            yield (
                f"{'.'.join(path)}: YAML reads {node.value} as {meaning} or as something else, by "
                f"its version: write {meaning}, or {node.value!r} in quotes",
                node.start_mark.line + 1,
            )
    else:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # no name; said when the document is built
            line, below = key.start_mark.line + 1, (*path, key.value)
            if below in lines:
                raise SpecError(where, [f"{key.value!r} stands here twice"], [line])
            if key.value == "<<" and not key.style:
                raise SpecError(where, ["a spec merges nothing (<<): write the fields out"], [line])
            key.tag = _TEXT  # a field and a column have names, whatever they look like
            lines[below] = line
            yield from _walk(where, value, below, lines)


def _by_other_versions(text: str) -> str | None:
    """What YAML 1.1 or 1.2 takes a plain value for, where the other does not."""
    if _WITHOUT_1_1.fullmatch(text):
        octal = re.fullmatch(r"([-+]?)0o?([0-7]+)", text)
        return f"{octal[1]}{int(octal[2], 8)}" if octal else str(int(text))
    old, new = _value(text, Loader), _value(text, _Core)
    if not isinstance(old, bool | int | float) or (type(old), repr(old)) == (type(new), repr(new)):
        return None
    return str(old).lower()


def _value(text: str, kind: Any) -> object:
    loader = kind("")
    try:
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))
        return loader.construct_object(yaml.ScalarNode(tag, text))
    except (ValueError, yaml.YAMLError):
        return None
    finally:
        loader.dispose()


def _problem_of(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "is not YAML"
    if problem == "found character that cannot start any token":
        return f"{problem}: a tab, perhaps; indent with spaces, and quote what begins with @ or `"
    return str(problem)


def _line_of(error: yaml.YAMLError, text: str) -> int | None:
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    if mark is not None:
        return int(mark.line) + 1
    return None if position is None else text.encode()[:position].count(b"\n") + 1
