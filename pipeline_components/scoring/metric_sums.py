"""Metrics as functions of sums over resampling units: exact on all rows, fast on resamples.

A metric of a resample needs no rows: with ``sums[u]`` what unit ``u`` adds and ``counts`` how often
it was drawn, ``counts @ sums`` holds the sums of every resample at once. Means, root means, R²,
recalls and F1 are exact functions of such sums. Ranks and medians are functions of histograms,
which are sums too: exact while there are no more distinct values than ``BINS``, else over narrow
bins, and shifted so that the undisturbed sample gives the exact score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .resampling import Floats, Integers, Resampling, totals
from .scored import Scored, row_losses

BINS = 512
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
    """

    sums: Floats
    formulas: Mapping[str, Formula]
    exact: Mapping[str, float]
    smooth: bool = True

    def replicates(self, counts: Floats) -> dict[str, Floats]:
        """Each metric's value on each resample: metric → (R,) array."""
        found: dict[str, list[Floats]] = {name: [] for name in self.formulas}
        with np.errstate(all="ignore"):
            total = self.sums.sum(axis=0, keepdims=True)
            shift = {name: self.exact[name] - formula(total)[0]
                     for name, formula in self.formulas.items()}  # fmt: skip
            for start in range(0, len(counts), CHUNK):
                drawn = counts[start : start + CHUNK] @ self.sums
                for name, formula in self.formulas.items():
                    found[name].append(formula(drawn) + shift[name])
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def parts(self, metric: str) -> Floats:
        """What each unit says of a metric: its pseudo-value less the metric on all rows.

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
            moved = formula(total + more * self.sums) - formula(total)[0]
        return np.asarray(moved * ((units + more) / more))


def metric_sums(scored: Scored, resampling: Resampling) -> tuple[MetricSums, ...]:
    """Every metric of the task, grouped by the sums they share.

    Parameters
    ----------
    scored : Scored
        At least one row, every score finite.
    resampling : Resampling
        Of the same rows.
    """
    unit, units = resampling.unit, resampling.units
    with np.errstate(all="ignore"):  # what overflows is infinite, and is reported as such
        if scored.task == "regression":
            return _errors(scored, unit, units), _median_error(scored, unit, units)
        if scored.task == "binary":
            return _classes(scored, unit, units), _ranks(scored, unit, units)
        return (_classes(scored, unit, units),)


def exact_score(metric: str, scored: Scored) -> float:
    """One metric on all rows, by its definition; NaN where undefined or a score is not finite."""
    if not scored.rows or scored.strange:
        return float("nan")
    one = Resampling(np.zeros(scored.rows, dtype=np.int64), 1, np.ones((1, 1)), "")
    for group in metric_sums(scored, one):
        if metric in group.exact:
            return group.exact[metric]
    raise KeyError(metric)


def _errors(scored: Scored, unit: Integers, units: int) -> MetricSums:
    error = scored.scores - scored.truth
    target = scored.truth - scored.truth.mean()  # centred, so that squares do not cancel
    columns = (np.ones(scored.rows), np.abs(error), error**2, target, target**2)
    sums = np.column_stack([totals(column, unit, units) for column in columns])
    formulas: dict[str, Formula] = {
        "mae": lambda s: s[:, 1] / s[:, 0],
        "rmse": lambda s: np.sqrt(s[:, 2] / s[:, 0]),
        "r2": lambda s: 1 - s[:, 2] / _positive(s[:, 4] - s[:, 3] ** 2 / s[:, 0]),
    }
    return MetricSums(sums, formulas, _on_all(sums, formulas))


def _median_error(scored: Scored, unit: Integers, units: int) -> MetricSums:
    error = np.abs(scored.scores - scored.truth)
    levels, level = np.unique(error, return_inverse=True)
    bins = np.arange(levels.size)
    if levels.size > BINS:
        # narrow bins where the medians of resamples are, a wide one on either side
        share = np.cumsum(np.bincount(level)) / error.size
        inner = np.floor((share - 0.3) / 0.4 * (BINS - 2)).astype(np.int64)
        bins = np.unique(np.clip(1 + inner, 0, BINS - 1), return_inverse=True)[1]
    edges = np.flatnonzero(np.diff(bins, prepend=-1))
    low, high = levels[edges], levels[np.append(edges[1:], levels.size) - 1]
    sums = _histogram(bins[level], unit, units, low.size)

    def median(drawn: Floats) -> Floats:
        reached = np.cumsum(drawn, axis=1)
        half = reached[:, -1] / 2
        at = (reached < half[:, None]).sum(axis=1)
        row = np.arange(len(drawn))
        inside = (half - (reached[row, at] - drawn[row, at])) / drawn[row, at]
        value: Floats = low[at] + inside * (high[at] - low[at])
        # half of an even number of rows lies exactly at a bin's end: the mean of both neighbours
        after = np.minimum((reached <= half[:, None]).sum(axis=1), low.size - 1)
        return np.asarray(np.where(reached[row, at] == half, (value + low[after]) / 2, value))

    exact = {"median_ae": float(np.median(error))}
    return MetricSums(sums, {"median_ae": median}, exact, smooth=False)


def _classes(scored: Scored, unit: Integers, units: int) -> MetricSums:
    truth, chosen = scored.truth.astype(np.int64), scored.chosen
    k = scored.scores.shape[1]
    means = [np.ones(scored.rows), row_losses("log_loss", scored), (chosen == truth) * 1.0]
    if scored.task == "binary":
        means.append(row_losses("brier", scored))
    hit = chosen == truth
    parts = [np.column_stack([totals(column, unit, units) for column in means])]
    parts.append(_histogram(truth[hit], unit[hit], units, k))
    parts.append(_histogram(truth, unit, units, k))
    parts.append(_histogram(chosen, unit, units, k))
    m = len(means)

    def recall(s: Floats) -> Floats:
        hits, of = s[:, m : m + k], s[:, m + k : m + 2 * k]
        return np.asarray(np.where(of > 0, hits / of, 0).sum(axis=1) / (of > 0).sum(axis=1))

    def f1(s: Floats) -> Floats:
        hits, either = s[:, m : m + k], s[:, m + k : m + 2 * k] + s[:, m + 2 * k :]
        return np.where(either > 0, 2 * hits / either, 0)

    formulas: dict[str, Formula] = {
        "log_loss": lambda s: s[:, 1] / s[:, 0],
        "accuracy": lambda s: s[:, 2] / s[:, 0],
        "balanced_accuracy": recall,
    }
    if scored.task == "binary":
        formulas["brier"] = lambda s: s[:, 3] / s[:, 0]
        formulas["f1"] = lambda s: f1(s)[:, scored.positive]
    else:
        formulas["f1_macro"] = lambda s: (
            f1(s).sum(axis=1) / (s[:, m + k : m + 2 * k] + s[:, m + 2 * k :] > 0).sum(axis=1)
        )
    sums = np.hstack(parts)
    return MetricSums(sums, formulas, _on_all(sums, formulas))


def _ranks(scored: Scored, unit: Integers, units: int) -> MetricSums:
    positive = scored.is_positive
    levels, level = np.unique(scored.probability, return_inverse=True)
    yes, no = (totals(mask, level, levels.size) for mask in (positive, ~positive))
    every = np.concatenate([yes, no])[None, :]
    formulas: dict[str, Formula] = {"roc_auc": _roc_auc, "average_precision": _average_precision}
    exact = _on_all(every, formulas)
    if levels.size > BINS:
        # half of a bin's place by rank among all rows, half by rank among the positives, so that
        # the few top scores which make up a precision are resolved too
        place = (_middle_rank(yes + no) + _middle_rank(yes)) / 2
        level = np.minimum((place * BINS).astype(np.int64), BINS - 1)[level]
    bins = int(level.max()) + 1
    sums = np.hstack(
        [_histogram(level[mask], unit[mask], units, bins) for mask in (positive, ~positive)]
    )
    return MetricSums(sums, formulas, exact)


def _roc_auc(sums: Floats) -> Floats:
    yes, no = np.hsplit(sums, 2)
    beaten = np.cumsum(no, axis=1) - no / 2
    return np.asarray((yes * beaten).sum(axis=1)) / _positive(yes.sum(axis=1) * no.sum(axis=1))


def _average_precision(sums: Floats) -> Floats:
    yes, no = (part[:, ::-1] for part in np.hsplit(sums, 2))
    found = np.cumsum(yes, axis=1)
    named = found + np.cumsum(no, axis=1)
    precision = np.where(named > 0, found / named, 0)
    return np.asarray((yes * precision).sum(axis=1)) / _positive(yes.sum(axis=1))


def _middle_rank(counts: Floats) -> Floats:
    reached = np.cumsum(counts)
    return (reached - counts / 2) / max(float(reached[-1]), 1.0)


def _positive(values: Floats) -> Floats:
    """NaN where not positive: a score divided by it is undefined."""
    return np.where(values > 0, values, np.nan)


def _histogram(bin_of: Integers, unit: Integers, units: int, bins: int) -> Floats:
    counts = np.bincount(unit * bins + bin_of, minlength=units * bins)
    return counts.reshape(units, bins).astype(np.float64)


def _on_all(sums: Floats, formulas: Mapping[str, Formula]) -> dict[str, float]:
    with np.errstate(all="ignore"):
        total = sums.sum(axis=0, keepdims=True)
        return {name: float(formula(total)[0]) for name, formula in formulas.items()}
