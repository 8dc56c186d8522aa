"""The worst that one more row may do to a gain, whether or not the holdout has such a row.

A holdout without a single bad row says nothing of bad rows: neither its mean nor its spread knows
them. What one *could* cost is known all the same. A row's truth may be any class, and of a number
the worst for the candidate is the one that the champion predicts: the champion is then right, and
the candidate as wrong as the two predictions lie apart. That needs no labels, so rows of the
training window count beside those of the holdout.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.special import gammainccinv

from everfit.contracts.messages.verdicts import KnownRows
from everfit.contracts.spec.margins import Intention, Margin, sign_of
from everfit.contracts.spec.metric import MedianLoss, Ranks
from everfit.contracts.spec.metrics import METRICS
from everfit.ml.scoring.metric_sums import slope_of_losses, with_one_more
from everfit.ml.scoring.resampling import Floats, Integers
from everfit.ml.scoring.scored import Scored

UNSEEN = 0.001
EVENTS = float(-np.log(UNSEEN))
"""So many bad rows may be expected where none is seen, with a chance of one in a thousand."""
RAREST = 1 / 500
"""The rarest bad rows that are guarded against whatever they cost."""
ENOUGH = int(np.ceil(EVENTS / RAREST))
"""Rows among which bad ones as rare as that are missed with a chance of one in a thousand."""
FEWEST_EVENTS = 10
"""Where the losses hang on fewer rows, what was seen of them does not tell what they cost."""
MOST_EVENTS = float(gammainccinv(FEWEST_EVENTS + 1.0, UNSEEN))
"""So many may be expected where ten are seen, with a chance of one in a thousand."""
_LEAST = 1e-15


def worst_gains(
    metric: str,
    holdout: tuple[Scored, Scored],
    known: tuple[Scored, Scored],
    intention: Intention,
    margin: Margin,
    seen: bool = True,
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
    seen : bool
        Whether the actual truth counts too. Without it only the two predictions do, so that noise
        of the target, which is none of the models' doing, does not.

    Returns
    -------
    (N,) float64 array or None
        In the metric's unit; None where the metric is a matter of ranks or of a median.
    """
    worst: Floats | None = None
    for ours, theirs in _truths(*known)[0 if seen else 1 :]:
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


def of_row_loss(metric: str, candidate: Scored) -> float | None:
    """The part in a score of one row that loses the candidate's mean loss more than the mean row.

    Parameters
    ----------
    metric : str
    candidate : Scored
        At least one row, every score finite.

    Returns
    -------
    float or None
        At least 0, in the metric's unit. None where ``one_row_counts`` says no.

    Examples
    --------
    Of an MAE the mean loss itself; the root of a mean square of 4 grows a quarter as fast as it:

    >>> scored = Scored("regression", np.zeros(2), np.array([2.0, -2.0]))
    >>> [round(of_row_loss(metric, scored), 6) for metric in ("mae", "rmse")]
    [2.0, 1.0]
    """
    return slope_of_losses(metric, candidate) if one_row_counts(metric) else None


def one_row_counts(metric: str) -> bool:
    """Whether one row may cost without limit: the metric has none, and is no rank or median."""
    one = METRICS[metric]
    limited = math.isfinite(one.lowest if one.greater_is_better else one.highest)
    return not limited and not isinstance(one.estimate, Ranks | MedianLoss)


def known_rows(gains: Floats, row_loss: float) -> KnownRows:
    """What known rows tell of bad ones.

    Parameters
    ----------
    gains : (N,) float array
        The least that each row may gain by its two predictions, in the metric's unit.
    row_loss : float
        See ``of_row_loss``.

    Notes
    -----
    The number of events is Kish's effective sample size with squared costs as weights, also known
    as the participation ratio: ``(sum c^2)^2 / sum c^4`` [1]_.

    References
    ----------
    .. [1] Kish, "Survey Sampling", 1965, section 11.7: the rows that unequal weights are worth.

    Examples
    --------
    Two of four rows carry nearly all:

    >>> round(known_rows(np.array([-5.0, 0.1, -5.0, -0.1]), 1.0).events, 2)
    2.0
    """
    cost = np.minimum(gains, 0.0)
    worst = float(cost.min())
    share = (cost / worst) ** 2 if worst < 0 else np.ones(cost.size)
    events = float(share.sum() ** 2 / (share**2).sum())
    return KnownRows(rows=gains.size, events=events, worst=worst, row_loss=row_loss)


def may_take(known: KnownRows, worst_loss: float | None) -> float:
    """The most that rare bad rows may take from a gain, beyond what its bound allows for.

    Where fewer than ``ENOUGH`` rows are known, ``EVENTS`` may be expected that nobody has seen.
    Where fewer than ``FEWEST_EVENTS`` rows carry the spread, as many as may be expected where that
    number was seen are taken to be as bad as the worst, or as one that nobody has seen, and worse
    the fewer they are: five may not show half of what ten would.

    Parameters
    ----------
    known : KnownRows
    worst_loss : float or None
        What a bad row that nobody has seen loses, as a multiple of the candidate's mean loss;
        None: nothing is said of it.

    Returns
    -------
    float
        At least 0, in the metric's unit.

    Examples
    --------
    A candidate that is bad on 6.9 rows of 1,500 cannot be told from one that never is:

    >>> few = KnownRows(rows=1_500, events=900.0, worst=-2.0, row_loss=0.8)
    >>> round(may_take(few, 100), 3), may_take(few.model_copy(update={"rows": 5_000}), 100)
    (0.368, 0.0)
    """
    unseen = known.row_loss * (worst_loss or 0.0) if known.rows < ENOUGH else 0.0
    few = FEWEST_EVENTS / max(known.events, 1.0)
    seen = few * max(-known.worst, unseen) if few > 1 else 0.0
    return max(EVENTS * unseen, MOST_EVENTS * seen) / known.rows


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
