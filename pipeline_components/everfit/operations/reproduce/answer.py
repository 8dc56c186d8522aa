"""What a reproduction answers: how far each step came out as it was recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.wording import number

StepName = Literal[
    "snapshots", "columns", "training table", "holdout table", "model", "refitted model"
]

NEAR = 1e-6
"""Largest difference of predictions, relative to the largest of them, that rounding explains."""


class RebuildStep(Frozen):
    """One step done again, beside what was recorded of it."""

    name: StepName
    state: Literal["same", "equal", "differs"] = Field(
        description="same bytes; same values in other bytes, or near ones; anything else"
    )
    told: str = Field(description="a sentence with counts")
    differs: tuple[str, ...] = Field((), description="what differs, a line each")


class Apart(Frozen):
    """How far two models' predictions of the same rows are apart."""

    rows: int
    of: Literal["holdout", "sample"] = Field(description="which recorded rows were predicted")
    absolute: float = Field(description="largest difference, in the unit of the predictions")
    relative: float = Field(description="the same, divided by the largest recorded prediction")


class Rebuilt(Frozen):
    """What the process that rebuilt the version found."""

    run_key: Digest
    steps: tuple[RebuildStep, ...] = Field(description="up to the first that differs")
    recorded: Digest = Field(description="of the model on record")
    found: Digest | None = Field(None, description="of the rebuilt model")
    apart: Apart | None = Field(None, description="where the models' bytes differ")
    threads: int
    seconds: float

    @property
    def diverged(self) -> RebuildStep | None:
        """The first step that came out otherwise."""
        return next((step for step in self.steps if step.state == "differs"), None)


class Reproduction(Frozen):
    """The answer about a version."""

    pipeline: str
    version: int
    answer: Literal["bit-identical", "numerically equal", "diverged"]
    because: str = Field(description="a sentence")
    how: str = Field(description="with which code and environment")
    rebuilt: Rebuilt


def answered(pipeline: str, version: int, how: str, rebuilt: Rebuilt) -> Reproduction:
    """The answer to what was found."""
    answer, because = _answer(rebuilt)
    return Reproduction(
        pipeline=pipeline, version=version, answer=answer, because=because, how=how, rebuilt=rebuilt
    )


def _answer(
    rebuilt: Rebuilt,
) -> tuple[Literal["bit-identical", "numerically equal", "diverged"], str]:
    if (step := rebuilt.diverged) is not None:
        return "diverged", f"the first step that differs is the {step.name}: {step.told}"
    if rebuilt.found == rebuilt.recorded:
        return "bit-identical", f"the rebuilt model has the recorded digest {rebuilt.recorded[:12]}"
    apart = rebuilt.apart
    if apart is None:  # nothing was compared: never taken for a success
        return "diverged", "the rebuilt model has another digest, and was not compared"
    return (
        "numerically equal",
        f"within {number(apart.absolute)} ({number(apart.relative)} of the largest prediction) "
        f"over {apart.rows:,} rows of the {apart.of}; the model's bytes differ",
    )
