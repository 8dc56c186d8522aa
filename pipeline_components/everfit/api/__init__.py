"""Pipelines from Python: what ``import everfit`` offers."""

from __future__ import annotations

from everfit.api.champion import Champion
from everfit.api.pipeline import Pipeline, pipeline
from everfit.api.plots import Picture
from everfit.api.run import Run
from everfit.api.step_output import StepOutput

__all__ = ["Champion", "Picture", "Pipeline", "Run", "StepOutput", "pipeline"]
