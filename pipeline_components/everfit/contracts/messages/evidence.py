"""What evaluate measures of a candidate for the gate's checks, apart from scores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.messages.verdicts import Estimate


class SliceScore(Frozen):
    """The primary metric on one slice; ``None`` where it is not assessed, and ``why`` says why."""

    name: str
    rows: int
    candidate: Estimate | None
    baseline: Estimate | None
    kind: Literal["declared", "found"] = "declared"
    where: str = Field("", description="the expression, or the conditions a tree has found")
    gain: Estimate | None = Field(
        None,
        description="paired, on the slice's rows alone; positive where the candidate is better",
    )
    allowed: float | None = Field(
        None, description="how much worse is allowed, in the metric's unit; at least 0"
    )
    p_value: float | None = Field(
        None, description="one-sided, of the candidate being worse by no more than ``allowed``"
    )
    why: str = Field("", description="why there is no ``p_value``; empty where there is one")


class SliceSearch(Frozen):
    """How slices were looked for: a shallow tree on one half of the holdout, tested on the other.

    What it found is among the slices, with ``kind`` found.
    """

    fitted: int = Field(0, description="rows the tree was fitted on")
    tested: int = Field(0, description="rows kept for the tests, unseen by the tree")
    leaves: int = Field(0, description="groups of rows that the tree told apart")
    worse: int = Field(0, description="of these (joined where neighbours agree): went on to a test")
    why: str = Field("", description="why no search was made; empty where one was")


class CalibrationBin(Frozen):
    """Rows whose probabilities are alike."""

    rows: int
    predicted: float = Field(description="mean probability")
    observed: float = Field(description="share of rows of the class")


class Calibration(Frozen):
    """How far probabilities are from frequencies, on groups of equally many rows.

    Of the positive class of two; of several, of whichever class the model chose.
    """

    candidate: Estimate = Field(description="expected calibration error")
    baseline: Estimate | None
    bins: tuple[CalibrationBin, ...] = Field(description="of the candidate")
    by_chance: float = Field(
        0.0, description="error to be expected of perfect probabilities on so many rows"
    )


class GroupScore(Frozen):
    """One metric of the candidate on one group of rows."""

    group: str = Field(description="the value of the column, as text; ``missing`` where it is")
    rows: int
    counted: int = Field(
        0,
        description="of these, rows the metric is a mean of: for the rate of true positives, the "
        "positive ones",
    )
    value: float | None = Field(description="None where too few are counted")


class FairnessGap(Frozen):
    """How far apart the groups of one column are."""

    by: str
    metric: str
    groups: tuple[GroupScore, ...] = Field(description="the largest first")
    gap: Estimate | None = Field(
        description="largest difference between two assessed groups; None with fewer than two"
    )
    why: str = Field("", description="why there is no gap; empty where there is one")


class Explained(Frozen):
    """How much of the target a few columns alone explain, by a shallow tree or a straight line."""

    columns: tuple[str, ...]
    share: float = Field(
        description="of the squared deviations from the mean, on rows that it was not fitted on; "
        "of classes: of their indicators"
    )


class Explanation(Frozen):
    """How much of the target the models explain, and how much one or two columns do."""

    rows: int = Field(description="of the holdout, on which the shares are taken")
    candidate: float = Field(description="share, as of ``Explained``")
    baseline: float | None = Field(description="of the champion; None where there is none")
    column: Explained | None = Field(description="the column that explains most by itself")
    pair: Explained | None = Field(
        description="the two columns that do, of those that matter most to the candidate"
    )


class ImportanceGroup(Frozen):
    """Columns shuffled together, all with one order of the rows."""

    columns: tuple[str, ...]
    importance: float = Field(description="permutation importance of all of them at once")
    kind: Literal["correlated", "rest"] = Field(
        description="correlated: each tells the others, so that none is missed alone; rest: one of "
        "very many columns, of which no single one was shuffled alone"
    )


class Disturbed(Frozen):
    """The primary metric on a sample of the holdout when its inputs are disturbed."""

    what: str = Field(description="``noise``, or the name of a feature that is missing everywhere")
    kind: Literal["noise", "missing"] = Field(
        "missing", description="a feature may be called noise as well"
    )
    rows: int
    before: float | None = Field(description="None where the metric is undefined on these rows")
    after: float | None = Field(
        description="None where the predictions were not finite, or where ``before`` is"
    )
    worse: float | None = Field(
        description="how much worse, in the metric's unit; negative: better"
    )
    trouble: str = Field(
        "", description="why there are no finite predictions; empty where there are"
    )
