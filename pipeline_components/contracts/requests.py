"""Request and result of each component, in the chain's order.

Every request is complete: equal requests give equal results, byte for byte. Results are stored as
canonical JSON under the request's content key and referred to by their own digest.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from .artifacts import Artifact
from .base import Digest, Frozen, PipelineName
from .evidence import Calibration, Disturbed, FairnessGap, SliceScore, SliceSearch
from .gate_spec import FairnessSpec, GateSpec, SliceSpec, StabilitySpec
from .looks import Cost, Look
from .margins import Margin
from .metrics import Task
from .monitor_spec import PredictionLog
from .planning import ChampionRef, Trigger
from .spans import Refusal, Snapshot, Span, SpanRef
from .spec import FeatureSpec, PipelineSpec, SourceSpec
from .steps import Component
from .table_schema import TableSchema
from .train_spec import FamilySpec
from .verdicts import Check, Comparison, Estimate, VerdictName


class ExtractRequest(Frozen):
    """Snapshot these spans."""

    pipeline: PipelineName
    source: SourceSpec
    curated: TableSchema | None
    time: str | None
    spans: tuple[SpanRef, ...]
    log: PredictionLog | None = Field(None, description="where the logged predictions are")
    logged: tuple[SpanRef, ...] = Field((), description="files of logged predictions")


class ExtractResult(Frozen):
    """Snapshots made or found, in the order asked, and the spans refused."""

    snapshots: tuple[Snapshot, ...]
    refused: tuple[Refusal, ...]
    logged: tuple[Snapshot, ...] = Field((), description="of the logged predictions")


class ValidateRequest(Frozen):
    """Judge these spans, then choose window and holdout among the good ones."""

    pipeline: PipelineSpec
    spans: tuple[Span, ...] = Field(description="window then holdout, oldest first")
    champion_window: tuple[Digest, ...] = Field((), description="spans the champion has seen")
    code: Digest
    environment: Digest
    own_checks: dict[str, Digest] = Field(
        default_factory=dict, description="as ``GateRequest.own_checks``; part of the run key"
    )


class Anomaly(Frozen):
    """One strange thing in one span."""

    code: str = Field(description="stable, upper case, documented in docs/anomalies.md")
    severity: Literal["error", "warning", "info"]
    span: str
    column: str | None
    message: str = Field(description="a sentence with counts")


class Stop(Frozen):
    """Why a run ends at validate, in the parts of an error line."""

    code: str
    must: str
    found: str
    todo: str
    mend: bool = Field(
        False, description="true: a person must mend the spec; false: there is nothing to do"
    )


class ValidateResult(Frozen):
    """Which spans are good; the run key is known from here on."""

    run_key: Digest
    window: tuple[Span, ...]
    holdout: tuple[Span, ...]
    quarantined: tuple[Span, ...]
    anomalies: tuple[Anomaly, ...]
    statistics: dict[str, Artifact] = Field(description="span name → statistics JSON")
    report: Artifact = Field(description="self-contained HTML: the data report")
    columns: dict[str, str] = Field(description="column → type, over all good spans")
    stop: Stop | None = Field(None, description="why the run ends here; window and holdout empty")


class PrepareRequest(Frozen):
    """Assemble the training and holdout tables."""

    run_key: Digest
    task: Task
    target: str
    target_expression: str | None
    positive: str | int | float | bool | None
    time: str | None
    entity: tuple[str, ...]
    features: FeatureSpec
    kept_columns: tuple[str, ...] = Field(
        description="read by slices or by the champion; kept, and shown to no candidate"
    )
    columns: dict[str, str]
    window: tuple[Span, ...]
    holdout: tuple[Span, ...]
    fraction: float | None = Field(description="of rows held out, where holdout spans are none")
    champion_train: Artifact | None = Field(
        None, description="the champion's training table: what it has seen is not held out"
    )


class ColumnRole(Frozen):
    """A column of the prepared tables."""

    name: str
    type: str = Field(description="integer, float, string, boolean or timestamp")
    role: Literal["feature", "target", "time", "entity", "kept"] = Field(
        description="only features are shown to a model"
    )
    distinct: int | None = Field(None, description="distinct training values of a string column")


class PrepareResult(Frozen):
    """Two Parquet tables and the proof that they share nothing.

    Both tables hold the columns of ``columns`` and ``__row`` (uint64 row digest), ordered by time
    where there is one, else by row digest. The target keeps its own type (number, boolean or
    string); ``classes`` names its values as text, in the order of scikit-learn's ``classes_``.
    """

    run_key: Digest
    train: Artifact
    holdout: Artifact
    columns: tuple[ColumnRole, ...]
    classes: tuple[str, ...] | None = Field(
        description="class names as text, sorted by value; None: regression"
    )
    rows_train: int
    rows_holdout: int
    dropped: dict[str, int] = Field(description="reason → rows left out")
    proof: Artifact = Field(description="JSON: row digests of both sides, counts, overlaps (0)")


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
    score: float | None = Field(description="mean over folds; None where a fold failed")
    spread: float | None = Field(description="standard deviation over folds")


class TrainResult(Frozen):
    """A fitted model in canonical skops bytes."""

    family: str
    model: Artifact
    params: dict[str, Any]
    cv_score: float
    trials: tuple[Trial, ...]
    trusted: tuple[str, ...] = Field(description="types the file holds beyond skops' defaults")
    rows: int


class EvaluateRequest(Frozen):
    """Score candidates, baseline and champion on the holdout."""

    run_key: Digest
    pipeline: PipelineName
    task: Task
    metric: str
    confidence: float
    baseline: str
    target: str
    classes: tuple[str, ...] | None
    positive: str | int | float | bool | None
    train: Artifact
    holdout: Artifact
    columns: tuple[ColumnRole, ...]
    time: str | None
    entity: tuple[str, ...]
    slices: tuple[SliceSpec, ...]
    models: tuple[TrainResult, ...]
    champion: ChampionRef | None
    seed: int
    threads: int
    intention: Literal["superior_by", "not_worse_than"]
    margin: Margin
    trusted: tuple[str, ...] = Field((), description="import paths of the spec's own estimators")
    description: str = Field("", description="of the pipeline; stands in the model card")
    dropped: dict[str, int] = Field(
        default_factory=dict, description="reason → rows prepare left out; for the model card"
    )
    slice_worse_by: Margin = Field(Margin(value=0.0), description="a slice may be worse by so much")
    find_slices: bool = False
    fairness: tuple[FairnessSpec, ...] = ()
    stability: StabilitySpec = StabilitySpec()


class EvaluateResult(Frozen):
    """Scores, pictures and the row losses the gate tests."""

    candidate: TrainResult = Field(description="the family with the best cross-validated score")
    baseline: str = Field(description="``champion v3`` or the dummy's name")
    scores: dict[str, dict[str, Estimate]] = Field(
        description="candidate | baseline | dummy | family:<name> → metric → estimate"
    )
    comparison: Comparison | None = Field(description="None where it could not be computed")
    slices: tuple[SliceScore, ...]
    rows: int
    losses: Artifact = Field(
        description="Parquet: __row, candidate, baseline (row losses of the primary metric)"
    )
    sample: Artifact = Field(description="Parquet: raw holdout rows for the servability check")
    predictions: Artifact = Field(description="JSON: the candidate's predictions of the sample")
    plots: tuple[Artifact, ...] = Field(description="SVG pictures")
    card: Artifact = Field(description="model card, Markdown")
    importances: dict[str, float] = Field(description="feature → permutation importance")
    not_finite: tuple[str, ...] = Field((), description="what came out NaN or infinite")
    search: SliceSearch | None = Field(None, description="None where none was asked for")
    calibration: Calibration | None = Field(None, description="None for a regression")
    fairness: tuple[FairnessGap, ...] = Field((), description="one per item of the gate's")
    disturbed: tuple[Disturbed, ...] = Field((), description="noise, then each feature missing")


class GateRequest(Frozen):
    """Judge a candidate."""

    run_key: Digest
    pipeline: PipelineName
    gate: GateSpec
    task: Task
    metric: str
    window: tuple[Span, ...]
    holdout: tuple[Span, ...] = Field(description="empty where rows were divided")
    champion: ChampionRef | None
    prepared: PrepareResult
    evaluated: EvaluateResult
    estimators: tuple[str, ...] = Field(
        (), description="import path of the candidate's own estimator, where the spec names one"
    )
    trusted: tuple[str, ...] = Field(
        (), description="import paths of all the spec's own estimators: the champion's is one"
    )
    seed: int
    entity: tuple[str, ...] = ()
    look: Look | None = Field(None, description="what evaluate's look at the holdout may spend")
    looks_before: tuple[Look, ...] = Field(
        (), description="of this pipeline, in the year of holdouts before this one; oldest first"
    )
    trigger: Trigger = Field(Trigger(), description="what woke the run when it was opened")
    costs: tuple[Cost, ...] = Field((), description="of the steps whose work it was, in order")
    own_checks: dict[str, Digest] = Field(
        default_factory=dict,
        description="import path of a check of the user's → digest of its code",
    )


class GateResult(Frozen):
    """The verdict with every check, and the decision report."""

    verdict: VerdictName
    because: str
    checks: tuple[Check, ...]
    report_json: Artifact
    report_html: Artifact


class RegisterRequest(Frozen):
    """Record the run in MLflow; register and promote where the verdict says so."""

    run_key: Digest
    spec: PipelineSpec
    champion: ChampionRef | None
    window: tuple[Span, ...]
    holdout: tuple[Span, ...]
    prepared: PrepareResult
    evaluated: EvaluateResult
    decision: GateResult
    data_report: Artifact | None
    code: Digest
    environment: Digest
    upstream: dict[Component, tuple[Digest, ...]] = Field(
        default_factory=dict, description="component → digests of the results this was made of"
    )


class RegisterResult(Frozen):
    """What MLflow and the ledger now say of this run."""

    mlflow_run: str
    mlflow_experiment: str = Field("", description="MLflow's number of the experiment, for links")
    version: int | None = Field(description="None where the verdict was not promote")
    champion: int | None = Field(description="the version the alias names")
    superseded: bool = Field(
        False, description="another run was promoted meanwhile: the version stays a challenger"
    )
    awaits: Literal["", "observe", "approval"] = Field(
        "", description="why the version is not promoted by itself, where it is not"
    )
    changed: bool = Field(
        False,
        exclude=True,  # of the attempt, not of the run: what is kept stays the same
        description="by this attempt the version became champion, or was made and is none",
    )
    because: str = Field("", description="the reason of the decision")
    model: Artifact
