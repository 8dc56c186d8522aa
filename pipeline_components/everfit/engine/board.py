"""After a step that changes what people see of a pipeline, its board is made anew."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from everfit.contracts.messages.steps import Component
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context

AFTER: tuple[Component, ...] = (
    "plan",
    "monitor",
    "gate",
    "register",
    "fall_back",
    "promote",
    "reconcile",
)
"""The steps that change it."""

Publish = Callable[[PipelineSpec, Context], None]


def publish_after(component: Component, spec: PipelineSpec, context: Context) -> None:
    """Publish the board where the step has changed it; imported only now, as steps are."""
    if component in AFTER and context.is_real:
        publish: Publish = importlib.import_module("everfit.operations.board").publish_board
        publish(spec, context)
