"""Finds the gate's checks: one in every module of ``checks/``, in the order they declare."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from everfit.steps.gate import checks
from everfit.steps.gate.check import GateCheck


@cache
def built_in_checks() -> tuple[GateCheck, ...]:
    """The ``CHECK`` of every module in ``everfit/steps/gate/checks/``, by ``position``.

    Raises
    ------
    TypeError
        If a module there holds no ``GateCheck`` of that name.
    ValueError
        If two have one code or one position, or one needs a check that does not run before it.
    """
    found = []
    for module in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}."):
        one = getattr(importlib.import_module(module.name), "CHECK", None)
        if not isinstance(one, GateCheck):
            raise TypeError(f"{module.name} must hold a GateCheck named CHECK")
        found.append(one)
    return in_order(found)


def in_order(found: list[GateCheck]) -> tuple[GateCheck, ...]:
    """Checks by ``position``; see ``built_in_checks`` for what is refused."""
    ordered = sorted(found, key=lambda one: one.position)
    earlier: dict[str, int] = {}
    for one in ordered:
        if one.code in earlier or one.position in earlier.values():
            raise ValueError(f"code and position of the gate check {one.code} must be its own")
        if late := [code for code in one.needs if code not in earlier]:
            raise ValueError(f"gate check {one.code} needs {late[0]}, which must run before it")
        earlier[one.code] = one.position
    return tuple(ordered)
