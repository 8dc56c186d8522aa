"""What a row would do to a score, or to the difference of two, were it as heavy as rows that count.

Where rows are weighted, the worst row of a sample may be a light one, and the heavy ones happen to
be good: neither the mean nor its spread then knows what a bad and heavy row costs. Weights and
losses are known apart, so the worst loss is reckoned with at the weight of a row drawn by weight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from everfit.ml.scoring.metric_sums import with_one_more
from everfit.ml.scoring.resampling import Floats
from everfit.ml.scoring.scored import Scored


@dataclass(frozen=True)
class HeavyRows:
    """How far one row may take a mean, in the unit of its parts; 0 where rows are not weighted."""

    worst: float = 0.0
    """At most 0."""
    best: float = 0.0
    """At least 0."""


def as_heavy(metric: str, scored: Scored) -> Floats | None:
    """The part in a metric of each row that has a weight, as if it were a typical heavy one.

    Parameters
    ----------
    metric : str
    scored : Scored
        n weighted rows, every score finite.

    Returns
    -------
    (m,) float64 array or None
        None where rows are not weighted, and where the metric is a matter of ranks or of a median.

    Examples
    --------
    The row of loss 9 weighs 1; a row drawn by weight weighs 2.5 on average.

    >>> rows = Scored("regression", np.zeros(2), np.array([9.0, 1.0]), weight=np.array([1.0, 3.0]))
    >>> as_heavy("mae", rows)
    array([ 6.92307692, -2.30769231])
    """
    weight = scored.weight
    if weight is None or not weight.any():
        return None
    rows = scored.part(weight > 0)
    assert rows.weight is not None
    shares = rows.weight / rows.weight.max()
    typical = rows.weight.max() * float((shares @ shares) / shares.sum())
    return with_one_more(metric, scored, replace(rows, weight=np.full(rows.rows, typical)))


def heavy_rows(parts: Floats | None) -> HeavyRows:
    """The worst and the best of some parts; nothing of none.

    Parameters
    ----------
    parts : (m,) float array or None
        Above 0 where better.
    """
    if parts is None or not parts.size:
        return HeavyRows()
    fine = np.where(np.isfinite(parts), parts, 0.0)
    return HeavyRows(min(float(fine.min()), 0.0), max(float(fine.max()), 0.0))
