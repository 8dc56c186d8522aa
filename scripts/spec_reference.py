"""Writes the field tables of ``docs/reference/spec.md`` from the models.

.venv/bin/python scripts/spec_reference.py          rewrite the tables
.venv/bin/python scripts/spec_reference.py --check  exit 1 where they are out of date
"""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.table_schema import TableSchema
from everfit.contracts.spec.triggers.conditions import GROUPS, SomeOf
from everfit.contracts.spec.triggers.kind import TriggerKind
from everfit.contracts.spec.triggers.kinds import KINDS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "spec.md"
WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
WRITTEN = {"some": "2 of 3"}
"""Fields that a spec does not write by their name."""
WORDS_OF: dict[type[BaseModel], str] = {
    SomeOf: "list of conditions",
    Margin: "percentage or number",
}
"""Models that a spec writes in a way of its own."""
BLOCKS: dict[str, type[BaseModel]] = {"spec": PipelineSpec, "schema": TableSchema}


def type_name(annotation: Any) -> str:
    """A type in words a pipeline's author knows."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if is_condition(annotation):
        return "conditions"
    if origin in (typing.Union, types.UnionType):
        named = (type_name(a) for a in arguments if a is not type(None))
        return " or ".join(dict.fromkeys(named))
    if origin is typing.Literal:
        return ", ".join(f"`{'true' if value is True else value}`" for value in arguments)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"mapping to {type_name(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return WORDS_OF.get(annotation, "fields")
    return WORDS.get(getattr(annotation, "__name__", ""), "any value")


def is_condition(annotation: Any) -> bool:
    """Whether it is the union of all conditions."""
    arguments = typing.get_args(annotation)
    return typing.get_origin(annotation) is typing.Union and set(KINDS.values()) <= set(arguments)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model a field holds, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in typing.get_args(annotation) if (m := model_in(a))), None)


def kinds_in(annotation: Any) -> dict[str, type[BaseModel]]:
    """Tag → model, where a field holds one of several that a tag tells apart."""
    found = {}
    for argument in typing.get_args(annotation):
        tags = [item for item in typing.get_args(argument)[1:] if isinstance(item, Tag)]
        if tags:
            found[tags[0].tag] = typing.get_args(argument)[0]
    return found


def rows_of_kinds(kinds: dict[str, type[BaseModel]], prefix: str) -> list[str]:
    """One row per field of any of the kinds, led by the kinds that have it where not all do."""
    fields: dict[str, list[str]] = {}
    for tag, model in kinds.items():
        for name in model.model_fields:
            fields.setdefault(name, []).append(tag)
    found = []
    for name, tags in fields.items():
        field = kinds[tags[0]].model_fields[name]
        of = "" if len(tags) == len(kinds) else f"*{', '.join(tags)}*: "
        meaning = of + (field.description or "").replace("``", "`").replace("|", "\\|")
        if name == "kind":
            kind, default = ", ".join(f"`{t}`" for t in tags if t != "own") + " or your own", ""
        else:
            kind, default = type_name(field.annotation), default_of(field)
        found.append(f"| `{prefix}{name}` | {kind} | {default} | {meaning} |")
        inner = model_in(field.annotation)
        if inner is not None:
            found += rows(inner, f"{prefix}{name}{step_into(field.annotation)}")
    return found


def default_of(field: FieldInfo) -> str:
    """A field's default as YAML would say it."""
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, Margin):
        return f"`{value.value:.4g}`" if not value.relative else f"`{value.value * 100:.4g}%`"
    if value is None or isinstance(value, BaseModel) or field.default_factory is not None:
        return ""
    if isinstance(value, tuple):
        shown = (getattr(item, "name", item) for item in value)
        return f"`[{', '.join(repr(i) if i == '' else str(i) for i in shown)}]`"
    return f"`{value}`" if value != "" else ""


def rows(
    model: type[BaseModel], prefix: str = "", shown: set[type[BaseModel]] | None = None
) -> list[str]:
    """One table row per field, nested fields under their path; conditions hold conditions: once."""
    shown = set() if shown is None else shown
    found = []
    for python_name, field in model.model_fields.items():
        if python_name == "curated":
            continue
        name = WRITTEN.get(python_name) or field.alias or python_name
        meaning = (field.description or "").replace("``", "`").replace("|", "\\|")
        found.append(
            f"| `{prefix}{name}` | {type_name(field.annotation)} | {default_of(field)} "
            f"| {meaning} |"
        )
        if kinds := kinds_in(field.annotation):
            if not shown & set(kinds.values()):  # another source has the same fields
                found += rows_of_kinds(kinds, f"{prefix}{name}.")
            shown |= set(kinds.values())
            continue
        inner = model_in(field.annotation)
        if inner in (None, Margin, SomeOf) or inner in shown:
            continue
        if issubclass(inner, TriggerKind):  # the first of the union of conditions
            shown.add(inner)
            found += condition_rows(f"{prefix}{name}[].")
            continue
        found += rows(inner, f"{prefix}{name}{step_into(field.annotation)}", shown)
    return found


def condition_rows(prefix: str) -> list[str]:
    """A row for every kind of condition, with its fields, and one for every group."""
    found = []
    for name, kind in KINDS.items():
        fields = {one: field for one, field in kind.model_fields.items() if one != "kind"}
        bare = fields.pop(kind.bare, None)
        written = type_name(bare.annotation) if bare else "fields" if fields else "`true`"
        found.append(f"| `{prefix}{name}` | {written} |  | {kind.meaning.replace('``', '`')} |")
        for one, field in fields.items():
            meaning = (field.description or "").replace("``", "`")
            found.append(
                f"| `{prefix}{name}.{field.alias or one}` | {type_name(field.annotation)} "
                f"| {default_of(field)} | {meaning} |"
            )
    for group in GROUPS:
        name = group.model_fields["kind"].default
        meaning = (group.__doc__ or "").strip().rstrip(".").replace("``", "`")
        written = WRITTEN.get(name, name)
        meaning = meaning[:1].lower() + meaning[1:]
        found.append(f"| `{prefix}{written}` | list of conditions |  | {meaning} |")
    return found


def step_into(annotation: Any) -> str:
    """What stands between a field's path and its inner fields'."""
    kinds, pending = set(), [annotation]
    while pending:
        kinds.add(typing.get_origin(pending[0]))
        pending = [*typing.get_args(pending[0]), *pending[1:]]
    return "[]." if tuple in kinds else ".<name>." if dict in kinds else "."


def render(page: str) -> str:
    """The page with its generated blocks written anew."""
    for name, model in BLOCKS.items():
        begin, end = f"<!-- fields of the {name} -->", f"<!-- end of the {name} -->"
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        table = ["| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows(model)]
        page = head + begin + "\n" + "\n".join(table) + "\n" + end + tail
    return page


def main() -> int:
    """Rewrite or check."""
    old = PAGE.read_text(encoding="utf-8")
    new = render(old)
    if "--check" in sys.argv:
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
