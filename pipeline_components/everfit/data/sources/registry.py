"""The source types that are installed: modules of this package with a class that has a kind."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from difflib import get_close_matches
from types import ModuleType

from everfit.contracts.errors import SourceError
from everfit.data import sources
from everfit.data.sources.source import Source


def source_type(kind: str) -> type[Source]:
    """The class that reads sources of a kind; a module of that name is all that is imported.

    Raises
    ------
    SourceError
        If there is none; says what is near.
    """
    module = re.sub(r"\W", "_", kind)
    if module in _modules():
        for found in _types_in(_import(module)):
            if found.kind == kind:
                return found
    known = source_types()
    if kind in known:
        return known[kind]
    near = get_close_matches(kind, known, n=1)
    raise SourceError(
        "SOURCE-KIND",
        "source.uri",
        f"a source is of a kind that is installed: {', '.join(sorted(known))}",
        f"it is {kind!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        "Write a path, s3://bucket/prefix, https://… or sql with a connection and a query, or add "
        "the kind as a module of everfit/data/sources (ARCHITECTURE.md)",
    )


def source_types() -> dict[str, type[Source]]:
    """Kind → class, of every source type there is."""
    return {found.kind: found for name in _modules() for found in _types_in(_import(name))}


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(sources.__path__)]


def _import(name: str) -> ModuleType:
    return importlib.import_module(f"{sources.__name__}.{name}")


def _types_in(module: ModuleType) -> Iterator[type[Source]]:
    for found in vars(module).values():
        ours = isinstance(found, type) and found.__module__ == module.__name__
        if ours and issubclass(found, Source) and "kind" in vars(found):
            yield found
