"""Everfit: continuous training for tabular models.

``import everfit`` costs next to nothing: what it offers is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everfit import errors
    from everfit.api import Champion, Picture, Pipeline, Run, StepOutput, pipeline

    __version__: str

__all__ = [
    "Champion",
    "Picture",
    "Pipeline",
    "Run",
    "StepOutput",
    "__version__",
    "errors",
    "pipeline",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "__version__":
        return import_module("everfit.contracts.version").VERSION
    if name == "errors":
        return import_module("everfit.errors")
    if name in __all__:
        return getattr(import_module("everfit.api"), name)
    raise AttributeError(f"module 'everfit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
