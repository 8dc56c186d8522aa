"""The pipeline spec: one YAML file, values only. ``docs/reference/spec.md`` has every field."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from everfit.contracts.base import Frozen, PipelineName
from everfit.contracts.messages.anomalies import ANOMALIES
from everfit.contracts.spec.expression import columns_of, parse_expression
from everfit.contracts.spec.gate import GateSpec, SliceSpec
from everfit.contracts.spec.images import Component, Image, Imaged, known_components
from everfit.contracts.spec.joined import JoinSpec, join_problems
from everfit.contracts.spec.labels import LabelsSpec, label_problems
from everfit.contracts.spec.metrics import METRICS, PRIMARY, Task, metric_problem
from everfit.contracts.spec.monitor import MonitorSpec
from everfit.contracts.spec.notices import Address
from everfit.contracts.spec.row_rules import RuleAction, checked_rules
from everfit.contracts.spec.row_weight import checked_weight, weight_column
from everfit.contracts.spec.score import ScoreSpec
from everfit.contracts.spec.source import Column, SourceSpec
from everfit.contracts.spec.table_schema import TableSchema
from everfit.contracts.spec.train import TrainSpec
from everfit.contracts.spec.triggers import TriggerSpec

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class TargetSpec(Frozen):
    """What is predicted: a column, or an expression over columns."""

    name: Column = Field(description="the column, or what the expression is called")
    expression: str | None = Field(None, description="computes the target; its columns may leak")
    positive: str | int | float | bool | None = Field(
        None, description="binary: the class whose probability is scored; default the larger"
    )
    unit: str | None = Field(
        None,
        max_length=12,
        pattern=r"^[^\s\d](.*\S)?$",
        # As if there were no such field, for a spec without one: nothing is computed from it.
        exclude_if=lambda unit: unit is None,
        description="regression: of the target's numbers, such as ``$`` or ``min``; shown with "
        "them, and with errors in them",
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
        (), description="columns of the target's expression, or a weight, known when predicting"
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
    max_unreadable: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of a column's cells that may be of another type than nearly all are; "
        "they count as missing, and a span with more is quarantined",
    )
    max_duplicates: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fraction of rows that may repeat another in full; default any, for without a "
        "``key`` equal rows are observations of their own",
    )
    rows: dict[str, RuleAction] = Field(
        default_factory=dict,
        # As if there were no such field: a spec without rules is the same as before there were any.
        exclude_if=lambda rules: not rules,
        description="expression that must hold for a row → what follows where it does not: "
        "``drop`` the row, ``quarantine`` the span, or ``fail`` the run ([rules for "
        "rows](#rules-for-rows))",
    )
    ignore: tuple[str, ...] = Field((), description="anomaly codes that never quarantine")

    _checked_rules = field_validator("rows")(checked_rules)

    @field_validator("ignore")
    @classmethod
    def _codes(cls, ignore: tuple[str, ...]) -> tuple[str, ...]:
        for item in ignore:
            code = item.partition(":")[0]  # CODE, or CODE:column
            if code not in ANOMALIES:
                close = get_close_matches(code.upper(), ANOMALIES, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise ValueError(
                    f"{code!r} is no anomaly code (see docs/reference/anomalies.md){hint}"
                )
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
    join: tuple[JoinSpec, ...] = Field(
        (),
        # As if there were no such field: a spec without one is the same as before there was one.
        exclude_if=lambda join: not join,
        description="further tables by key ([tables apart](../how-to/tables.md))",
    )
    labels: LabelsSpec | None = Field(
        None,
        exclude_if=lambda labels: labels is None,
        description="labels that stand apart, and come later ([labels apart](../how-to/labels.md))",
    )
    time: Column | None = Field(None, description="the timestamp column rows are ordered by")
    entity: tuple[Column, ...] = Field(
        (), description="columns that name who a row is about; never on both sides of a split"
    )
    key: tuple[Column, ...] = Field(
        (),
        description="columns that name a row: of several versions the newest counts; without them "
        "equal rows are observations of their own",
    )
    weight: str | None = Field(
        None,
        # As if there were no such field: a spec without it is the same as before there was one.
        exclude_if=lambda weight: weight is None,
        description="how much a row counts, in fitting and in every score: a column, or an "
        "expression over columns ([row weights](../how-to/weights.md))",
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
    score: ScoreSpec | None = Field(
        None,
        # As if there were no such field, for a spec without one: so it has no DAG, and an image
        # made before there was this field can read its orders.
        exclude_if=lambda score: score is None,
        description="batch scoring by a DAG of its own ([batch scoring](../how-to/scoring.md))",
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
        "digest ([own components](../how-to/own_components.md))",
    )
    curated: TableSchema | None = Field(
        None, description="not written here: filled from <name>.schema.yaml beside the spec"
    )

    @field_validator("target", mode="before")
    @classmethod
    def _target_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    _known_components = field_validator("images", mode="before")(known_components)
    _checked_weight = field_validator("weight")(checked_weight)

    @model_validator(mode="after")
    def _holds_together(self) -> PipelineSpec:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> list[str]:
        problems = list(self._metric_problems())
        dummies = ("mean", "median") if self.task == "regression" else ("most_frequent", "prior")
        if self.gate.baseline not in dummies:
            problems.append(f"gate.baseline of a {self.task} is one of {', '.join(dummies)}")
        if self.target.unit is not None and self.task != "regression":
            problems.append(f"target.unit is of numbers: the target of a {self.task} has none")
        if self.target.name in self.features.drop or self.target.name in self.features.keep:
            problems.append("the target is neither dropped nor kept: it is never a feature")
        for column in sorted(self.target_columns - set(self.features.drop)):
            if column not in self.features.keep:
                problems.append(
                    f"the target is computed from {column!r}: list it in features.drop, or in "
                    "features.keep if it is known when a prediction is made"
                )
        if self.train.refit and self.holdout.spans is None:
            problems.append(
                "train.refit needs a holdout of spans: of a share of the rows it would learn all, "
                "and leave none to judge the next candidate on"
            )
        problems += join_problems(self.join, self.source, self.time)
        targets = self.target_columns or frozenset({self.target.name})
        skipped = self.window.skip_recent
        problems += label_problems(self.labels, self.source, self.time, targets, skipped)
        problems += self._group_problems()
        problems += self._score_problems()
        hidden = self.hidden_columns
        for name, text in self.features.derive.items():
            leaks = sorted(columns_of(text) & hidden)
            if leaks:
                problems.append(f"features.derive.{name} reads {leaks[0]!r}, which is hidden")
        return problems

    def _metric_problems(self) -> Iterator[str]:
        """Metrics of another task or of none, and limits that no score can reach."""
        named = [("gate.metric", self.gate.metric)]
        named += [("gate.limits", name) for name in self.gate.limits]
        for one in self.triggers.conditions():
            named += [(f"triggers: {one.kind}.metric", name) for name in one.metrics]
        for field, name in named:
            if name is not None and (problem := metric_problem(name, self.task)):
                yield f"{field}: {problem}"
        for name, limit in self.gate.limits.items():
            metric = METRICS.get(name)
            for bound in (limit.min, limit.max):
                if metric and bound is not None and not metric.lowest <= bound <= metric.highest:
                    yield f"gate.limits.{name}: {metric.title} is {metric.range}, never {bound:g}"

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

    def _score_problems(self) -> Iterator[str]:
        """Events that nothing would ever send."""
        if self.score is None or "new_spans" not in self.score.on:
            return
        if self.score.input is not None:
            yield (
                "score.on: new_spans are of the pipeline's own source, and score.input is another: "
                "give score a schedule"
            )
        elif not self.triggers.automatic:
            yield (
                "score.on: new_spans are found by monitoring, which runs by itself only where "
                "there are triggers: give score a schedule, or add triggers"
            )

    @property
    def sources(self) -> tuple[SourceSpec, ...]:
        """Where its rows come from: its own source, then those of the tables beside it."""
        apart = (self.labels.source,) if self.labels else ()
        return (self.source, *(one.source for one in self.join), *apart)

    def connections_of(self, component: Component) -> tuple[str, ...]:
        """The connections whose credentials a component needs for tables it reads or writes."""
        named = (one.connection_name for one in self.sources)
        own = tuple(dict.fromkeys(name for name in named if name))
        if component != "score" or self.score is None:
            return own
        return tuple(dict.fromkeys((*own, *self.score.connections)))

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
    def weight_column(self) -> str | None:
        """The column that is the weight of a row and no feature."""
        return weight_column(self.weight, self.features.keep)

    @property
    def shown_features(self) -> FeatureSpec:
        """What a model may see, with the weight among what it may not."""
        if self.weight_column is None:
            return self.features
        drop = tuple(dict.fromkeys((*self.features.drop, self.weight_column)))
        return self.features.model_copy(update={"drop": drop})

    @property
    def hidden_columns(self) -> frozenset[str]:
        """Columns no model sees: the target, everything dropped, and a weight."""
        return frozenset({self.target.name, *self.shown_features.drop})
