"""Requests and results of monitoring's components.

New spans are compared with what the champion was trained on (drift), and the champion is scored on
them (decay). What is measured is recorded; whether it wakes the pipeline is the trigger's affair.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.messages.artifacts import Report
from everfit.contracts.messages.monitoring_levels import DecayTest, DriftLevel
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.readings import BrokenRule
from everfit.contracts.messages.spans import Span, SpanRef
from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import metric_title
from everfit.contracts.spec.notices import News
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import apart


class HardCheck(Frozen):
    """A question asked before any statistic: schema, finite, domain."""

    code: str = Field(description="stable, upper case, documented in docs/explanation/drift.md")
    column: str | None
    message: str = Field(description="a sentence with counts")
    severity: Literal["error", "warning"] = "error"


class ColumnDrift(Frozen):
    """One column of a span against the reference window."""

    name: str
    kind: Literal["number", "category", "missing"] = Field(
        description="missing: compared by its share of missing values alone"
    )
    score: float = Field(description="drift score, 0 or more: the effect size")
    measure: str = Field(description="what the score is, such as Wasserstein distance / std")
    p_value: float = Field(description="of no drift, dependence allowed for, not yet corrected")
    adjusted: float = Field(description="after Holm's correction over all columns")
    assessed: bool = Field(
        True, description="false: too few spans are known to tell drift from what is normal"
    )
    outside: float | None = Field(
        None,
        description="share of the values outside the range, or the categories, of the reference; "
        "None: not known",
    )
    significant: bool = Field(description="adjusted below the level")
    drifted: bool = Field(description="significant, and the score large enough")
    depends: float | None = Field(
        None, description="share of the champion's importance; None: unknown"
    )
    message: str = Field(description="a sentence: how it moved")


EXTREME = 4.0
"""So many margins, and surely one, is no matter of one odd span."""


class AttainableLoss(Frozen):
    """How much worse the champion scores on a span than another model does."""

    score: float = Field(description="the other model's score on the same rows")
    worse: float = Field(description="positive: the champion is worse; in the metric's unit")
    low: float = Field(description="one-sided lower bound of ``worse`` at 95 %, rows paired")
    p_value: float | None = Field(
        None, description="one-sided, of a champion that is not worse; None: not known"
    )


class Rise(Frozen):
    """How much worse the champion scores on a span than when it was judged, or is attainable.

    Where the attainable loss is known, decay is measured by it: when the champion was judged it was
    the fresh model itself. Where it is not, by what the champion scored then.
    """

    metric: str
    reference: float = Field(description="score on its own holdout")
    current: float = Field(description="score on this span")
    worse: float = Field(description="positive: worse; in the metric's unit")
    low: float = Field(description="one-sided lower bound of ``worse`` at 95 %")
    rows: int = Field(description="labelled rows of the span")
    labelled: float = Field(description="share of the span's rows that have a label")
    estimated: bool = Field(
        False, description="true: no labels yet; from the champion's predictions alone"
    )
    source: Literal["champion", "logged"] = Field(
        "champion", description="scored now by the champion, or predictions as they were served"
    )
    method: str
    p_value: float | None = Field(
        None, description="one-sided, of a score not worse than when judged; None: not known"
    )
    attainable: AttainableLoss | None = Field(
        None, description="against a model trained on the newest spans before; None: not known"
    )
    judged: AttainableLoss | None = Field(
        None,
        # As if there were no such field: of a champion that is no refit there is none.
        exclude_if=lambda judged: judged is None,
        description="of a refit on its first spans: against the judged model it was made from",
    )
    test: DecayTest | None = Field(
        None,
        exclude_if=lambda test: test is None,
        description="over the champion's life; None: the span by itself, at 5 %",
    )

    @property
    def yardstick(self) -> float:
        """The score that decay is measured from: the attainable one, or that when judged."""
        return self.attainable.score if self.attainable else self.reference

    @property
    def excess(self) -> float:
        """How much worse it is than the yardstick; positive: worse."""
        return self.attainable.worse if self.attainable else self.worse

    @property
    def excess_low(self) -> float:
        """One-sided lower bound of ``excess`` at 95 %."""
        return self.attainable.low if self.attainable else self.low

    @property
    def excess_p_value(self) -> float | None:
        """One-sided p-value of no ``excess``; None: not known."""
        return self.attainable.p_value if self.attainable else self.p_value

    def beyond(self, margin: Margin) -> bool:
        """Whether it is surely worse than the yardstick, and by at least a margin."""
        surely = self.excess_low > 0 if self.test is None else self.test.met
        if self.estimated or not surely or self.excess <= 0:
            return False
        return self.excess >= margin.of(self.yardstick)

    def below(self, margin: Margin) -> bool:
        """Whether it is worse than the yardstick by less than a margin."""
        return self.excess < margin.of(self.yardstick)

    def extreme(self, margin: Margin) -> bool:
        """Whether it is worse than the yardstick by ``EXTREME`` margins, and surely by one."""
        least = margin.of(self.yardstick)
        sure = self.beyond(margin) and self.excess_low >= least
        return sure and self.excess >= EXTREME * least

    def surged(self, margin: Margin) -> bool:
        """Whether it is far worse than when it was judged, and nothing better is to be had.

        The world has changed so suddenly that a fresh model knows no more of it than the champion.
        People want to know; a training would gain nothing until there are rows to learn from.
        """
        if self.estimated or self.attainable is None or self.beyond(margin):
            return False
        if self.test is not None and (self.p_value is None or self.p_value > self.test.level):
            return False
        least = margin.of(self.reference)
        return self.low >= least and self.low > 0 and self.worse >= EXTREME * least

    def switches(self, on: Margin, off: Margin) -> bool | None:
        """Whether it switches an alarm on or, below a smaller margin, off; None: neither."""
        return True if self.beyond(on) else False if self.below(off) else None

    @property
    def text(self) -> str:
        """``MAE 3.91 → 4.12``, and what a fresh model would have had, where that is known."""
        reference, current = apart(self.reference, self.current)
        text = f"{metric_title(self.metric)} {reference} → {current}"
        if self.attainable is None:
            return text
        return f"{text} ({apart(self.attainable.score, self.current)[0]} attainable)"


class SpanEvaluation(Frozen):
    """All that was measured of one span."""

    span: Span
    state: Literal["measured", "broken", "too_small"] = Field(
        description="broken: a hard check failed, so no statistic means anything"
    )
    checks: tuple[HardCheck, ...] = ()
    columns: tuple[ColumnDrift, ...] = Field((), description="the most drifted first")
    rises: tuple[Rise, ...] = ()
    because: str = Field(description="a sentence that sums it up")
    dispersion: str = Field("", description="how dependence in time was allowed for")
    tested: DriftLevel | None = Field(
        None,
        exclude_if=lambda tested: tested is None,
        description="what drift was tested at, of one rate over all pipelines; None: at level",
    )

    @property
    def assessed(self) -> bool:
        """Whether anything could be said of drift, where columns were compared at all."""
        return not self.columns or any(column.assessed for column in self.columns)

    @property
    def inputs(self) -> float:
        """Largest score of a significant column the champion depends on; 0 where there is none.

        Also below ``monitor.effect``: between on and off, an alarm stays as it was.
        """
        return max((c.score for c in self.columns if c.significant and _matters(c)), default=0.0)

    @property
    def any_column(self) -> float:
        """Largest score of a significant column."""
        return max((c.score for c in self.columns if c.significant), default=0.0)


DEPENDS = 0.05
"""Share of the champion's importance from which its predictions depend on a column."""


