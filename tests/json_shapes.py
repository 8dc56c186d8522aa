"""The documents of the command line, checked against the types that describe them."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel


def is_documented(annotation: Any) -> bool:
    """Whether an annotation describes a JSON document down to its plain values."""
    if typing.is_typeddict(annotation):
        return all(map(is_documented, typing.get_type_hints(annotation).values()))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return bool(annotation.model_fields)
    if typing.get_origin(annotation) is typing.Literal:
        return True
    inner = [one for one in typing.get_args(annotation) if one is not Ellipsis]
    return all(map(is_documented, inner)) if inner else annotation in _PLAIN


_PLAIN: tuple[Any, ...] = (str, int, float, bool, type(None), Any, object)


def mismatch(value: Any, annotation: Any, where: str = "$") -> str | None:
    """Where a JSON value first differs from what the annotation says; None where it does not."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, object):
        return None
    if origin in (typing.Union, types.UnionType):
        found = [mismatch(value, one, where) for one in inner]
        return None if None in found else found[0]
    if origin is typing.Literal:
        return None if value in inner else f"{where} is {value!r}"
    if origin is list:
        if not isinstance(value, list):
            return f"{where} is no list"
        return next(filter(None, (mismatch(v, inner[0], f"{where}[]") for v in value)), None)
    if origin is dict:
        if not isinstance(value, dict):
            return f"{where} is no mapping"
        return next(
            filter(None, (mismatch(v, inner[1], f"{where}.*") for v in value.values())), None
        )
    if typing.is_typeddict(annotation):
        return _fields(value, annotation, where)
    if issubclass(annotation, BaseModel):
        read = annotation.model_validate_json(_json(value)).model_dump(mode="json")
        return None if read == value else f"{where} is {value!r}"
    kinds = (int, float) if annotation is float else annotation
    right = isinstance(value, kinds) and (annotation is bool or not isinstance(value, bool))
    return None if right else f"{where} is {value!r}, not {annotation}"


def _fields(value: Any, annotation: Any, where: str) -> str | None:
    hints = typing.get_type_hints(annotation)
    if not isinstance(value, dict):
        return f"{where} is {value!r}, not {annotation.__name__}"
    if set(value) != set(hints):
        return f"{where} has {sorted(value)}, not {sorted(hints)}"
    found = (mismatch(value[name], hint, f"{where}.{name}") for name, hint in hints.items())
    return next(filter(None, found), None)


def _json(value: Any) -> str:
    import json

    return json.dumps(value)
