"""The model families a spec may name: each is a file of this folder, and the folder is the list."""

from __future__ import annotations

import pkgutil
from difflib import get_close_matches
from importlib import import_module

from everfit.contracts.spec.family import Family


def _found() -> dict[str, Family]:
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").FAMILY for name in names}


FAMILIES: dict[str, Family] = _found()
"""Name → family, in the order of the names."""


def family_problem(name: str) -> str | None:
    """Say that no built-in family has that name, and which may be meant; None where one has it.

    Examples
    --------
    >>> family_problem("random_forrest")
    "'random_forrest' is no built-in family and names no estimator; did you mean 'random_forest'?"
    >>> family_problem("linear") is None
    True
    """
    if name in FAMILIES:
        return None
    near = get_close_matches(name, FAMILIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"built in: {', '.join(FAMILIES)}"
    return f"{name!r} is no built-in family and names no estimator; {hint}"
