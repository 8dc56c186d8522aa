"""The pipeline spec: one YAML file, values only. Every field is described in ``docs/spec.md``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from .anomalies import ANOMALIES
from .base import Frozen, PipelineName
from .expression import columns_of, parse_expression
from .gate_spec import GateSpec, SliceSpec
from .images import Component, Image, Imaged, known_components
from .metrics import METRICS, PRIMARY, Task, metrics_of
from .monitor_spec import MonitorSpec
from .notices import Address
from .table_schema import TableSchema
from .train_spec import TrainSpec
from .triggers import TriggerSpec

Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class CsvOptions(Frozen):
    """How a CSV is read; recorded in the lineage."""

    delimiter: str = Field(",", min_length=1, max_length=1, description="one character")
    encoding: str = Field("utf-8", description="text encoding")
    null_values: tuple[str, ...] = Field(
        ("", "NA", "NaN", "nan", "null", "NULL", "N/A"), description="texts read as missing"
    )


class CompleteSpec(Frozen):
    """How a writer says that what it wrote is whole: data first, the marker or manifest last."""

    marker: str | None = Field(
        None,
        pattern=r"^[^/*?\[\]]{1,200}$",
        description="a file such as ``_SUCCESS``: a folder's files count once it is there, and is "
        "not older than they are",
    )
    manifest: str | None = Field(
        None,
        pattern=r"^[^/].{0,199}$",
        description="glob of manifests below the source, such as ``*.manifest.json``: only files "
        "that one names count, with the sizes, etags and sha256 it states",
    )

    @model_validator(mode="after")
    def _one_of(self) -> CompleteSpec:
        if (self.marker is None) == (self.manifest is None):
            raise ValueError("complete takes either marker or manifest")
        if self.manifest is not None and ".." in self.manifest.split("/"):
            raise ValueError("a manifest lies below the source: no .. in its path")
        return self


class SourceSpec(Frozen):
    """Where the table comes from; each file, object or query window is a span."""

    uri: str = Field(
        description="path or glob (``{data}`` is the data folder), ``s3://bucket/prefix``, "
        "``https://…`` or ``sql`` (with ``connection`` and ``query``)"
    )
    format: Literal["auto", "csv", "parquet"] = Field("auto", description="auto: by suffix")
    connection: Identifier | None = Field(
        None, description="name of the Airflow connection or ``EVERFIT_CONN_<NAME>`` variable"
    )
    query: str | None = Field(None, description="SQL only: a SELECT, without a trailing semicolon")
    watermark: Column | None = Field(None, description="SQL only: timestamp that cuts spans")
    every: Literal["hour", "day", "week", "month"] = Field(
        "month", description="SQL only: a span's length; only windows already over are spans"
    )
    period: str | None = Field(
        None, description="strptime pattern of the period in a file's name, such as ``%Y-%m``"
    )
    columns: tuple[Column, ...] | None = Field(None, description="read only these; default all")
    where: str | None = Field(None, description="expression; only rows where it is true are read")
    csv: CsvOptions = Field(CsvOptions(), description="how a CSV is read")
    settle: float = Field(
        0.0, ge=0, le=3600, description="seconds a file must have been left alone to count"
    )
    complete: CompleteSpec | None = Field(
        None, description="paths and S3 only: what tells that files have arrived whole"
    )
    queue: str | None = Field(
        None,
        pattern=r"^https?://[^/@\s]+/\S+$",
        description="S3 only: URL of an SQS queue with this bucket's notifications; new objects "
        "are then noticed within seconds",
    )

    @field_validator("uri")
    @classmethod
    def _no_credentials(cls, uri: str) -> str:
        if re.match(r"^[a-z0-9+]+://[^/]*@", uri):
            raise ValueError("a URI holds no credentials: name a connection instead")
        scheme = uri.split("://", 1)[0] if "://" in uri else ""
        if scheme not in ("", "file", "s3", "https", "http"):
            raise ValueError(
                "a source is a path, file://, s3:// or https://, or sql with a connection"
            )
        return uri

    @field_validator("where")
    @classmethod
    def _parses(cls, text: str | None) -> str | None:
        if text is not None:
            parse_expression(text)
        return text

    @model_validator(mode="after")
    def _sql_is_whole(self) -> SourceSpec:
        if self.is_sql:
            missing = [f for f in ("connection", "query", "watermark") if getattr(self, f) is None]
            if missing:
                raise ValueError(f"a sql source also needs {', '.join(missing)}")
        elif self.query is not None or self.watermark is not None:
            raise ValueError("query and watermark belong to a source with uri: sql")
        if self.queue is not None and not self.uri.startswith("s3://"):
            raise ValueError("queue belongs to a source in s3://")
        if self.complete is not None and (self.is_sql or self.uri.startswith("http")):
            raise ValueError("complete belongs to a source of files or of objects in s3://")
        return self

    @property
    def is_sql(self) -> bool:
        """Whether spans are query windows."""
        return self.uri == "sql"


class TargetSpec(Frozen):
    """What is predicted: a column, or an expression over columns."""

    name: Column = Field(description="the column, or what the expression is called")
    expression: str | None = Field(None, description="computes the target; its columns may leak")
    positive: str | int | float | bool | None = Field(
        None, description="binary: the class whose probability is scored; default the larger"
    )

    @field_validator("expression")
    @classmethod
    def _parses(cls, text: str | None) -> str | None:
        if text is not None:
            parse_expression(text)
        return text


class FeatureSpec(Frozen):
    """What the model may see. Everything not dropped is a feature."""

    drop: tuple[Column, ...] = Field((), description="never shown to a model: leaks and keys")
    keep: tuple[Column, ...] = Field(
        (), description="columns of the target's expression that are known at prediction time"
    )
    derive: dict[Identifier, str] = Field(
        default_factory=dict,
        description="new column → expression, which may read other new ones; computed inside the "
        "model",
    )
    high_cardinality: int = Field(
        40, ge=2, description="distinct values from which text is no category of its own"
    )

    @field_validator("derive")
    @classmethod
    def _in_order(cls, derive: dict[str, str]) -> dict[str, str]:
        """In the order to compute them: what a column reads first, then by name.

        Never as written: a spec that went through JSON has its names sorted, and trains the same.
        """
        reads = {name: columns_of(text) & derive.keys() for name, text in derive.items()}
        graph = TopologicalSorter(reads)
        try:
            graph.prepare()
        except CycleError as error:
            raise ValueError(f"computed from each other: {' ← '.join(error.args[1])}") from None
        order: list[str] = []
        while graph.is_active():
            ready = sorted(graph.get_ready())
            graph.done(*ready)
            order += ready
        return {name: derive[name] for name in order}


class WindowSpec(Frozen):
    """Which spans a candidate trains on."""

    spans: Annotated[int, Field(ge=1)] | Literal["all"] = Field(
        "all", description="the newest so many, or all"
    )
    skip_recent: int = Field(0, ge=0, description="newest spans left out, for labels still to come")
    min_spans: int = Field(1, ge=1, description="fewer than this: nothing is trained")

    @model_validator(mode="after")
    def _can_be_met(self) -> WindowSpec:
        if self.spans != "all" and self.spans < self.min_spans:
            raise ValueError("spans is smaller than min_spans, so nothing would ever be trained")
        return self


class HoldoutSpec(Frozen):
    """What a candidate is judged on: whole spans, or a share of rows for a source of one table."""

    spans: int | None = Field(None, ge=1, description="the newest so many spans of the window")
    fraction: float | None = Field(
        None, gt=0, lt=0.9, description="share of rows, split by a hash of entity or content"
    )

    @model_validator(mode="after")
    def _one_of(self) -> HoldoutSpec:
        if (self.spans is None) == (self.fraction is None):
            raise ValueError("holdout takes either spans or fraction")
        return self


class ValidateSpec(Frozen):
    """When a span is too strange to train on."""

    max_null_jump: float = Field(0.25, gt=0, le=1, description="rise of a column's null fraction")
    unit_factor: float = Field(20.0, gt=1, description="change of a median that looks like units")
    max_outside_period: float = Field(
        0.05, ge=0, le=1, description="rows dated outside their span's period"
    )
    max_duplicates: float = Field(0.5, ge=0, le=1, description="fraction of repeated rows")
    ignore: tuple[str, ...] = Field((), description="anomaly codes that never quarantine")

    @field_validator("ignore")
    @classmethod
    def _codes(cls, ignore: tuple[str, ...]) -> tuple[str, ...]:
        for item in ignore:
            code = item.partition(":")[0]  # CODE, or CODE:column
            if code not in ANOMALIES:
                close = get_close_matches(code.upper(), ANOMALIES, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise ValueError(f"{code!r} is no anomaly code (see docs/anomalies.md){hint}")
        return ignore


GROUP_METRICS: dict[Task, tuple[str, ...]] = {
    "regression": ("mean_error", "mae"),
    "binary": ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy"),
    "multiclass": ("accuracy",),
}
"""What fairness compares between groups."""


class PipelineSpec(Frozen):
    """One pipeline."""

    name: PipelineName = Field(description="the file's name; may be left out")
    description: str = Field("", max_length=2000, description="shown in Airflow and the model card")
    owner: str = Field("everfit", max_length=100, description="shown in Airflow")
    tags: tuple[str, ...] = Field((), description="shown in Airflow")
    task: Task = Field(description="what kind of target")
    target: TargetSpec = Field(description="the target's column name, or the fields below")
    source: SourceSpec = Field(description="where the table comes from")
    time: Column | None = Field(None, description="the timestamp column rows are ordered by")
    entity: tuple[Column, ...] = Field(
        (), description="columns that name who a row is about; never on both sides of a split"
    )
    features: FeatureSpec = Field(FeatureSpec(), description="what the model may see")
    window: WindowSpec = Field(WindowSpec(), description="what a candidate is trained on")
    holdout: HoldoutSpec = Field(
        HoldoutSpec(spans=1), description="what it is judged on; default the newest span"
    )
    validation: ValidateSpec = Field(
        ValidateSpec(), description="when a span is too strange to train on"
    )
    train: TrainSpec = Field(TrainSpec(), description="which candidates are fitted")
    slices: tuple[SliceSpec, ...] = Field((), description="subsets scored on their own")
    gate: GateSpec = Field(description="what better means")
    triggers: TriggerSpec = Field(TriggerSpec(), description="what wakes the pipeline")
    monitor: MonitorSpec = Field(
        MonitorSpec(), description="how new spans are compared with what the champion knows"
    )
    notify: tuple[Address, ...] = Field(
        (),
        description="who is told: ``slack:#channel``, ``smtp:team@example.org``, ``apprise:tag``; "
        "``slack:#alerts[failed,drift]`` of these kinds only",
    )
    images: dict[Imaged, Image] = Field(
        default_factory=dict,
        # As if there were no such field: what was digested before it must be the same after it,
        # and an image made before it must be able to read an order.
        exclude_if=lambda images: not images,
        description="component, or ``default`` for all → the image of its own that it runs in, by "
        "digest ([own components](own_components.md))",
    )
    curated: TableSchema | None = Field(
        None, description="not written here: filled from <name>.schema.yaml beside the spec"
    )

    @field_validator("target", mode="before")
    @classmethod
    def _target_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    _known_components = field_validator("images", mode="before")(known_components)

    @model_validator(mode="after")
    def _holds_together(self) -> PipelineSpec:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> list[str]:
        problems = []
        allowed = metrics_of(self.task)
        for name in (self.gate.metric, *self.gate.limits):
            if name is not None and name not in allowed:
                problems.append(f"{name!r} is no metric of a {self.task}: {', '.join(allowed)}")
        dummies = ("mean", "median") if self.task == "regression" else ("most_frequent", "prior")
        if self.gate.baseline not in dummies:
            problems.append(f"gate.baseline of a {self.task} is one of {', '.join(dummies)}")
        if self.target.name in self.features.drop or self.target.name in self.features.keep:
            problems.append("the target is neither dropped nor kept: it is never a feature")
        for column in sorted(self.target_columns - set(self.features.drop)):
            if column not in self.features.keep:
                problems.append(
                    f"the target is computed from {column!r}: list it in features.drop, or in "
                    "features.keep if it is known when a prediction is made"
                )
        problems += self._group_problems()
        for decay in self.triggers.of_kind("decay"):
            if decay.metric is not None and decay.metric not in allowed:
                problems.append(
                    f"triggers: decay's metric {decay.metric!r} is none of a {self.task}: "
                    f"{', '.join(allowed)}"
                )
        hidden = self.hidden_columns
        for name, text in self.features.derive.items():
            leaks = sorted(columns_of(text) & hidden)
            if leaks:
                problems.append(f"features.derive.{name} reads {leaks[0]!r}, which is hidden")
        return problems

    def _group_problems(self) -> list[str]:
        """What the gate asks of classes or of numbers, and this task has none of."""
        problems = []
        if self.gate.calibration is not None and self.task == "regression":
            problems.append("gate.calibration is of probabilities: a regression has none")
        for number, item in enumerate(self.gate.fairness):
            allowed = GROUP_METRICS[self.task]
            if item.metric not in allowed:
                problems.append(
                    f"gate.fairness.{number}.metric of a {self.task} is one of {', '.join(allowed)}"
                )
        return problems

    def image_of(self, component: Component) -> str | None:
        """The image that the pipeline names for a component; None: the installation's."""
        return self.images.get(component) or self.images.get("default")

    @property
    def primary_metric(self) -> str:
        """The metric candidates are compared by."""
        return self.gate.metric or PRIMARY[self.task]

    @property
    def greater_is_better(self) -> bool:
        """Direction of the primary metric."""
        return METRICS[self.primary_metric].greater_is_better

    @property
    def target_columns(self) -> frozenset[str]:
        """Columns the target's expression reads; empty where the target is a column."""
        return columns_of(self.target.expression) if self.target.expression else frozenset()

    @property
    def hidden_columns(self) -> frozenset[str]:
        """Columns no model sees: the target and everything dropped."""
        return frozenset({self.target.name, *self.features.drop})
