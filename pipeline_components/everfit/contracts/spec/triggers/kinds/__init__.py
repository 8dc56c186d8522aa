"""The trigger kinds, a module each, found by name: a new kind is a new module here.

``docs/explanation/triggers.md`` says how to add one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from everfit.contracts.spec.triggers.kind import TriggerKind

DUE = "due"
"""The signal of the clock, of staleness and of an unfinished run."""

STALENESS = "staleness"
"""What an evaluation of ``max_staleness`` is called, beside those of the kinds."""


def _kinds() -> Iterator[type[TriggerKind]]:
    for module in sorted(pkgutil.iter_modules(__path__, f"{__name__}."), key=lambda m: m.name):
        found = [
            one
            for one in vars(importlib.import_module(module.name)).values()
            if isinstance(one, type)
            and issubclass(one, TriggerKind)
            and one.__module__ == module.name
        ]
        name = module.name.rpartition(".")[2]
        if [one.model_fields["kind"].default for one in found] != [name]:
            raise TypeError(f"{module.name} must hold one TriggerKind, with {name!r} as its kind")
        yield found[0]


KINDS: dict[str, type[TriggerKind]] = {one.model_fields["kind"].default: one for one in _kinds()}
"""Name → kind, in the order of the names."""

SIGNALS: tuple[str, ...] = tuple(dict.fromkeys((*(k.signal for k in KINDS.values()), DUE)))
"""What the training can be woken for."""


def may_hold_back(name: str) -> bool:
    """Whether an evaluation of that name is of what holds a training back, and of no condition."""
    return name not in KINDS and name != STALENESS
