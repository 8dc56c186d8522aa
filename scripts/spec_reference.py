"""Writes the field tables of ``docs/spec.md`` from the models, so that they cannot disagree.

.venv/bin/python scripts/spec_reference.py          rewrite the tables
.venv/bin/python scripts/spec_reference.py --check  exit 1 where they are out of date
"""

from __future__ import annotations

import sys
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline_components.contracts.margins import Margin
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.table_schema import TableSchema
from pipeline_components.contracts.triggers import Condition, SomeOf

PAGE = Path(__file__).resolve().parents[1] / "docs" / "spec.md"
WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
WRITTEN = {"some": "2 of 3"}
"""Fields that a spec does not write by their name."""
WORDS_OF: dict[type[BaseModel], str] = {
    Condition: "conditions", SomeOf: "list of conditions", Margin: "percentage or number",
}  # fmt: skip
"""Models that a spec writes in a way of its own."""
BLOCKS: dict[str, type[BaseModel]] = {"spec": PipelineSpec, "schema": TableSchema}


def type_name(annotation: Any) -> str:
    """A type in words a pipeline's author knows."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(a) for a in arguments if a is not type(None))
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
    if isinstance(annotation, typing.ForwardRef):
        within = (m for m in WORDS_OF if m.__name__ in annotation.__forward_arg__)
        return next((WORDS_OF[model] for model in within), "any value")
    return WORDS.get(getattr(annotation, "__name__", ""), "any value")


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model a field holds, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in typing.get_args(annotation) if (m := model_in(a))), None)


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
        inner = model_in(field.annotation)
        if inner in (None, Margin, SomeOf) or inner in shown:
            continue
        if inner is Condition:
            shown.add(inner)
        found += rows(inner, f"{prefix}{name}{step_into(field.annotation)}", shown)
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
