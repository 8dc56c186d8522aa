"""Boosting libraries as estimators: each is a file of this folder, and the folder is the list.

A fitted one holds its parameters, its classes and the library's own text of its trees, so that a
model file needs to trust nothing of the library.
"""

from __future__ import annotations

import pkgutil

BOOSTERS: tuple[str, ...] = tuple(
    sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "booster")
)
"""Libraries, by the name their package is imported by."""

BOOSTER_TYPES: tuple[str, ...] = tuple(
    f"{__name__}.{name}.{kind}" for name in BOOSTERS for kind in ("Regressor", "Classifier")
)
"""The estimators a model file may hold."""
