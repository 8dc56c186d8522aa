"""Reading a pipeline's YAML: every mistake at once, each with its field path and a suggestion."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from everfit.contracts.base import Frozen
from everfit.contracts.errors import SpecError, UserError, shortlist
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.table_schema import TableSchema
from everfit.contracts.spec.yaml_file import Document, read_document

SCHEMA_SUFFIX = ".schema.yaml"
NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")


def spec_paths(folder: Path) -> list[Path]:
    """The spec files of a folder, sorted by name."""
    return sorted(
        path
        for path in folder.glob("*.yaml")
        if not path.name.endswith(SCHEMA_SUFFIX) and not path.name.startswith(".")
    )


def find_spec(folder: Path, name: str) -> Path:
    """The spec file of the pipeline ``name``.

    Raises
    ------
    UserError
        If the name is no pipeline name, or there is no such file; says what is near.
    """
    if not NAME.match(name):
        raise UserError(
            "NAME",
            repr(name),
            "a pipeline's name is lower-case letters, digits and _",
            todo="Give the name of a file in dags/pipelines without .yaml",
        )
    path = folder / f"{name}.yaml"
    if path.is_file():
        return path
    known = [p.stem for p in spec_paths(folder) if p.is_file()]
    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There is {shortlist(known) or 'none yet'}"
    raise UserError("NAME", name, f"a pipeline is a file {path.name} in {folder}", todo=hint)


def load_spec(path: Path) -> PipelineSpec:
    """Read, check and complete one spec; the curated schema beside it is read with it.

    Raises
    ------
    SpecError
        With every problem found.
    """
    if not NAME.match(path.stem):
        raise SpecError(
            path.name, ["the file's name must be lower-case letters, digits and _, then .yaml"]
        )
    document = read_document(path)
    written = document.data
    if "curated" in written:
        raise SpecError(
            path.name,
            [f"curated: is not written here; write {path.stem}{SCHEMA_SUFFIX} instead"],
            [document.line_of(["curated"])],
        )
    written.setdefault("name", path.stem)
    if written["name"] != path.stem:
        raise SpecError(
            path.name,
            [f"name: must equal the file's name {path.stem!r}; it is another"],
            [document.line_of(["name"])],
        )
    schema = path.with_name(path.stem + SCHEMA_SUFFIX)
    if schema.is_file():
        written["curated"] = _validated(TableSchema, read_document(schema), schema.name)
    return _validated(PipelineSpec, document, path.name)


_VALIDATOR = re.compile(r"function-(after|before|plain|wrap)\[")
"""A validator in the place of an error, as pydantic names it."""

_PLAINLY = {
    "tuple_type": "is a list",
    "model_type": "is a mapping of field names to values",
    "string_type": "is text; a number stands in quotes",
}
"""What pydantic says in Python's words."""

Model = typing.TypeVar("Model", bound=Frozen)


def _validated(model: type[Model], document: Document, where: str) -> Model:
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise spec_error(where, model, error, document) from None


def spec_error(
    where: str, model: type[BaseModel], error: ValidationError, document: Document
) -> SpecError:
    """Every mistake of a document as one error, each with its line."""
    problems = problems_of(model, error)
    lines = [
        document.line_of([str(part) for part in details["loc"]] or _named_in(problem))
        for details, problem in zip(error.errors(include_url=False), problems, strict=True)
    ]
    return SpecError(where, problems, lines)


def error_found_later(
    path: Path, problems: Sequence[str], fields: Mapping[str, str] | None = None
) -> SpecError:
    """Mistakes that only the data or the environment shows, each at the line of its field.

    Parameters
    ----------
    path : Path
        The spec.
    problems : sequence of str
        Most begin with the field that they are about.
    fields : mapping, optional
        Problem that does not → the field it is about; what is in neither way about one has no line.
    """
    document = read_document(path)
    lines = []
    for problem in problems:
        named = (fields or {}).get(problem)
        parts = named.split(".") if named else _named_in(problem)
        known = parts[0] in PipelineSpec.model_fields
        lines.append(document.line_of(_places(document.data, parts, problem)) if known else None)
    return SpecError(path.name, problems, lines)


