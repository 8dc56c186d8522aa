"""What one step made, with its tables as frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    import pandas as pd

    from everfit.contracts.messages.steps import Outcome
    from everfit.engine.context import Context


@dataclass(frozen=True)
class StepOutput:
    """What one step made.

    Attributes
    ----------
    component : str
    frame : DataFrame or None
        Its table, of a step that makes one: the spans' rows of extract, the training table of
        prepare.
    holdout : DataFrame or None
        Of prepare: the rows the candidate is judged on.
    result : pydantic model
        Its whole result.
    cached : bool
        Whether an earlier result was used.
    """

    component: str
    frame: pd.DataFrame | None
    holdout: pd.DataFrame | None
    result: BaseModel
    cached: bool


def output_of(outcome: Outcome, context: Context) -> StepOutput:
    """A step's result, and its tables as frames."""
    import pandas as pd

    from everfit.contracts.messages.requests import ExtractResult, PrepareResult
    from everfit.data.tables.frames import read_table
    from everfit.engine.step import load_step

    result = load_step(outcome.component).result_type.model_validate_json(
        context.store.get(outcome.result)
    )

    def table(digest: str) -> pd.DataFrame:
        frame = read_table(context.store.local(digest, context.scratch))
        return frame[[name for name in frame.columns if not str(name).startswith("__")]]

    frame = holdout = None
    if isinstance(result, PrepareResult):
        frame, holdout = table(result.train.digest), table(result.holdout.digest)
    elif isinstance(result, ExtractResult):
        parts = {one.span.name: table(one.span.digest) for one in result.snapshots}
        frame = pd.concat(parts, names=["span", "row"]) if parts else None
    return StepOutput(outcome.component, frame, holdout, result, outcome.cached)