def _matters(column: ColumnDrift) -> bool:
    return column.depends is None or column.depends >= DEPENDS


class WatchRequest(Frozen):
    """What watch is asked; it reads the world, so it is never cached."""

    pipeline: PipelineSpec


class WatchResult(Frozen):
    """What there is to look at since the last look."""

    champion: ChampionRef | None
    spans: tuple[SpanRef, ...] = Field(description="to be read: new ones, and those compared with")
    evaluate: tuple[str, ...] = Field(
        description="names of the spans the champion is evaluated on, oldest first"
    )
    because: str
    notes: tuple[str, ...] = ()
    past: tuple[Digest, ...] = Field(
        (), description="digests of known good spans before the first evaluated, oldest first"
    )
    predictions: tuple[SpanRef, ...] = Field((), description="logged predictions, oldest first")
    tables: dict[str, tuple[SpanRef, ...]] = Field(
        default_factory=dict,
        exclude_if=lambda tables: not tables,
        description="table that is joined → its spans, oldest first",
    )
    earlier: tuple[tuple[str, Digest], ...] = Field(
        (), description="span and result of monitor of this champion's evaluations so far, in order"
    )
    at: str = Field("", description="ISO time of the look: which labels are due")
    judged: ChampionRef | None = Field(
        None, description="the judged model that a refit stands for, on the refit's first spans"
    )
    tested: dict[str, DriftLevel] = Field(
        default_factory=dict, description="span → level, where one rate is kept over all pipelines"
    )


