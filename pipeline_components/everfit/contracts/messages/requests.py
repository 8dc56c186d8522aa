"""Request and result of each component, in the chain's order.

Every request is complete: equal requests give equal results, byte for byte. Results are stored as
canonical JSON under the request's content key and referred to by their own digest.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, OnlyShown, PipelineName
from everfit.contracts.messages.artifacts import Artifact, Report, Shown
from everfit.contracts.messages.evaluations import Cost, HoldoutEvaluation
from everfit.contracts.messages.evidence import (
    Calibration,
    Disturbed,
    Explanation,
    FairnessGap,
    ImportanceGroup,
    SliceScore,
    SliceSearch,
)
from everfit.contracts.messages.joined import Labelled
from everfit.contracts.messages.planning import ChampionRef, Trigger
from everfit.contracts.messages.readings import BrokenRule, ColumnReading
from everfit.contracts.messages.spans import Refusal, RowTimes, Snapshot, Span, SpanRef
from everfit.contracts.messages.steps import Component
from everfit.contracts.messages.training import ColumnRole, RefitResult, TrainResult, Weights
from everfit.contracts.messages.verdicts import Check, Comparison, Estimate, VerdictName
from everfit.contracts.spec.gate import (
    FairnessSpec,
    GateSpec,
    SliceSpec,
    StabilitySpec,
    WhenDecayed,
)
from everfit.contracts.spec.joined import JoinSpec
from everfit.contracts.spec.labels import LabelsSpec
from everfit.contracts.spec.margins import Intention, Margin
from everfit.contracts.spec.metrics import Task
from everfit.contracts.spec.monitor import PredictionLog
from everfit.contracts.spec.pipeline import FeatureSpec, PipelineSpec
from everfit.contracts.spec.row_rules import RuleAction
from everfit.contracts.spec.source import SourceSpec
from everfit.contracts.spec.table_schema import TableSchema


class ExtractRequest(Frozen):
    """Snapshot these spans."""

    pipeline: PipelineName
    source: SourceSpec
    curated: TableSchema | None
    time: str | None
    spans: tuple[SpanRef, ...]
    dropped: tuple[str, ...] = Field(
        (), description="columns no model sees: one of a type that cannot be read is left out"
    )
    rules: dict[str, RuleAction] = Field(
        default_factory=dict, description="expression that must hold for a row → what follows"
    )
    join: tuple[JoinSpec, ...] = Field(
        (), exclude_if=lambda join: not join, description="tables that are joined to each span"
    )
    labels: LabelsSpec | None = Field(
        None,
        exclude_if=lambda labels: labels is None,
        description="labels that are joined to each span",
    )
    row_by_row: bool = Field(
        False,
        exclude_if=lambda given: not given,
        description="a label counts once it is due for its row; else for all rows of its span",
    )
    tables: dict[str, tuple[SpanRef, ...]] = Field(
        default_factory=dict,
        exclude_if=lambda tables: not tables,
        description="table that is joined → its spans, oldest first",
    )
    log: PredictionLog | None = Field(None, description="where the logged predictions are")
    logged: tuple[SpanRef, ...] = Field((), description="files of logged predictions")


class ExtractResult(Frozen):
    """Snapshots made or found, in the order asked, and the spans refused."""

    snapshots: tuple[Snapshot, ...]
    refused: tuple[Refusal, ...]
    logged: tuple[Snapshot, ...] = Field((), description="of the logged predictions")
    apart: tuple[Snapshot, ...] = Field(
        (),
        exclude_if=lambda apart: not apart,
        description="the spans as the source has them, before tables were joined",
    )
    tables: dict[str, tuple[Snapshot, ...]] = Field(
        default_factory=dict,
        exclude_if=lambda tables: not tables,
        description="table that was joined → its spans",
    )


class ValidateRequest(Frozen):
    """Judge these spans, then choose window and holdout among the good ones."""

    pipeline: PipelineSpec
    spans: tuple[Span, ...] = Field(description="window then holdout, oldest first")
    readings: dict[str, tuple[ColumnReading, ...]] = Field(
        default_factory=dict, description="span → what reading it has shown of its columns"
    )
    rules: dict[str, tuple[BrokenRule, ...]] = Field(
        default_factory=dict, description="span → rules that do not hold for all of its rows"
    )
    times: dict[str, RowTimes] = Field(
        default_factory=dict, description="span → when its rows are; none where there is no time"
    )
    labels: dict[str, Labelled] = Field(
        default_factory=dict,
        exclude_if=lambda labels: not labels,
        description="span → its labels, where they stand apart; also of spans that wait for theirs",
    )
    by_name: tuple[str, ...] = Field(
        (), description="the spans as their names order them, where their rows say another order"
    )
    skip_recent: int = Field(
        0, description="newest spans to leave out, where plan could not say which they are"
    )
    champion_window: tuple[Digest, ...] = Field((), description="spans the champion has seen")
    code: Digest
    environment: Digest
    own_checks: dict[str, Digest] = Field(
        default_factory=dict, description="as ``GateRequest.own_checks``; part of the run key"
    )


class Anomaly(Frozen):
    """One strange thing in one span."""

    code: str = Field(description="stable, upper case, documented in docs/reference/anomalies.md")
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
    user_must_fix: bool = Field(
        False, description="true: a person must fix the spec; false: there is nothing to do"
    )
    all_refused: bool = Field(
        False, description="true: enough spans are there, and too few of them are good"
    )


class ValidateResult(Frozen):
    """Which spans are good; the run key is known from here on."""

    run_key: Digest
    window: tuple[Span, ...]
    holdout: tuple[Span, ...]
    quarantined: tuple[Span, ...]
    anomalies: tuple[Anomaly, ...]
    statistics: dict[str, Artifact] = Field(description="span name → statistics JSON")
    report: Report = Field(description="self-contained HTML: the data report")
    columns: dict[str, str] = Field(description="column → type, over all good spans")
    stop: Stop | None = Field(None, description="why the run ends here; window and holdout empty")
    rules: dict[str, tuple[BrokenRule, ...]] = Field(
        default_factory=dict, description="span → rules that do not hold for all of its rows"
    )


class PrepareRequest(Frozen):
    """Assemble the training and holdout tables."""

    run_key: Digest
    task: Task
    target: str
    target_expression: str | None
    positive: str | int | float | bool | None
    time: str | None
    entity: tuple[str, ...]
    key: tuple[str, ...] = Field((), description="columns that name a row")
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
    champion_window: tuple[Digest, ...] = Field((), description="spans it was trained on")
    weight: str | None = Field(
        None, exclude_if=lambda weight: weight is None, description="of a row, as the spec has it"
    )
    data_report: Report | None = Field(None, description="as validate drew it")
    left_out: dict[str, int] = Field(
        default_factory=dict, description="reason → rows that reading the spans has left out"
    )


class DeliveredBefore(Frozen):
    """How much of a span was delivered before, also under new ids or load times."""

    span: str
    rows: int
    repeated: int = Field(description="rows equal to an earlier one in what was compared")
    by_chance: float = Field(description="share of rows that repeats by chance")
    part: float = Field(description="estimated share of rows that were delivered before")
    low: float = Field(description="three standard errors below that")
    large: bool = Field(description="whether surely a large part was")
    columns: tuple[str, ...] = Field((), description="what was compared, beside the target")


class PrepareResult(Frozen):
    """Two Parquet tables and the proof that they share nothing.

    Both tables hold the columns of ``columns``, ``__row`` (uint64 digest of the row's content),
    ``__shown`` (the same of its features and target, as far as a new delivery keeps them),
    ``__piece`` (which part of the window a training row is from) and, where rows are weighted,
    ``__weight`` (in units of the training rows' mean), ordered by time where there is one, else by
    row digest. The target keeps its own type (number, boolean or string); ``classes``
    names its values as text, in the order of scikit-learn's ``classes_``.
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
    dropped: dict[str, int] = Field(description="reason (``LeftOut``) → rows left out")
    rows_read: int = Field(0, description="rows of all spans, before any was left out")
    delivered_before: tuple[DeliveredBefore, ...] = Field(
        (), description="of each holdout span, compared with the window"
    )
    report: Report | None = Field(
        None, description="the data report with the rows left out; None where there was none"
    )
    proof: Artifact = Field(description="JSON: row digests of both sides, counts, overlaps (0)")
    weights: Weights | None = Field(
        None,
        exclude_if=lambda weights: weights is None,
        description="None: every row counts the same",
    )


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
    intention: Intention
    margin: Margin
    trusted: tuple[str, ...] = Field((), description="import paths of the spec's own estimators")
    owner: Shown = Field("", description="of the pipeline; stands in the model card")
    description: Shown = Field("", description="of the pipeline; stands in the model card")
    unit: Shown | None = Field(None, description="of the target's numbers")
    dropped: dict[str, int] = Field(
        default_factory=dict, description="reason → rows prepare left out; for the model card"
    )
    slice_worse_by: Margin = Field(Margin(value=0.0), description="a slice may be worse by so much")
    find_slices: bool = False
    fairness: tuple[FairnessSpec, ...] = ()
    stability: StabilitySpec = StabilitySpec()
    weights: Weights | None = Field(
        None, exclude_if=lambda weights: weights is None, description="as prepare found them"
    )
    when_decayed: WhenDecayed | None = Field(
        None,
        exclude_if=lambda asked: asked is None,
        description="what else the champion is compared by: the gate says which counts",
    )


class EvaluateResult(Frozen):
    """Scores, pictures and the row losses the gate tests."""

    candidate: TrainResult = Field(description="the family with the best cross-validated score")
    baseline: str = Field(description="``champion v3`` or the dummy's name")
    scores: dict[str, dict[str, Estimate]] = Field(
        description="candidate | baseline | dummy | family:<name> → metric → estimate"
    )
    comparison: Comparison | None = Field(description="None where it could not be computed")
    when_decayed: Comparison | None = Field(
        None,
        exclude_if=lambda found: found is None,
        description="the same for what gate.when_decayed asks",
    )
    slices: tuple[SliceScore, ...]
    rows: int
    losses: Artifact = Field(
        description="Parquet: __row, candidate, baseline (row losses of the primary metric) and, "
        "where rows are weighted, __weight"
    )
    sample: Artifact = Field(description="Parquet: raw holdout rows for the servability check")
    predictions: Artifact = Field(description="JSON: the candidate's predictions of the sample")
    plots: Annotated[tuple[Artifact, ...], OnlyShown] = Field(description="SVG pictures")
    card: Report = Field(description="model card, a page")
    card_values: Report = Field(description="``ModelCard``: JSON, for whoever draws it later")
    importances: dict[str, float] = Field(
        description="feature → permutation importance, of those that were shuffled alone"
    )
    importance_groups: tuple[ImportanceGroup, ...] = Field(
        (), description="of features shuffled together; the most important first"
    )
    trained: dict[str, Digest] = Field(
        default_factory=dict, description="family → digest of its result of train"
    )
    not_finite: tuple[str, ...] = Field((), description="what came out NaN or infinite")
    search: SliceSearch | None = Field(None, description="None where none was asked for")
    calibration: Calibration | None = Field(None, description="None for a regression")
    fairness: tuple[FairnessGap, ...] = Field((), description="one per item of the gate's")
    disturbed: tuple[Disturbed, ...] = Field((), description="noise, then each feature missing")
    explained: Explanation | None = Field(
        None, description="by the models and by one or two columns; None where it is undefined"
    )


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
    unit: Shown | None = Field(None, description="of the target's numbers")
    key: tuple[str, ...] = Field((), description="columns that name a row")
    repeats_expected: bool = Field(
        False, description="whether validation.ignore says that spans repeat each other"
    )
    time: str | None = Field(None, description="name of the column that orders rows in time")
    holdout_evaluation: HoldoutEvaluation | None = Field(
        None, description="this run's evaluation on its holdout, and what it may spend"
    )
    evaluations_before: tuple[HoldoutEvaluation, ...] = Field(
        (), description="that share its budget, in the year of data before it; oldest first"
    )
    trigger: Trigger = Field(Trigger(), description="what woke the run when it was opened")
    costs: Annotated[tuple[Cost, ...], OnlyShown] = Field(
        (), description="of the steps whose work it was, in order"
    )
    own_checks: dict[str, Digest] = Field(
        default_factory=dict,
        description="import path of a check of the user's → digest of its code",
    )


class GateResult(Frozen):
    """The verdict with every check, and the decision report."""

    verdict: VerdictName
    because: str
    checks: tuple[Check, ...]
    model: Digest = Field(description="of the candidate that was judged")
    training_table: Digest = Field(description="that it was trained on")
    report_json: Report
    report_html: Report


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
    data_report: Report | None
    code: Digest
    environment: Digest
    refit: RefitResult | None = Field(
        None, description="the same settings fitted on the holdout too; None: not asked for"
    )
    refit_of: Digest | None = Field(
        None, description="of a version that was refitted: run key of the one that was judged"
    )
    upstream: dict[Component, tuple[Digest, ...]] = Field(
        default_factory=dict, description="component → digests of the results this was made of"
    )


class RegisterResult(Frozen):
    """What MLflow and the ledger now say of this run."""

    mlflow_run: str
    mlflow_experiment: str = Field("", description="MLflow's number of the experiment, for links")
    version: int | None = Field(description="None where the verdict was not promote")
    refit: int | None = Field(
        None, description="the version whose model was fitted on the holdout too, where asked for"
    )
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
    card: Report | None = Field(
        None, description="model card, a page: with owner, version, date and status"
    )
