"""How far apart groups of rows are: fairlearn's metrics by group, with intervals of the gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.contracts.messages.evidence import FairnessGap, GroupScore
from everfit.contracts.spec.gate import FairnessSpec, GroupMetric
from everfit.ml.model import class_texts
from everfit.ml.scoring.resampling import Floats, Integers, Resampling, totals
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.gap_interval import size_estimate

if TYPE_CHECKING:
    import pandas as pd

MOST_GROUPS = 50
MISSING = "missing"


def fairness_gaps(
    items: Sequence[FairnessSpec],
    frame: pd.DataFrame,
    candidate: Scored,
    resampling: Resampling,
    confidence: float,
) -> tuple[FairnessGap, ...]:
    """Largest difference of a metric between two groups, for each item.

    Parameters
    ----------
    items : sequence of FairnessSpec
    frame : (n, ...) DataFrame
        Holdout rows with every column that names a group.
    candidate : Scored
    resampling : Resampling
        Of the same rows.
    confidence : float

    Returns
    -------
    tuple of FairnessGap
        ``gap`` is None, and ``why`` says why, where fewer than two groups are large enough, a
        column has more than ``MOST_GROUPS`` values, or a prediction is not finite.
    """
    return tuple(_gap(item, frame, candidate, resampling, confidence) for item in items)


def _gap(
    item: FairnessSpec,
    frame: pd.DataFrame,
    candidate: Scored,
    resampling: Resampling,
    confidence: float,
) -> FairnessGap:
    def unknown(why: str, found: Sequence[GroupScore] = ()) -> FairnessGap:
        return FairnessGap(by=item.by, metric=item.metric, groups=tuple(found), gap=None, why=why)

    if item.by not in frame:
        return unknown(f"the holdout has no column {item.by!r}")
    if candidate.not_finite or not candidate.rows:
        return unknown("not every prediction is finite" if candidate.rows else "there are no rows")
    names, group = group_names(frame[item.by])
    if len(names) > MOST_GROUPS:
        return unknown(
            f"{item.by!r} has {len(names):,} different values, at most {MOST_GROUPS} are compared"
        )
    amount, counts = _amount(item.metric, candidate)
    if candidate.weight is not None:
        counts = counts & (candidate.weight > 0)
    rows = np.bincount(group, minlength=len(names))
    counted = np.bincount(group[counts], minlength=len(names))
    large = counted >= item.min_rows
    values = _by_group(item.metric, candidate, group, large)
    order = sorted(range(len(names)), key=lambda place: (-rows[place], names[place]))
    found = [
        GroupScore(
            group=names[place],
            rows=int(rows[place]),
            counted=int(counted[place]),
            value=values.get(place),
        )
        for place in order
    ]
    if len(values) < 2:
        some = "only one group has" if values else "no group has"
        return unknown(f"{some} {item.min_rows:,} rows {_which(item.metric)}", found)
    place = resampling.unit * len(names) + group
    cells = resampling.units * len(names)
    weight = np.ones(amount.size) if candidate.weight is None else candidate.weight
    sums, sizes = (
        totals(part[counts], place[counts], cells).reshape(-1, len(names))[:, large]
        for part in (amount * weight, weight)
    )
    with np.errstate(all="ignore"):
        means = (resampling.counts @ sums) / (resampling.counts @ sizes)
    gap = size_estimate(
        lambda parts: np.ptp(parts, axis=-1),
        np.array([values[place] for place in np.flatnonzero(large).tolist()]),
        means,
        resampling,
        rows=int(counted[large].sum()),
        confidence=confidence,
    )
    if gap is None:
        return unknown("the groups are of too few independent rows for an interval", found)
    return FairnessGap(by=item.by, metric=item.metric, groups=tuple(found), gap=gap)


def group_names(values: pd.Series[Any]) -> tuple[list[str], Integers]:
    """Names of the groups, and the place of each row's among them.

    Texts of the values, in their order; ``missing`` comes last. Shape of the second: (n,).
    """
    import pandas as pd

    place, kinds = pd.factorize(values, sort=True)
    names = [str(text) for text in class_texts(kinds)] if len(kinds) else []
    if (place < 0).any():
        place = np.where(place < 0, len(names), place)
        names.append(MISSING)
    return names, np.asarray(place, dtype=np.int64)


def _amount(metric: GroupMetric, scored: Scored) -> tuple[Floats, Any]:
    """What a metric is the mean of, and the rows it is a mean over. Shapes (n,)."""
    everyone = np.ones(scored.rows, dtype=bool)
    if metric in ("mean_error", "mae"):
        error = np.asarray(scored.scores - scored.truth, dtype=np.float64)
        return (np.abs(error) if metric == "mae" else error), everyone
    if metric == "accuracy":
        return (scored.predicted_class == scored.truth).astype(np.float64), everyone
    selected = (scored.predicted_class == scored.positive).astype(np.float64)
    if metric == "selection_rate":
        return selected, everyone
    positive = scored.is_positive
    return selected, positive if metric == "true_positive_rate" else ~positive


def _by_group(metric: GroupMetric, scored: Scored, group: Integers, large: Any) -> dict[int, float]:
    """The metric of each large group, as fairlearn computes it."""
    if not large.any():
        return {}
    from fairlearn.metrics import MetricFrame

    truth: Any = scored.truth
    predicted: Any = scored.scores if scored.task == "regression" else scored.predicted_class
    if scored.task == "binary":
        truth, predicted = ((x == scored.positive).astype(np.int64) for x in (truth, predicted))
    rows = large[group]
    weighed: dict[str, Any] = {}
    if scored.weight is not None:
        weighed = {"sample_params": {metric: {"sample_weight": scored.weight[rows]}}}
    frame = MetricFrame(
        metrics={metric: _function(metric)},
        y_true=truth[rows],
        y_pred=predicted[rows],
        sensitive_features=group[rows],
        **weighed,
    )
    return {int(place): float(value) for place, value in frame.by_group[metric].items()}


def _function(metric: GroupMetric) -> Callable[..., float]:
    from fairlearn.metrics import (
        false_positive_rate,
        mean_prediction,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score, mean_absolute_error

    def mean_error(truth: Any, predicted: Any, sample_weight: Any = None) -> float:
        error = np.asarray(predicted) - np.asarray(truth)
        return float(mean_prediction(truth, error, sample_weight=sample_weight))

    functions: dict[str, Callable[..., float]] = {
        "selection_rate": partial(selection_rate, pos_label=1),
        "true_positive_rate": partial(true_positive_rate, pos_label=1),
        "false_positive_rate": partial(false_positive_rate, pos_label=1),
        "accuracy": accuracy_score,
        "mean_error": mean_error,
        "mae": mean_absolute_error,
    }
    return functions[metric]


def _which(metric: GroupMetric) -> str:
    return {
        "true_positive_rate": "of the positive class",
        "false_positive_rate": "of the other",
    }.get(metric, "or more")
