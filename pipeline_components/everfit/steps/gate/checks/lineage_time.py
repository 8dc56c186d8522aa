"""The holdout is later in time than the training data, by its rows and not by file names."""

from __future__ import annotations

from typing import Any

from everfit.contracts.wording import percent
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, known
from everfit.steps.gate.finding import Finding, NotAssessed

WRONG = 0.01
"""Share of training rows whose times may be later than all others: wrong, or just late."""
TOLERATED = 0.05
"""Share of holdout rows that may be earlier than the training data ends: rows arrive late."""


def assess(evidence: Evidence) -> Finding:
    """Compare the times of the holdout's rows with the end of each model's training rows."""
    request = evidence.request
    if request.time is None:
        return Finding("not_applicable", "The pipeline declares no time.")
    if not request.holdout:
        return Finding("not_applicable", "The holdout is a share of the window's rows.")
    times = known(evidence.times)
    holdout = known(times.holdout)
    share = _earlier(holdout, known(times.train))
    if share > TOLERATED:
        return Finding(
            "failed",
            f"{percent(share)} of the holdout rows are earlier than the candidate's training data "
            f"ends, by {request.time}; at most {percent(TOLERATED)} may be.",
            flip="Holdout spans that are later than the window",
            values={"earlier": share},
        )
    champion = request.champion
    others = ""
    if champion is not None:
        if times.champion is None:
            raise NotAssessed(f"the training times of champion v{champion.version} are unknown")
        share = _earlier(holdout, known(times.champion))
        if share > TOLERATED:
            return Finding(
                "failed",
                f"{percent(share)} of the holdout rows are earlier than the training data of "
                f"champion v{champion.version} ends, by {request.time}; at most "
                f"{percent(TOLERATED)} may be.",
                flip="Holdout spans that are later than the champion's window",
                values={"earlier_champion": share},
            )
        others = f", and than that of champion v{champion.version}"
    return Finding(
        "passed",
        f"The {len(holdout):,} holdout rows are later than the candidate's training data, by "
        f"{request.time}{others}.",
        values={"rows": len(holdout)},
    )


def _earlier(holdout: Any, train: Any) -> float:
    """The share of holdout rows before the end of the training rows."""
    import pyarrow.compute as pc

    if not len(holdout) or not len(train):
        raise NotAssessed("no row of the training or the holdout table has a time")
    end = pc.quantile(train, 1 - WRONG, interpolation="lower")[0]
    return float(pc.mean(pc.less(holdout, end).cast("float64")).as_py())


CHECK = GateCheck(
    code="LINEAGE-TIME",
    title="The holdout is later than the training data",
    severity="error",
    position=55,
    assess=assess,
)
