"""One error rate over all pipelines of a ledger: the level that a window's drift is tested at.

A *round* is one window of each pipeline. Each window gets its pipeline's share of the rate, so that
over a round the levels add up to the rate: with nothing drifting anywhere, so many false windows
are expected in a round, and the chance of any is at most that, however windows depend on each
other, within a pipeline or between them. Where windows of *other* pipelines have drifted since a
pipeline's last one, its share is taken as often: each of them adds the rate once more, over all
pipelines together, so that of many windows that drifted at most about the rate is false. That is
LOND [1]_ with even shares, whose past is forgotten after a round as memory decays in [2]_; levels
of a lifetime would fall until hardly anything is found.

Windows of one pipeline share a reference and a past, so that one that is wrong makes the next one
more likely to be wrong. Therefore a pipeline gains nothing by its own windows (its *conflict set*
[3]_), nor by windows of the same rows in another pipeline; and what others gain by is whether a
window drifts at its plain share, so that no pipeline's gain comes back to it through another.

References
----------
.. [1] Javanmard, A. and Montanari, A. (2018). Online rules for control of false discovery rate and
   false discovery exceedance. Annals of Statistics 46, 526-554: LOND.
.. [2] Ramdas, A., Yang, F., Wainwright, M. J. and Jordan, M. I. (2017). Online control of the false
   discovery rate with decaying memory. Advances in Neural Information Processing Systems 30.
.. [3] Zrnic, T., Ramdas, A. and Jordan, M. I. (2021). Asynchronous online testing of multiple
   hypotheses. Journal of Machine Learning Research 22(33).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from everfit.contracts.base import Digest
from everfit.contracts.clock import read_iso
from everfit.contracts.messages.monitoring_levels import DriftLevel

ACTIVE = timedelta(days=100)
"""A pipeline shares the rate while its newest window is at most so much older than the ledger's."""


@dataclass(frozen=True)
class Elsewhere:
    """What a ledger knows of its pipelines when one of them is about to be tested.

    Attributes
    ----------
    newest : mapping
        Pipeline → ISO time of its newest window.
    drifted : sequence of (str, str)
        Pipeline and span digest of the windows of others that drifted at their plain share, since
        the pipeline's last window.
    """

    newest: Mapping[str, str]
    drifted: Sequence[tuple[str, Digest]] = ()


def drift_level(
    pipeline: str, rate: float, most: float, elsewhere: Elsewhere, own: Collection[Digest] = ()
) -> DriftLevel:
    """The level of a pipeline's next window.

    Parameters
    ----------
    pipeline : str
    rate : float
        False windows expected per round.
    most : float
        ``monitor.level``: what a window would be tested at alone.
    elsewhere : Elsewhere
    own : collection of str
        Digests of the pipeline's own spans: who drifts on the same rows is not counted.

    Examples
    --------
    Two pipelines beside this one, of which one has not been seen for a year:

    >>> newest = {"a": "2026-01-01T00:00:00Z", "b": "2026-12-01T00:00:00Z"}
    >>> drift_level("c", 0.05, 0.05, Elsewhere(newest)).level
    0.025
    """
    last = max(map(read_iso, elsewhere.newest.values()), default=None)
    active = {pipeline}
    if last is not None:
        active |= {name for name, at in elsewhere.newest.items() if read_iso(at) >= last - ACTIVE}
    others = {one for one in elsewhere.drifted if one[0] != pipeline and one[1] not in own}
    share = rate / len(active)
    return DriftLevel(
        level=min(most, share * max(1, len(others))),
        rate=rate,
        pipelines=len(active),
        drifted=len(others),
    )


def drift_levels(
    first: DriftLevel, spans: Sequence[tuple[str, DriftLevel | None]]
) -> dict[str, DriftLevel]:
    """The level of each span that is tested now, by name.

    Parameters
    ----------
    first : DriftLevel
        Of the oldest span that is new: what others have found is counted once.
    spans : sequence of (str, DriftLevel or None)
        Oldest first; with what a span was tested at before, which stays.
    """
    found: dict[str, DriftLevel] = {}
    following = first
    for name, before in spans:
        if before is not None:
            found[name] = before.model_copy(update={"repeated": True, "counts": False})
            continue
        found[name] = following
        following = first.model_copy(update={"level": first.share, "drifted": 0})
    return found