def _places(data: Any, parts: Sequence[str], problem: str) -> list[str]:
    """A path in which the items of lists have places: by their name, or by a column named."""
    found: list[str] = []
    for name in parts:
        part = name
        if isinstance(data, list):
            place = next((n for n, item in enumerate(data) if _is_called(item, name)), None)
            part = name if place is None else str(place)
        found.append(part)
        if isinstance(data, list):
            data = data[int(part)] if part.isdigit() and int(part) < len(data) else None
        else:
            data = data.get(part) if isinstance(data, dict) else None
    if isinstance(data, list):
        found += [str(n) for n, item in enumerate(data) if f"column {item!r}" in problem][:1]
    return found


def _is_called(item: Any, name: str) -> bool:
    return isinstance(item, dict) and item.get("name") == name


def _named_in(problem: str) -> list[str]:
    """The field that a mistake of the whole begins with: ``gate.metric: 'rms' is no metric …``."""
    return re.split(r"[^\w.]", problem.removeprefix("the spec: "), maxsplit=1)[0].split(".")


def problems_of(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Every mistake with its field path and a suggestion."""
    return [_problem(model, details) for details in error.errors(include_url=False)]


def _problem(model: type[BaseModel], details: ErrorDetails) -> str:
    place = _place([str(part) for part in details["loc"]], model)
    message = details["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if details["type"] == "extra_forbidden":
        message = _no_field(place)
    elif details["type"] == "missing":
        message = "is required"
        if place.path == ["gate"]:
            message += ": a pipeline says what better means, such as superior_by: 1%"
    elif details["type"] in _PLAINLY:
        message = _PLAINLY[details["type"]]
    return f"{'.'.join(_as_written(place.path)) or 'the spec'}: {message}"


def _as_written(path: list[str]) -> list[str]:
    """A field path in the words of a spec, where a group of conditions is a plain list."""
    if path[:1] != ["triggers"]:
        return path
    return ["k of n" if part == "some" else part for part in path if part != "conditions"]


@dataclass(frozen=True)
class _Kind:
    """Where alternatives stand: the one that was written, and all of them."""

    written: str
    models: dict[str, type[BaseModel]]


@dataclass(frozen=True)
class _Place:
    """Where a mistake is."""

    path: list[str]
    """As an author wrote it."""
    models: list[type[BaseModel]]
    """Those that may hold the last part of the path."""
    kind: _Kind | None


def _place(loc: list[str], model: type[BaseModel]) -> _Place:
    """Read pydantic's location, which also names validators, and kinds that nobody wrote."""
    path: list[str] = []
    models, kind = [model], None
    alternatives: dict[str, type[BaseModel]] = {}
    for number, part in enumerate(loc):
        if _VALIDATOR.match(part):
            continue
        if part in alternatives:
            models, kind = [alternatives[part]], _Kind(part, alternatives)
            alternatives = {}
            continue
        path.append(part)
        if number == len(loc) - 1:
            break
        found = [one.model_fields[part] for one in models if part in one.model_fields]
        named = [one for one in models if _tag_of(one) == part]
        if found:
            alternatives = _tagged(found[0].annotation)
            models = [inner for field in found for inner in _models_in(field.annotation)]
            kind = None
        elif named:
            models = named
        # What is neither is a list's index or a mapping's key: the models stay the same.
    return _Place(path, models, kind)


def _no_field(place: _Place) -> str:
    name, kind = place.path[-1], place.kind
    if kind is not None:
        others = [tag for tag, model in kind.models.items() if name in model.model_fields]
        if others:
            return f"is no field of a {kind.written} source; it belongs to {' and '.join(others)}"
    known = list(_fields_of(place))
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known[:12])}"
    return f"is no field here; {hint}"


def _fields_of(place: _Place) -> Iterator[str]:
    in_triggers = place.path[:1] == ["triggers"]
    for one in place.models:
        fields = (each for each in one.model_fields.items() if each[0] != "kind" or not in_triggers)
        names = (field.alias or name for name, field in fields)
        yield from ("2 of 3" if name == "some" else name for name in names)


def _tagged(annotation: Any) -> dict[str, type[BaseModel]]:
    """Tag → model, of a union whose tags nobody writes."""
    found = {}
    for argument in typing.get_args(annotation):
        tags = [item for item in typing.get_args(argument)[1:] if isinstance(item, Tag)]
        if tags:
            found[tags[0].tag] = typing.get_args(argument)[0]
    return found


def _tag_of(model: type[BaseModel]) -> object:
    """What names a model among the alternatives of a discriminated union."""
    kind = model.model_fields.get("kind")
    return kind.default if kind else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in typing.get_args(annotation) for one in _models_in(part)]
