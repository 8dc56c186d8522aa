"""The worst that one more row may do to a gain, whether or not the holdout has such a row.

A holdout without a single bad row says nothing of bad rows: neither its mean nor its spread knows
them. What one *could* cost is known all the same. A row's truth may be any class, and of a number
the worst for the candidate is the one that the champion predicts: the champion is then right, and
the candidate as wrong as the two predictions lie apart. That needs no labels, so rows of the
training window count beside those of the holdout.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import gammainccinv

from everfit.contracts.spec.margins import Intention, Margin, sign_of
from everfit.contracts.spec.metrics import METRICS
from everfit.ml.scoring.metric_sums import with_one_more
from everfit.ml.scoring.resampling import Floats, Integers
from everfit.ml.scoring.scored import Scored

UNSEEN = 0.001
EVENTS = -np.log(UNSEEN)
"""So many bad rows may be expected where none is seen, with a chance of one in a thousand."""
_LEAST = 1e-15


def worst_gains(
    metric: str,
    holdout: tuple[Scored, Scored],
    known: tuple[Scored, Scored],
    intention: Intention,
    margin: Margin,
) -> Floats | None:
    """The worst part that each known row could have in the gain, whatever its truth.

    Parameters
    ----------
    metric : str
    holdout : (Scored, Scored)
        Candidate and baseline on the n rows that are judged.
    known : (Scored, Scored)
        The same on N rows: those of the holdout, and others.
    intention : {"superior_by", "not_worse_than"}
    margin : Margin
        Where it is relative: the part in the distance to it.

    Returns
    -------
    (N,) float64 array or None
        In the metric's unit; None where the metric is a matter of ranks or of a median.
    """
    worst: Floats | None = None
    for ours, theirs in _truths(*known):
        candidate = with_one_more(metric, holdout[0], ours)
        baseline = with_one_more(metric, holdout[1], theirs)
        if candidate is None or baseline is None:
            return None
        parts = METRICS[metric].sign * (candidate - baseline)
        if margin.relative:  # of a score that is positive where less is better, and mostly else
            parts = parts - sign_of(intention) * margin.value * baseline
        parts = np.where(np.isfinite(parts), parts, 0.0)
        worst = parts if worst is None else np.minimum(worst, parts)
    return worst


def worst_of(gains: Floats, rows: int) -> Floats:
    """The cost to reckon with for each bad row that was not seen, at most 0.

    Rows as bad as the worst cannot be much more common than they are among all that are known. So
    the worst stands for as many as a holdout of ``rows`` may have of what was seen once, by the
    upper limit of a Poisson count, the next for what seeing two adds to it, and so on to
    ``EVENTS`` in total. Where the holdout alone is known, all of them are as bad as the worst.

    Parameters
    ----------
    gains : (..., N) float array
        See ``worst_gains``.
    rows : int
        Of the holdout; at most N.

    Returns
    -------
    (...) float array

    Examples
    --------
    >>> float(worst_of(np.array([-5.0, 0.0, 0.0, 0.0]), 4))
    -5.0
    """
    share = rows / gains.shape[-1]
    some = min(int(np.ceil(EVENTS / share)), gains.shape[-1])
    most = gammainccinv(np.arange(some) + 2.0, UNSEEN) * share / EVENTS
    weights = np.diff(np.minimum(most, 1.0), prepend=0.0)
    falling = np.sort(np.partition(gains, some - 1, axis=-1)[..., :some], axis=-1)
    return np.asarray(np.minimum(falling @ weights, 0.0))


def _truths(candidate: Scored, baseline: Scored) -> list[tuple[Scored, Scored]]:
    """Both models beside the truths that are worst for the candidate, and beside the actual one."""
    truths: list[Floats | Integers]
    if candidate.task == "regression":
        truths = [baseline.prediction]
    else:
        ratio = np.maximum(baseline.scores, _LEAST) / np.maximum(candidate.scores, _LEAST)
        truths = [ratio.argmax(axis=1), baseline.predicted_class]
    pairs = [(candidate, baseline)]
    return pairs + [
        (replace(candidate, truth=truth), replace(baseline, truth=truth)) for truth in truths
    ]
