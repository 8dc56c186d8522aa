"""Scores from sums over resampling units: exact on all rows, fast on resamples.

A metric is a formula in its own file (``contracts/spec/metrics``); here is what it is a formula of.

A metric of a resample needs no rows: with ``sums[u]`` what unit ``u`` adds and ``counts`` how often
it was drawn, ``counts @ sums`` holds the sums of every resample at once. Means, root means, R²,
recalls and F1 are exact functions of such sums. Ranks and medians are functions of histograms,
which are sums too: exact while there are no more distinct values than ``BINS``, else over narrow
bins, and shifted so that the undisturbed sample gives the exact score.

Where rows are weighted, every sum is one of weights: the number of rows is the sum of their
weights, and a mean is a ratio of two sums, whose parts by unit are those of a ratio estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from everfit.contracts.spec.metric import (
    ClassCounts,
    Column,
    MeanLoss,
    MedianLoss,
    Metric,
    Ranks,
    Sums,
)
from everfit.contracts.spec.metrics import METRICS, Task, metrics_of
from everfit.ml.scoring.medians import loss_bins, median_by_bins, weighted_median
from everfit.ml.scoring.resampling import Floats, Integers, Resampling, totals
from everfit.ml.scoring.scored import Scored, values_of

if TYPE_CHECKING:
    from everfit.contracts.spec.metric import Array, Arrays, Counts, Totals

BINS = 512
NOTHING = 1e-12
"""Of a sum of weights: what is left of it when all that was in it is taken away."""
CHUNK = 500
"""Resamples in memory at once."""

Formula = Callable[[Floats], Floats]
"""(R, m) sums → (R,) scores; NaN where undefined."""


@dataclass(frozen=True)
class MetricSums:
    """Some metrics that share their sums.

    Attributes
    ----------
    sums : (units, m) float64 array
    formulas : mapping
        metric → formula.
    exact : mapping
        metric → its value on all rows, by the definition.
    smooth : bool
        Whether the metrics follow a small change of the rows smoothly; a median moves in steps.
    weighted : bool
        Whether the sums are of weights, so that a difference of two is not exact.
    """

    sums: Floats
    formulas: Mapping[str, Formula]
    exact: Mapping[str, float]
    smooth: bool = True
    weighted: bool = False

    def replicates(self, counts: Floats) -> dict[str, Floats]:
        """Each metric's value on each resample: metric → (R,) array."""
        found: dict[str, list[Floats]] = {name: [] for name in self.formulas}
        with np.errstate(all="ignore"):
            total = self.sums.sum(axis=0, keepdims=True)
            shift = {
                name: self.exact[name] - formula(total)[0]
                for name, formula in self.formulas.items()
            }
            for start in range(0, len(counts), CHUNK):
                drawn = counts[start : start + CHUNK] @ self.sums
                for name, formula in self.formulas.items():
                    found[name].append(formula(drawn) + shift[name])
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def parts(self, metric: str) -> Floats:
        """The part of each unit in a metric: its pseudo-value less the metric on all rows.

        Each unit is left out once (the jackknife). Where that moves a metric in steps, each is
        repeated instead as often as chance repeats all of them: ``sqrt(units)`` more times.

        Returns
        -------
        (units,) float64 array
            The unit sums of a mean, less their share of it; NaN where undefined without the unit.

        References
        ----------
        .. [1] Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11: why the
           jackknife fails for a median, and why larger steps do not.
        """
        units = len(self.sums)
        more = -1.0 if self.smooth else float(np.sqrt(units))
        formula = self.formulas[metric]
        with np.errstate(all="ignore"):
            total = self.sums.sum(axis=0, keepdims=True)
            left = total + more * self.sums
            if self.weighted:
                left = np.where(np.abs(left) <= NOTHING * np.abs(total), 0.0, left)
            moved = formula(left) - formula(total)[0]
        return np.asarray(moved * ((units + more) / more))


