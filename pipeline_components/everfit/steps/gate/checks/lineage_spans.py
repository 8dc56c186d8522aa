"""No holdout span is in the candidate's or the champion's window."""

from __future__ import annotations

from everfit.contracts.errors import shortlist
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """No holdout span is in the candidate's or the champion's window."""
    request = evidence.request
    if not request.window:
        raise NotAssessed("the window is empty, so it is unknown what the candidate was trained on")
    holdout = {span.digest: span.name for span in request.holdout}
    if not holdout:
        return Finding(
            "not_applicable",
            "The holdout is a share of the window's rows; LINEAGE-ROWS compares each of them.",
        )
    seen = sorted(holdout[d] for d in {span.digest for span in request.window} & holdout.keys())
    if seen:
        return Finding(
            "failed",
            f"The candidate was trained on {len(seen)} of {len(holdout)} holdout spans: "
            f"{shortlist(seen)}.",
            forces="reject",
        )
    champion = request.champion
    if champion is None:
        others = "and there is no champion"
    elif not champion.window:
        raise NotAssessed(f"the window of champion v{champion.version} is not known")
    else:
        seen = sorted(holdout[d] for d in set(champion.window) & holdout.keys())
        if seen:
            return Finding(
                "failed",
                f"Champion v{champion.version} was trained on {len(seen)} of {len(holdout)} "
                f"holdout spans, so the comparison would not be fair: {shortlist(seen)}.",
                flip="Holdout spans newer than the champion's window",
            )
        others = f"nor among the {len(champion.window)} of champion v{champion.version}"
    return Finding(
        "passed",
        f"None of {len(holdout)} holdout {'span' if len(holdout) == 1 else 'spans'} is among the "
        f"{len(request.window)} the candidate was trained on, {others}.",
        values={"holdout_spans": len(holdout), "window_spans": len(request.window)},
    )


CHECK = GateCheck(
    code="LINEAGE-SPANS",
    title="No holdout span in the training data",
    severity="error",
    position=30,
    assess=assess,
)
