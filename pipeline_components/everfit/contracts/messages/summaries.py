"""What an outcome says of a step's result in a few words and numbers: one model per step.

The result itself is in the store. What is long, and decides nothing, has a default: an outcome with
little room leaves it out (``engine/outcome_size.py``).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.messages.people import Question
from everfit.contracts.messages.planning import Decision, Signal
from everfit.contracts.messages.verdicts import VerdictName


class StepSummary(Frozen):
    """What every summary has."""

    because: str = Field("", description="a sentence, where there is something to explain")

    def shown(self) -> dict[str, str | int | float]:
        """Name → value in words and numbers, for a log or a terminal; nothing that is empty."""
        found: dict[str, str | int | float] = {}
        for name, value in self:
            plain = ", ".join(map(str, value)) if isinstance(value, tuple) else value
            if name != "component" and isinstance(plain, str | int | float) and plain != "":
                found[name] = plain
        return found


class PlanSummary(StepSummary):
    """The decision and how many spans it is about."""

    component: Literal["plan"] = "plan"
    decision: Decision
    window: int = Field(description="spans")
    holdout: int = Field(description="spans")
    left_out: int = Field(description="spans")
    notes: tuple[str, ...] = Field(
        (), description="the first few of what was left out, and why, a sentence each"
    )
    run_key: str = Field("", description="its beginning, where every span is already known")
    detectable: str = Field("", description="what the holdout can tell, where known")
    wakes: tuple[Signal, ...] = Field((), description="what to wake the training for")


class ExtractSummary(StepSummary):
    """What was read."""

    component: Literal["extract"] = "extract"
    spans: int
    rows: int
    bytes: int
    refused: int = Field(description="spans")
    first_refusal: str = ""
    notes: tuple[str, ...] = Field(
        (), description="what was found in the spans and what of them was left out"
    )
    logged_predictions: int | None = Field(None, description="rows, where any were read")


class ValidateSummary(StepSummary):
    """Spans and findings, counted."""

    component: Literal["validate"] = "validate"
    good: int = Field(description="spans")
    quarantined: int = Field(description="spans")
    errors: int
    warnings: int
    remarks: int
    run_key: str = Field(description="its beginning")
    findings: tuple[str, ...] = Field(
        (), description="what a person should read: errors, and columns that were read oddly"
    )


class PrepareSummary(StepSummary):
    """Rows on each side, and rows left out."""

    component: Literal["prepare"] = "prepare"
    rows_train: int
    rows_holdout: int
    features: int
    dropped: int = Field(description="rows")
    left_out: dict[str, int] = Field(default_factory=dict, description="reason → rows dropped")
    rows_read: int = Field(0, description="rows of all good spans")
    run_key: str = Field(description="its beginning")


class TrainSummary(StepSummary):
    """One family's best setting."""

    component: Literal["train"] = "train"
    family: str
    cv_score: float
    trials: int
    rows: int


class EvaluateSummary(StepSummary):
    """Candidate and baseline on the holdout; without scores where a model gave no finite ones."""

    component: Literal["evaluate"] = "evaluate"
    candidate: str = Field(description="model family")
    baseline: str
    rows: int
    metric: str = ""
    score: float | None = None
    baseline_score: float | None = None
    gain: float | None = Field(None, description="positive: the candidate is better")
    low: float | None = None
    high: float | None = None
    not_finite: int | None = Field(None, description="findings, where there are no scores")


class GateSummary(StepSummary):
    """The verdict."""

    component: Literal["gate"] = "gate"
    verdict: VerdictName
    checks_failed: tuple[str, ...] = Field((), description="codes of those that prevent promotion")
    warnings: tuple[str, ...] = Field((), description="titles of the checks that warn")


class RefitSummary(StepSummary):
    """The model fitted on the holdout too."""

    component: Literal["refit"] = "refit"
    family: str = Field("", description="empty where no model was made")
    rows: int | None = Field(None, description="of window and holdout")