def metric_sums(scored: Scored, resampling: Resampling) -> tuple[MetricSums, ...]:
    """Every metric of the task, grouped by the sums they share.

    Parameters
    ----------
    scored : Scored
        At least one row, every score finite.
    resampling : Resampling
        Of the same rows.

    Examples
    --------
    Two units of two rows: errors of 1 and 3, and of 2 and 2.

    >>> scored = Scored("regression", np.zeros(4), np.array([1.0, 3.0, 2.0, 2.0]))
    >>> resampling = Resampling(np.array([0, 0, 1, 1]), 2, np.array([[2.0, 0.0], [0.0, 2.0]]), "")
    >>> sums, _ = metric_sums(scored, resampling)
    >>> sums.exact["mae"], sums.replicates(resampling.counts)["mae"]
    (2.0, array([2., 2.]))
    """
    return _grouped([METRICS[name] for name in metrics_of(scored.task)], scored, resampling)


def exact_score(metric: str, scored: Scored) -> float:
    """One metric on all rows, by its definition; NaN where undefined or a score is not finite."""
    if not scored.rows or scored.not_finite:
        return float("nan")
    one = Resampling(np.zeros(scored.rows, dtype=np.int64), 1, np.ones((1, 1)), "")
    (group,) = _grouped([METRICS[metric]], scored, one)
    return group.exact[metric]


def with_one_more(metric: str, scored: Scored, rows: Scored) -> Floats | None:
    """The influence of one more row on a metric: its part of the score, were it among the others.

    Parameters
    ----------
    metric : str
    scored : Scored
        The n rows there are, every score finite.
    rows : Scored
        N rows that might come next, of the same classes.

    Returns
    -------
    (N,) float64 array or None
        Of a mean of losses: the row's loss less the mean. None where the metric is a matter of
        ranks or of a median, which one row moves by little.

    Examples
    --------
    >>> scored = Scored("regression", np.zeros(2), np.array([1.0, 3.0]))
    >>> with_one_more("mae", scored, Scored("regression", np.zeros(1), np.array([5.0])))
    array([3.])
    """
    if isinstance(METRICS[metric].estimate, Ranks | MedianLoss):
        return None
    every, each = np.zeros(scored.rows, dtype=np.int64), np.arange(rows.rows)
    with np.errstate(all="ignore"):
        now = _summed([METRICS[metric]], scored, every, 1)
        more = _summed([METRICS[metric]], rows, each, rows.rows)
        formula = now.formulas[metric]
        moved = formula(now.sums + more.sums) - formula(now.sums)[0]
    return np.asarray(moved * (scored.rows + 1))


def slope_of_losses(metric: str, scored: Scored) -> float | None:
    """How much worse a metric is for one row that loses the mean loss more than the mean row does.

    Parameters
    ----------
    metric : str
    scored : Scored
        The n rows there are, every score finite.

    Returns
    -------
    float or None
        The part of such a row, as ``with_one_more`` counts it, without its sign. None where the
        metric is no formula of sums of its row losses.
    """
    columns = _columns(METRICS[metric])
    if METRICS[metric].row_loss.of not in columns:
        return None
    place = 1 + columns.index(METRICS[metric].row_loss.of)
    with np.errstate(all="ignore"):
        now = _summed([METRICS[metric]], scored, np.zeros(scored.rows, dtype=np.int64), 1)
        row = now.sums / scored.rows
        step = 1e-6  # of a mean loss: what is asked for is a slope
        row[:, place] *= 1 + step
        moved = now.formulas[metric](now.sums + row) - now.formulas[metric](now.sums)
    return float(abs(moved[0]) * (scored.rows + 1) / step)


