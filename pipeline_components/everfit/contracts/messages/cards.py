"""The model card as values: evaluate writes it, and whoever shows the model draws it."""

from __future__ import annotations

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, PipelineName
from everfit.contracts.messages.evidence import (
    Calibration,
    FairnessGap,
    ImportanceGroup,
    SliceScore,
    SliceSearch,
)
from everfit.contracts.messages.training import Weights
from everfit.contracts.messages.verdicts import Comparison, Estimate
from everfit.contracts.spec.metrics import Task


class CardTable(Frozen):
    """A table that the model was trained on or evaluated on."""

    use: str = Field(description="``training`` or ``holdout``")
    rows: int
    digest: Digest
    first: str | None = Field(None, description="earliest time in it, where there is a time column")
    last: str | None = Field(None, description="latest time in it")


class ModelCard(Frozen):
    """What a candidate is, what it was trained and evaluated on, and its limits.

    References
    ----------
    .. [1] Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
    """

    pipeline: PipelineName
    description: str
    task: Task
    target: str
    unit: str | None = Field(None, description="of the target's numbers")
    classes: tuple[str, ...] = Field((), description="empty for a regression")
    family: str
    parameters: dict[str, str] = Field(description="name → value as JSON")
    settings_tried: int
    rows_fitted: int
    size: int = Field(description="bytes of the model")
    tables: tuple[CardTable, ...]
    features: tuple[str, ...]
    dropped: dict[str, int] = Field(description="reason → rows left out beforehand")
    weights: Weights | None = Field(
        None,
        exclude_if=lambda weights: weights is None,
        description="None: every row counts the same",
    )
    metric: str
    baseline: str = Field(description="``champion v3`` or the dummy's name")
    dummy: str
    confidence: float
    rows_scored: int
    scores: dict[str, dict[str, Estimate]] = Field(
        description="candidate | baseline | dummy | family:<name> → metric → estimate"
    )
    comparison: Comparison | None
    slices: tuple[SliceScore, ...]
    search: SliceSearch | None
    calibration: Calibration | None
    fairness: tuple[FairnessGap, ...]
    importances: dict[str, float] = Field(
        description="feature → permutation importance, of those that were shuffled alone"
    )
    importance_groups: tuple[ImportanceGroup, ...] = Field(
        (), description="of features shuffled together; the most important first"
    )
    limitations: tuple[str, ...] = Field(description="sentences")
    run_key: Digest
    model: Digest
    seed: int
    threads: int
    row_loss: str
    environment: dict[str, str] = Field(description="Python, machine and library versions")
