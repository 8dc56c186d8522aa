"""Triggers: what may wake a pipeline, as a spec says it.

``kinds/`` holds the kinds of condition, a file each: what a spec writes, when it fires, its words.
"""

from everfit.contracts.spec.triggers.trigger_spec import Budget, TriggerSpec

__all__ = ["Budget", "TriggerSpec"]