def score(metric: str, truth: Any, predictions: Any, positive: int = 1) -> float:
    """A metric of plain arrays.

    Parameters
    ----------
    metric : str
        One of ``METRICS``.
    truth : (n,) array-like
        Target values of a regression, else class codes ``0 … k - 1``.
    predictions : (n,) or (n, k) array-like
        Predictions, probabilities of class 1, or probabilities of each class.
    positive : int
        Binary: the code of the class whose probability is scored.

    Returns
    -------
    float
        As the metric defines it: an error where less is better, not its negative. NaN where it is
        undefined, or a prediction is not finite.

    Examples
    --------
    >>> score("mae", [1, 2, 3, 10], [1, 3, 3, 6])
    1.25
    >>> score("accuracy", [0, 1, 1], [0.2, 0.9, 0.3]) == 2 / 3
    True
    """
    scores = np.asarray(predictions, dtype=np.float64)
    if METRICS[metric].reads == "number":
        return exact_score(metric, Scored.of("regression", np.asarray(truth, np.float64), scores))
    if scores.ndim == 1:
        scores = np.column_stack([1 - scores, scores])
    task: Task = "binary" if scores.shape[1] == 2 else "multiclass"
    return exact_score(metric, Scored.of(task, np.asarray(truth, np.int64), scores, positive))


def _grouped(
    metrics: Sequence[Metric], scored: Scored, resampling: Resampling
) -> tuple[MetricSums, ...]:
    unit, units = resampling.unit, resampling.units
    summed = [one for one in metrics if isinstance(one.estimate, MeanLoss | Sums | ClassCounts)]
    ranked = [one for one in metrics if isinstance(one.estimate, Ranks)]
    middle = [one for one in metrics if isinstance(one.estimate, MedianLoss)]
    with np.errstate(all="ignore"):  # what overflows is infinite, and is reported as such
        groups = [_summed(summed, scored, unit, units)] if summed else []
        groups += [_ranked(ranked, scored, unit, units)] if ranked else []
        groups += [_median(one, scored, unit, units) for one in middle]
    return tuple(groups)


@dataclass(frozen=True)
class _Totals:
    """Columns of (R, m) sums, as ``contracts.spec.metric.Totals``."""

    sums: Floats
    places: tuple[int, ...]

    @property
    def rows(self) -> Floats:
        return self.sums[:, 0]

    def __getitem__(self, place: int) -> Floats:
        return self.sums[:, self.places[place]]


@dataclass(frozen=True)
class _Counts:
    """Rows by class, (R, k) each, as ``contracts.spec.metric.Counts``."""

    correct: Floats
    actual: Floats
    predicted: Floats
    positive: int


def _summed(metrics: Sequence[Metric], scored: Scored, unit: Integers, units: int) -> MetricSums:
    """Metrics that are formulas of sums of columns, and of rows counted by class."""
    places: dict[Column, int] = {}
    formulas: dict[str, Formula] = {}
    for metric in metrics:
        for column in _columns(metric):
            places.setdefault(column, len(places) + 1)
    weight = scored.weight
    columns = [np.ones(scored.rows), *(values_of(column, scored) for column in places)]
    if weight is not None:
        columns = [weight * column for column in columns]
    parts = [np.column_stack([totals(column, unit, units) for column in columns])]
    first = len(columns)
    k = 0
    if any(isinstance(metric.estimate, ClassCounts) for metric in metrics):
        actual, predicted = scored.truth.astype(np.int64), scored.predicted_class
        correct, k = actual == predicted, scored.scores.shape[1]
        of_correct = None if weight is None else weight[correct]
        parts.append(_histogram(actual[correct], unit[correct], units, k, of_correct))
        parts.append(_histogram(actual, unit, units, k, weight))
        parts.append(_histogram(predicted, unit, units, k, weight))
    for metric in metrics:
        own = tuple(places[column] for column in _columns(metric))
        formulas[metric.name] = _formula(metric, own, (first, k), scored.positive)
    sums = np.hstack(parts)
    return MetricSums(sums, formulas, _on_all(sums, formulas), weighted=weight is not None)


def _columns(metric: Metric) -> tuple[Column, ...]:
    if isinstance(metric.estimate, Sums):
        return metric.estimate.columns
    return (metric.row_loss.of,) if isinstance(metric.estimate, MeanLoss) else ()


