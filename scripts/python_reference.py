"""Writes the reference of ``docs/reference/python.md`` from the docstrings of the public API.

.venv/bin/python scripts/python_reference.py          rewrite it
.venv/bin/python scripts/python_reference.py --check  exit 1 where it is out of date
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path

from cli_reference import field_docs

import everfit
from everfit import checks
from everfit.api.plots import Plots

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "python.md"
BEGIN, END = "<!-- docstrings -->", "<!-- end of the docstrings -->"
SECTION = re.compile(r"^(Parameters|Attributes|Returns|Raises|Examples)\n-+\n", re.MULTILINE)


def reference() -> str:
    """A section for each name that a user's code may import."""
    classes = (everfit.Pipeline, everfit.Run, everfit.Champion, Plots, everfit.Picture)
    lines = ["## everfit", "", *callable_("everfit.pipeline", everfit.pipeline, "###")]
    for one in (*classes, everfit.StepOutput):
        lines += class_(one, "everfit" if hasattr(everfit, one.__name__) else "")
    lines += ["## everfit.errors", "", "| error | is raised for |", "| --- | --- |"]
    for name in everfit.errors.__all__:
        kind = getattr(everfit.errors, name)
        base = kind.__mro__[1].__name__
        below = f", a kind of `{base}`" if base in everfit.errors.__all__ else ""
        lines.append(f"| `{name}`{below} | {cell(summary(kind))} |")
    lines += [
        "",
        "## everfit.checks",
        "",
        "For [a check of your own](../how-to/own_checks.md).",
        "",
    ]
    for name in checks.__all__:
        lines += class_(getattr(checks, name), "everfit.checks")
    return "\n".join(lines)


def class_(kind: type, module: str) -> Iterator[str]:
    """A class: how it is made, where that is public, and what it offers."""
    yield from (f"### {module + '.' if module else ''}{kind.__name__}", "")
    yield from body(kind, kind.__name__)
    if is_dataclass(kind) and "Attributes\n" not in (inspect.getdoc(kind) or ""):
        about = field_docs(kind)
        rows = (
            f"| `{f.name}`, {cell(str(f.type))} | {about.get(f.name, '')} |" for f in fields(kind)
        )
        yield from ("| attributes | |", "| --- | --- |", *rows, "")
    for name, member in vars(kind).items():
        if name.startswith("_") or not inspect.getdoc(member):
            continue
        if inspect.isfunction(member):
            yield from callable_(f"{kind.__name__}.{name}", member, "####")
        elif isinstance(member, property | cached_property):
            yield from (f"#### {kind.__name__}.{name}", "")
            yield from body(member, name)


def callable_(name: str, function: object, heading: str) -> Iterator[str]:
    """A function or method with its signature."""
    yield from (f"{heading} {name}", "", "```python", signature(name, function), "```", "")
    yield from body(function, name)


def signature(name: str, function: object) -> str:
    """``Pipeline.run(*, force: bool = False) -> Run``, wrapped where it is long."""
    found = inspect.signature(function)  # type: ignore[arg-type]
    parts = []
    for parameter in found.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parts.append(f"{parameter.name}: {parameter.annotation}{default}")
    line = f"{name}({', '.join(parts)}) -> {found.return_annotation}"
    if len(line) <= 90:
        return line
    return f"{name}(\n    {f',{chr(10)}    '.join(parts)},\n) -> {found.return_annotation}"


def body(documented: object, name: str) -> Iterator[str]:
    """A docstring's text, then a table or a line for each of its sections."""
    text, *sections = SECTION.split(inspect.getdoc(documented) or "")
    if not text.strip():
        raise SystemExit(f"DOCSTRING {name}: must say something; it is empty.")
    yield from (markdown(text), "")
    for kind, content in zip(sections[::2], sections[1::2], strict=True):
        if kind == "Examples":
            yield from ("```python", content.strip(), "```", "")
            continue
        yield from (f"| {kind.lower()} | |", "| --- | --- |")
        for entry in re.split(r"\n(?=\S)", content.strip()):
            head, _, rest = entry.partition("\n")
            names, _, types = head.partition(" : ")
            code = kind in ("Parameters", "Attributes", "Raises")
            first = f"`{names}`" if code else cell(names)
            yield f"| {first}{', ' + cell(types) if types else ''} | {cell(rest)} |"
        yield ""


def summary(documented: object) -> str:
    """The first paragraph of a docstring."""
    return (inspect.getdoc(documented) or "").split("\n\n")[0]


def cell(text: str) -> str:
    """Text on one line, as a table takes it."""
    return " ".join(markdown(text).split()).replace("|", "\\|")


def markdown(text: str) -> str:
    """Docstrings mark code with two backticks, pages with one."""
    return text.strip().replace("``", "`")


def main() -> int:
    """Rewrite or check."""
    old = PAGE.read_text(encoding="utf-8")
    head, _, rest = old.partition(BEGIN)
    new = f"{head}{BEGIN}\n{reference()}\n{END}{rest.partition(END)[2]}"
    if "--check" in sys.argv:
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
