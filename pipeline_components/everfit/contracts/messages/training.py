"""Request and result of train, and of refit, which fits the winner's settings on all rows."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.verdicts import VerdictName
from everfit.contracts.spec.metrics import Task
from everfit.contracts.spec.pipeline import FeatureSpec
from everfit.contracts.spec.train import FamilySpec


class ColumnRole(Frozen):
    """A column of the prepared tables."""

    name: str
    type: str = Field(description="integer, float, string, boolean or timestamp")
    role: Literal["feature", "target", "time", "entity", "key", "kept"] = Field(
        description="only features are shown to a model"
    )
    distinct: int | None = Field(None, description="distinct training values of a string column")


class Weights(Frozen):
    """How the rows of the prepared tables are weighted."""

    by: str = Field(description="the spec's ``weight``")
    train: float = Field(description="rows of equal weight that the training table is worth")
    holdout: float = Field(description="the same of the holdout")


class TrainRequest(Frozen):
    """Fit one family."""

    task: Task
    metric: str
    target: str
    classes: tuple[str, ...] | None
    positive: str | int | float | bool | None = None
    train: Artifact
    columns: tuple[ColumnRole, ...]
    time: str | None
    entity: tuple[str, ...]
    features: FeatureSpec
    family: FamilySpec
    trials: int
    folds: int
    search_rows: int
    seed: int
    threads: int


class Trial(Frozen):
    """One parameter setting and its cross-validated score."""

    params: dict[str, Any]
    score: float | None = Field(
        description="mean over the folds it was scored on; None where one failed"
    )
    spread: float | None = Field(description="standard deviation over folds")
    folds: int = Field(
        0, description="folds it was scored on: fewer than there are where others were better"
    )


class TrainResult(Frozen):
    """A fitted model in canonical skops bytes."""

    family: str
    model: Artifact
    params: dict[str, Any]
    cv_score: float
    trials: tuple[Trial, ...]
    trusted: tuple[str, ...] = Field(description="types the file holds beyond skops' defaults")
    rows: int


class RefitRequest(Frozen):
    """Fit the accepted candidate's settings once more, on the holdout's rows as well."""

    run_key: Digest
    verdict: VerdictName
    judged: TrainResult = Field(description="the candidate that was judged")
    fit: TrainRequest = Field(description="what it was fitted by")
    holdout: Artifact = Field(description="the holdout table; its rows are later in time")
    sample: Artifact = Field(description="raw holdout rows that a server predicts when it starts")


class RefitResult(Frozen):
    """The model fitted on window and holdout; none where there is no use for it."""

    because: str = Field(description="what was done, or why nothing was")
    model: TrainResult | None = Field(None, description="None: the judged model serves")
    train: Artifact | None = Field(None, description="the table it was fitted on")
    predictions: Artifact | None = Field(
        None, description="JSON: its predictions of the sample, as ``EvaluateResult.predictions``"
    )