def _formula(
    metric: Metric, places: tuple[int, ...], counted: tuple[int, int], positive: int
) -> Formula:
    """A metric's formula of all the sums, of which it picks its own.

    Parameters
    ----------
    places : tuple of int
        Columns of the sums that the metric asks for.
    counted : (first, k)
        Where the three counts of k classes each begin.
    """
    estimate, xp = metric.estimate, cast("Arrays", np)
    if isinstance(estimate, Sums):
        score_of = estimate.score
        return lambda s: _floats(score_of(cast("Totals", _Totals(s, places)), xp))
    if isinstance(estimate, ClassCounts):
        count_score, (first, k) = estimate.score, counted

        def by_class(s: Floats) -> Floats:
            correct, actual, predicted = (
                s[:, first + n * k : first + (n + 1) * k] for n in range(3)
            )
            counts = _Counts(correct, actual, predicted, positive)
            return _floats(count_score(cast("Counts", counts), xp))

        return by_class
    of_mean = metric.of_mean_loss
    assert of_mean is not None, f"{metric.name} is no function of its mean row loss"
    return lambda s: _floats(of_mean(cast("Array", s[:, places[0]] / s[:, 0]), xp))


def _ranked(metrics: Sequence[Metric], scored: Scored, unit: Integers, units: int) -> MetricSums:
    """Metrics that are formulas of positives and negatives at each probability."""
    formulas = {metric.name: _rank_formula(cast("Ranks", metric.estimate)) for metric in metrics}
    positive = scored.is_positive
    weight = scored.weight
    levels, level = np.unique(scored.probability, return_inverse=True)
    yes, no = (
        totals(mask if weight is None else mask * weight, level, levels.size)
        for mask in (positive, ~positive)
    )
    every = np.concatenate([yes, no])[None, :]
    exact = _on_all(every, formulas)
    if levels.size > BINS:
        # half of a bin's place by rank among all rows, half by rank among the positives, so that
        # the few top scores which make up a precision are resolved too
        place = (_middle_rank(yes + no) + _middle_rank(yes)) / 2
        level = np.minimum((place * BINS).astype(np.int64), BINS - 1)[level]
    bins = int(level.max()) + 1
    sums = np.hstack(
        [
            _histogram(
                level[mask], unit[mask], units, bins, None if weight is None else weight[mask]
            )
            for mask in (positive, ~positive)
        ]
    )
    return MetricSums(sums, formulas, exact, weighted=weight is not None)


def _rank_formula(estimate: Ranks) -> Formula:
    def formula(s: Floats) -> Floats:
        yes, no = (cast("Array", part) for part in np.hsplit(s, 2))
        return _floats(estimate.score(yes, no, cast("Arrays", np)))

    return formula


def _median(metric: Metric, scored: Scored, unit: Integers, units: int) -> MetricSums:
    """The median row loss, by a histogram of the losses."""
    loss = values_of(metric.row_loss.of, scored)
    weight = scored.weight
    if weight is not None:  # a row of no weight is no place for a median to be
        there = weight > 0
        loss, unit, weight = loss[there], unit[there], weight[there]
    bins, low, high = loss_bins(loss, weight, BINS)
    sums = _histogram(bins, unit, units, low.size, weight)
    value = np.median(loss) if weight is None else weighted_median(loss, weight)
    exact = {metric.name: float(value)}
    formulas = {metric.name: median_by_bins(low, high)}
    return MetricSums(sums, formulas, exact, False, weight is not None)


def _floats(values: Array) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _middle_rank(counts: Floats) -> Floats:
    reached = np.cumsum(counts)
    return (reached - counts / 2) / (float(reached[-1]) or 1.0)


def _histogram(
    bin_of: Integers, unit: Integers, units: int, bins: int, weight: Floats | None = None
) -> Floats:
    counts = np.bincount(unit * bins + bin_of, weight, minlength=units * bins)
    return counts.reshape(units, bins).astype(np.float64)


def _on_all(sums: Floats, formulas: Mapping[str, Formula]) -> dict[str, float]:
    with np.errstate(all="ignore"):
        total = sums.sum(axis=0, keepdims=True)
        return {name: float(formula(total)[0]) for name, formula in formulas.items()}
