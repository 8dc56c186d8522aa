"""Reading a pipeline's YAML: every mistake at once, each with its field path and a suggestion."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .base import Frozen
from .errors import SpecError, UserError, shortlist
from .spec import PipelineSpec
from .table_schema import TableSchema

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # a PyYAML without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

MAX_BYTES = 64 * 1024
"""Size of a spec; a larger file is refused unread."""
MAX_DEPTH = 12
"""Nesting of a spec."""
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
            "NAME", repr(name), "a pipeline's name is lower-case letters, digits and _",
            todo="Give the name of a file in dags/pipelines without .yaml",
        )  # fmt: skip
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
    document = read_yaml(path)
    if "curated" in document:
        raise SpecError(
            path.name, [f"curated: is not written here; write {path.stem}{SCHEMA_SUFFIX} instead"]
        )
    document.setdefault("name", path.stem)
    if document["name"] != path.stem:
        raise SpecError(
            path.name, [f"name: must equal the file's name {path.stem!r}; it is another"]
        )
    schema = path.with_name(path.stem + SCHEMA_SUFFIX)
    if schema.is_file():
        document["curated"] = _validated(TableSchema, read_yaml(schema), schema.name)
    return _validated(PipelineSpec, document, path.name)


def read_yaml(path: Path) -> dict[str, Any]:
    """One mapping from a small, plain YAML file.

    Raises
    ------
    SpecError
        If it is too large or deep, malformed, uses aliases, repeats a key or is no mapping.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(path.name, [f"a spec has at most {MAX_BYTES // 1024} KiB"])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(path.name, [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise SpecError(path.name, ["must be UTF-8 text"]) from error
    # The C parser recurses with the document; flow nesting is bounded before it sees the text.
    if max(text.count("["), text.count("{")) > 500:
        raise SpecError(path.name, ["holds too many brackets for a spec"])
    try:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _check_node(path.name, node, set(), 0)
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise SpecError(path.name, [_yaml_problem(error)]) from error
    except (ValueError, RecursionError) as error:
        raise SpecError(path.name, ["holds a value that YAML cannot read"]) from error
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise SpecError(path.name, ["must be a mapping of field names to values"])
    return data


_BOOLEAN, _TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"


def _check_node(where: str, node: yaml.Node, seen: set[int], depth: int) -> None:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise SpecError(where, [f"line {line}: anchors and aliases are not allowed in a spec"])
    seen.add(id(node))
    if depth > MAX_DEPTH:
        raise SpecError(where, [f"line {line}: is nested more than {MAX_DEPTH} levels deep"])
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys if isinstance(key, yaml.ScalarNode) else False:
                raise SpecError(
                    where, [f"line {key.start_mark.line + 1}: {key.value!r} stands here twice"]
                )
            if isinstance(key, yaml.ScalarNode):
                keys.add(key.value)
                if key.tag == _BOOLEAN:  # YAML 1.1 reads the field name `on` as true
                    key.tag = _TEXT
            _check_node(where, key, seen, depth + 1)
            _check_node(where, value, seen, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _check_node(where, child, seen, depth + 1)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "is not YAML"
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


_PLAINLY = {
    "tuple_type": "is a list",
    "model_type": "is a mapping of field names to values",
    "string_type": "is text; a number stands in quotes",
}
"""What pydantic says in Python's words."""

Model = typing.TypeVar("Model", bound=Frozen)


def _validated(model: type[Model], document: Any, where: str) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise SpecError(where, problems_of(model, error)) from None


def problems_of(model: type[BaseModel], error: ValidationError) -> list[str]:
    """Every mistake with its field path and a suggestion."""
    return [_problem(model, details) for details in error.errors(include_url=False)]


def _problem(model: type[BaseModel], details: ErrorDetails) -> str:
    path = [str(part) for part in details["loc"] if not str(part).startswith("function-")]
    message = details["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if details["type"] == "extra_forbidden":
        message = "is no field here"
        known = list(_fields_at(model, path[:-1]))
        near = get_close_matches(path[-1], known, n=1)
        message += f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known[:12])}"
    elif details["type"] == "missing":
        message = "is required"
        if path == ["gate"]:
            message += ": a pipeline says what better means, such as superior_by: 1%"
    elif details["type"] in _PLAINLY:
        message = _PLAINLY[details["type"]]
    written = ".".join(path).replace("some.conditions", "k of n")
    return f"{written or 'the spec'}: {message}"


def _fields_at(model: type[BaseModel], path: list[str]) -> Iterator[str]:
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            # What is no field is a list's index or a mapping's key: the model stays the same.
            current = _model_in(field.annotation) if field else current
    if isinstance(current, type) and issubclass(current, BaseModel):
        names = (field.alias or name for name, field in current.model_fields.items())
        yield from ("2 of 3" if name == "some" else name for name in names)


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