class EarlierSpan(Frozen):
    """What a champion's decay was on a span that it met before."""

    place: int = Field(description="in the champion's life, from 1")
    p_values: dict[str, float] = Field(description="metric → one-sided p-value of no decay")


class MonitorRequest(Frozen):
    """Evaluate the champion on spans it has not seen."""

    pipeline: PipelineSpec
    champion: ChampionRef
    spans: tuple[Span, ...] = Field(description="to be evaluated, oldest first")
    reference: tuple[Span, ...] = Field(description="the champion's window, oldest first")
    past: tuple[Span, ...] = Field(
        description="older spans than those evaluated, oldest first: how much they differ normally"
    )
    predictions: tuple[Span, ...] = Field((), description="logged predictions")
    labels_pending: tuple[str, ...] = Field(
        (), description="names of the spans whose labels are not due"
    )
    rules: dict[str, tuple[BrokenRule, ...]] = Field(
        default_factory=dict, description="span → rules that do not hold for all of its rows"
    )
    earlier: tuple[tuple[str, Digest], ...] = Field(
        (), description="span and result of monitor of this champion's evaluations so far, in order"
    )
    judged: ChampionRef | None = Field(
        None,
        exclude_if=lambda judged: judged is None,
        description="scored on the same rows, where the champion is a refit on its first spans",
    )
    tested: dict[str, DriftLevel] = Field(
        default_factory=dict,
        exclude_if=lambda tested: not tested,
        description="span → level, where one rate is kept over all pipelines",
    )
    places: dict[str, int] = Field(
        default_factory=dict,
        description="span → its place in the champion's life, from 1; empty without a level of it",
    )
    lived: tuple[EarlierSpan, ...] = Field(
        (), description="spans met before, as far as they are pooled with these; by place"
    )


class MonitorResult(Frozen):
    """An evaluation of each span, the small JSON, and a picture of drift over time."""

    champion: int = Field(description="version")
    evaluations: tuple[SpanEvaluation, ...]
    drift: Report = Field(description="JSON: the evaluations, for other programs")
    page: Report = Field(description="self-contained HTML with the pictures")
    notes: tuple[str, ...] = Field((), description="what could not be measured, and why")
    news: tuple[News, ...] = Field((), description="what is new since the evaluation before")


class DriftReportRequest(Frozen):
    """Make Evidently's report of the newest evaluated span, and log the evaluations in MLflow."""

    pipeline: str
    owner: str = ""
    champion: ChampionRef
    reference: tuple[Span, ...] = Field(description="the champion's window, oldest first")
    evaluation: SpanEvaluation = Field(description="of the newest span evaluated")
    before: tuple[SpanEvaluation, ...] = Field(
        (), description="of the spans evaluated with it, oldest first"
    )
    drift: Report
    page: Report = Field(description="the monitor page")


class DriftReportResult(Frozen):
    """Where the reports are."""

    report: Report = Field(description="Evidently's HTML, or our own where it made none")
    made: bool = Field(description="whether Evidently made it")
    because: str = Field(description="what it was made from, or why not; one line")
    left_out: tuple[str, ...] = Field((), description="columns it could not compare, and why")
    rows: tuple[int, int] = Field((0, 0), description="rows of the reference and of the span")
    page: Report | None = Field(None, description="the monitor page")
    mlflow_run: str | None = None
    mlflow_experiment: str = ""


class FallBackRequest(Frozen):
    """Go back to the judged model where its refit is surely worse."""

    pipeline: PipelineSpec
    champion: int = Field(description="version that was measured")
    evaluations: tuple[SpanEvaluation, ...]


class FallBackResult(Frozen):
    """Which version serves, and why."""

    champion: int = Field(description="the version that serves now")
    before: int | None = Field(None, description="the refit it was gone back from")
    because: str
    changed: bool = Field(
        False,
        exclude=True,  # of the attempt: asked once more the same is found, and told to nobody
        description="this attempt went back",
    )


SCRIPTED_PAGE = b"<!DOCTYPE html><!-- made by Everfit: a page that draws itself -->"
"""How a page begins that cannot be read without its own scripts; all others have none."""
