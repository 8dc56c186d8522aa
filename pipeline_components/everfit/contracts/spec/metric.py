"""A metric: its names and words, and its score as a formula of sums over rows.

Each metric is one file in ``metrics/``, which a registry finds. The spec must know every metric
where no array library is installed, so a formula imports none: it is given the library its arrays
are of (as in the array API standard), and ``everfit.ml.scoring`` sums and counts for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Task = Literal["regression", "binary", "multiclass"]

Reads = Literal["number", "class", "probability"]
"""The part of a prediction that a metric reads: of a class, which one is the most probable."""


class Array(Protocol):
    """As much of an array as a formula needs."""

    def __add__(self, other: Array | float, /) -> Array: ...
    def __radd__(self, other: float, /) -> Array: ...
    def __sub__(self, other: Array | float, /) -> Array: ...
    def __rsub__(self, other: float, /) -> Array: ...
    def __mul__(self, other: Array | float, /) -> Array: ...
    def __rmul__(self, other: float, /) -> Array: ...
    def __truediv__(self, other: Array | float, /) -> Array: ...
    def __rtruediv__(self, other: float, /) -> Array: ...
    def __pow__(self, other: float, /) -> Array: ...
    def __neg__(self) -> Array: ...
    def __abs__(self) -> Array: ...
    def __gt__(self, other: Array | float, /) -> Array: ...
    def __lt__(self, other: Array | float, /) -> Array: ...
    def __getitem__(self, place: tuple[slice, int], /) -> Array: ...
    def sum(self, axis: int) -> Array:
        """Sums along an axis."""

    def mean(self) -> Array:
        """The mean of all values."""


class Arrays(Protocol):
    """The array library, as far as formulas call it."""

    def sqrt(self, values: Array, /) -> Array:
        """Square roots."""

    def exp(self, values: Array, /) -> Array:
        """Exponentials."""

    def log(self, values: Array, /) -> Array:
        """Natural logarithms."""

    def clip(self, values: Array, low: float, high: float, /) -> Array:
        """Values moved into an interval."""

    def where(self, condition: Array, one: Array | float, other: Array | float, /) -> Array:
        """One value where a condition holds, the other elsewhere."""

    def cumsum(self, values: Array, /, axis: int) -> Array:
        """Running sums along an axis."""

    def flip(self, values: Array, /, axis: int) -> Array:
        """The same in the opposite order."""


class Rows(Protocol):
    """Predictions beside the truth, one value a row; see ``everfit.ml.scoring.scored``."""

    @property
    def truth(self) -> Array:
        """Target values, or class codes."""

    @property
    def prediction(self) -> Array:
        """Of a regression."""

    @property
    def probability(self) -> Array:
        """Binary: of the positive class."""

    @property
    def is_positive(self) -> Array:
        """Binary: 1 where the row is of the positive class."""

    @property
    def true_class_probability(self) -> Array:
        """The probability given to the true class."""

    @property
    def is_correct(self) -> Array:
        """1 where the most probable class is the true one."""


Column = Callable[[Rows, Arrays], Array]
"""One value for each row."""


@dataclass(frozen=True)
class RowLoss:
    """The loss of one row; less is better."""

    title: str
    of: Column


class Totals(Protocol):
    """Sums over rows, for each of many samples: one value a sample."""

    @property
    def rows(self) -> Array:
        """Number of rows; where they are weighted, the sum of their weights."""

    def __getitem__(self, place: int, /) -> Array:
        """The sum of a column, by its place in ``Sums.columns``."""


class Counts(Protocol):
    """Rows, or their weights, by class, for each of many samples: one value a sample and class."""

    @property
    def actual(self) -> Array:
        """Rows of each class."""

    @property
    def predicted(self) -> Array:
        """Rows for which it is the most probable class."""

    @property
    def correct(self) -> Array:
        """Rows of each class for which it is the most probable one."""

    @property
    def positive(self) -> int:
        """Binary: place of the positive class."""


@dataclass(frozen=True)
class MeanLoss:
    """The mean row loss, as ``Metric.of_mean_loss`` reads it."""


@dataclass(frozen=True)
class Sums:
    """A formula of sums of columns."""

    columns: tuple[Column, ...]
    score: Callable[[Totals, Arrays], Array]


@dataclass(frozen=True)
class ClassCounts:
    """A formula of how many rows are of, and predicted as, each class."""

    score: Callable[[Counts, Arrays], Array]


@dataclass(frozen=True)
class Ranks:
    """A formula of positives and negatives at each probability, in rising order.

    Both arrays hold a row for each sample and a column for each distinct probability.
    """

    score: Callable[[Array, Array, Arrays], Array]


@dataclass(frozen=True)
class MedianLoss:
    """The median row loss."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """Everything that is to be said of a metric."""

    name: str
    """As specs and files write it; the name of its module."""
    title: str
    """As people write it, in the middle of a sentence: ``MAE``, ``log loss``."""
    words: str
    """In full: ``mean absolute error``; the title again where that says it all."""
    meaning: str
    """Its definition in a phrase, for the documentation."""
    tasks: tuple[Task, ...]
    greater_is_better: bool
    reads: Reads
    lowest: float = 0.0
    highest: float = math.inf
    in_target_unit: bool = False
    """Whether it is measured in the unit of the target."""
    row_loss: RowLoss
    """The loss of a row that goes with it: what resampling and drift of the loss look at."""
    of_mean_loss: Callable[[Array, Arrays], Array] | None = None
    """The metric by the mean row loss, where it is a function of it."""
    mean_of_losses: bool = False
    """Whether that function is linear: a gain is then a mean of paired differences of losses."""
    estimate: MeanLoss | Sums | ClassCounts | Ranks | MedianLoss = MeanLoss()
    """The score as a formula of what is summed over rows."""

    @property
    def full_title(self) -> str:
        """``MAE (mean absolute error)``, or the title alone where that says it all."""
        return self.title if self.title == self.words else f"{self.title} ({self.words})"

    @property
    def sign(self) -> float:
        """Of a gain: 1 where greater is better, else -1, times the difference of two scores."""
        return 1.0 if self.greater_is_better else -1.0

    @property
    def range(self) -> str:
        """Between which values it lies, in words: ``0 to 1``, ``at least 0``."""
        if math.isinf(self.highest):
            return f"at least {self.lowest:g}"
        if math.isinf(self.lowest):
            return f"at most {self.highest:g}"
        return f"{self.lowest:g} to {self.highest:g}"


def itself(mean: Array, xp: Arrays) -> Array:  # noqa: ARG001
    """A metric that is the mean row loss."""
    return mean


def where_positive(values: Array, xp: Arrays) -> Array:
    """NaN where not positive: a score divided by it is undefined."""
    return xp.where(values > 0, values, math.nan)