class RegisterSummary(StepSummary):
    """Which version the run has, and which serves."""

    component: Literal["register"] = "register"
    version: int | None = Field(description="None where the verdict was not promote")
    refit: int | None = Field(
        None, description="the version whose model was fitted on the holdout too, where asked for"
    )
    champion: int | None = Field(description="the version that serves now")
    mlflow_run: str
    superseded: bool = Field(
        description="another run was promoted meanwhile: the version stays a challenger"
    )
    awaits: Literal["", "observe", "approval"] = Field(
        description="why the version is not promoted by itself, where it is not"
    )


class WatchSummary(StepSummary):
    """What there is to do for monitoring."""

    component: Literal["watch"] = "watch"
    spans: int = Field(description="to be read")
    evaluate: int = Field(description="spans the champion is to be evaluated on")
    champion: int | None = Field(description="version")


class Worse(Frozen):
    """How much worse the champion scores on the newest span than on its own holdout."""

    metric: str
    worse: float = Field(description="positive: worse; in the metric's unit")
    source: Literal["measured", "estimate", "as_served"] = Field(
        "measured",
        description="estimate: no labels yet; as_served: of the predictions that were logged",
    )

    def __str__(self) -> str:
        """Read aloud."""
        mark = "" if self.source == "measured" else f" ({self.source.replace('_', ' ')})"
        return f"{self.metric} worse by {self.worse}{mark}"


class MonitorSummary(StepSummary):
    """The newest span: what drifted, and how much worse the champion is on it."""

    component: Literal["monitor"] = "monitor"
    spans: int
    champion: int = Field(description="version")
    newest: str = Field(description="name of the newest span")
    state: Literal["measured", "broken", "too_small"]
    inputs: float = Field(description="largest drift score of a column the champion depends on")
    drifted: tuple[str, ...] = Field((), description="columns, the most drifted first; at most 5")
    rises: tuple[Worse, ...] = ()


class FallBackSummary(StepSummary):
    """Whether the judged model serves again."""

    component: Literal["fall_back"] = "fall_back"
    champion: int = Field(description="the version that serves now")
    before: int | None = Field(None, description="the refit it was gone back from")


class DriftReportSummary(StepSummary):
    """Who made the page."""

    component: Literal["drift_report"] = "drift_report"
    evidently: bool = Field(description="whether Evidently made it")
    left_out: str = Field("", description="columns it could not compare")
    mlflow_run: str = ""


class ScoreSummary(StepSummary):
    """What was scored, and what could not be."""

    component: Literal["score"] = "score"
    scored: int = Field(description="spans")
    rows: int
    already: int = Field(description="spans whose predictions were there")
    refused: int = Field(description="spans")
    unscored: int = Field(description="rows for which the model gave no finite number")
    versions: tuple[int, ...] = Field(description="that scored")
    output: str
    first_refusal: str = ""
    notes: tuple[str, ...] = Field(
        (), description="cells that could not be read and texts that training did not have"
    )


class PromoteSummary(StepSummary):
    """Which version it was about, and which serves now."""

    component: Literal["promote"] = "promote"
    version: int
    champion: int | None = Field(description="the version that serves now")
    state: Literal["champion", "waiting", "refused", "superseded"]
    question: Question | None = Field(None, description="what a person is asked")


class ReconcileSummary(StepSummary):
    """What was put right, and what a person must do; the log has all of it."""

    component: Literal["reconcile"] = "reconcile"
    pipeline: str
    repaired_total: int
    for_a_person_total: int
    versions: int
    artifacts: int
    repaired: tuple[str, ...] = Field((), description="a sentence each; at most 20")
    for_a_person: tuple[str, ...] = Field((), description="a line each; at most 20")


Summary = Annotated[
    PlanSummary
    | ExtractSummary
    | ValidateSummary
    | PrepareSummary
    | TrainSummary
    | EvaluateSummary
    | GateSummary
    | RefitSummary
    | RegisterSummary
    | WatchSummary
    | MonitorSummary
    | FallBackSummary
    | DriftReportSummary
    | ScoreSummary
    | PromoteSummary
    | ReconcileSummary,
    Field(discriminator="component"),
]
"""Told apart by ``component``."""
