"""How far probabilities are from frequencies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from everfit.contracts.messages.evidence import Calibration, CalibrationBin
from everfit.contracts.messages.verdicts import Estimate
from everfit.ml.scoring.resampling import Floats, Integers, Resampling, totals
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.gap_interval import size_estimate

GROUPS = 10
GROUP_ROWS = 100
"""At least so many rows a group has, as long as that leaves two groups."""


def calibration(
    scored: Mapping[str, Scored], resampling: Resampling, confidence: float
) -> Calibration | None:
    """Expected calibration error of candidate and baseline: the mean of |frequency - probability|.

    Over groups of equally many rows of like probability, weighted by rows. Of two classes it is
    the positive one's probability; of several, that of the class the model chose.

    Parameters
    ----------
    scored : mapping
        ``candidate`` and, where it could be scored, ``baseline``.
    resampling : Resampling
        Of the same rows.
    confidence : float

    Returns
    -------
    Calibration or None
        None for a regression, without rows, and where a probability is not finite.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
       equation 3.
    .. [2] Nguyen, O'Connor, "Posterior calibration and exploratory analysis for natural language
       processing models", EMNLP 2015: groups of equally many rows.
    """
    candidate = scored["candidate"]
    if candidate.task == "regression" or not candidate.rows or candidate.not_finite:
        return None
    ours = _error(candidate, resampling, confidence)
    if ours is None:
        return None
    baseline = scored.get("baseline")
    said, _ = said_and_came(candidate)
    group = groups(said)
    weight = _weights(candidate)
    noise = np.sqrt(totals(weight**2 * said * (1 - said), group, int(group.max()) + 1).clip(0))
    return Calibration(
        candidate=ours,
        baseline=None
        if baseline is None or baseline.not_finite
        else _error(baseline, resampling, confidence),
        bins=tuple(
            CalibrationBin(rows=int(count), predicted=float(mean), observed=float(share))
            for count, mean, share in zip(*curve(candidate), strict=True)
        ),
        by_chance=float(np.sqrt(2 / np.pi) * noise.sum() / weight.sum()),
    )


def said_and_came(scored: Scored) -> tuple[Floats, Floats]:
    """Probability of the class in question, and 1 where that class came true. Shapes (n,)."""
    if scored.task == "binary":
        return scored.probability, scored.is_positive.astype(np.float64)
    chosen = scored.predicted_class
    said = scored.scores[np.arange(scored.rows), chosen]
    return said, (chosen == scored.truth).astype(np.float64)


def groups(said: Floats) -> Integers:
    """Group of each row: equally many rows of like probability, equal ones together. Shape (n,)."""
    count = int(np.clip(said.size // GROUP_ROWS, 2, GROUPS))
    inner = np.quantile(said, np.linspace(0, 1, count + 1)[1:-1])
    group = np.searchsorted(np.unique(inner), said, side="right")
    return np.asarray(np.unique(group, return_inverse=True)[1], dtype=np.int64)


def curve(scored: Scored) -> tuple[Integers, Floats, Floats]:
    """Rows, mean probability and share that came true of each group, by rising probability."""
    said, came = said_and_came(scored)
    group = groups(said)
    rows = np.bincount(group)
    weight = _weights(scored)
    size = totals(weight, group, rows.size)
    size = np.where(size > 0, size, np.nan)
    mean, share = (
        np.nan_to_num(totals(values * weight, group, rows.size) / size) for values in (said, came)
    )
    return rows, mean, share


def _weights(scored: Scored) -> Floats:
    """How much each row counts. Shape (n,)."""
    return np.ones(scored.rows) if scored.weight is None else scored.weight


def _error(scored: Scored, resampling: Resampling, confidence: float) -> Estimate | None:
    said, came = said_and_came(scored)
    group = groups(said)
    count = int(group.max()) + 1
    place = resampling.unit * count + group
    weight = _weights(scored)
    apart = totals((said - came) * weight, place, resampling.units * count).reshape(-1, count)
    size = totals(weight, resampling.unit, resampling.units)
    means = (resampling.counts @ apart) / (resampling.counts @ size)[:, None]
    return size_estimate(
        lambda parts: np.abs(parts).sum(axis=-1),
        apart.sum(axis=0) / size.sum(),
        means,
        resampling,
        rows=said.size,
        confidence=confidence,
    )
