"""A score too good to be true: a column, or two, that tell the target."""

from __future__ import annotations

import math

from everfit.contracts.messages.evidence import Explained, Explanation
from everfit.contracts.wording import listed, percent
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed

SUSPICIOUS = 0.8
"""A share of the target that one or two columns rarely explain unless they are made from it."""
HALF = 0.5
"""Of what the champion leaves unexplained: a candidate that leaves less has learnt of something."""


def assess(evidence: Evidence) -> Finding:
    """Whether one or two columns tell the target, and the champion did not know it.

    What the champion explained as well is no news. So a table in which one column rightly tells
    nearly all is pointed at once, with the first model.
    """
    found = evidence.request.evaluated.explained
    if found is None:
        return Finding(
            "not_applicable",
            "The holdout is too small, or its target too uniform, to say what a column explains.",
            severity="info",
        )
    shares = [found.candidate, found.baseline or 0.0]
    shares += [one.share for one in (found.column, found.pair) if one is not None]
    if not all(map(math.isfinite, shares)):
        raise NotAssessed("a share of the target that is explained is not finite")
    champion = found.baseline if evidence.request.champion is not None else None
    carrier = _carrier(found)
    says = _says(found, champion)
    values: dict[str, float | int | str | None] = {
        "rows": found.rows,
        "candidate": found.candidate,
        "champion": champion,
        "column": " ".join(found.column.columns) if found.column else None,
        "column_share": found.column.share if found.column else None,
        "pair": " and ".join(found.pair.columns) if found.pair else None,
        "pair_share": found.pair.share if found.pair else None,
    }
    # within a twentieth of what the columns leave, the champion knew as much as they tell
    knew = (
        champion is not None and carrier is not None and 1 - champion <= (1 - carrier.share) * 1.05
    )
    tells = carrier is not None and carrier.share >= SUSPICIOUS and not knew
    jump = (
        champion is not None
        and champion > 0
        and found.candidate >= SUSPICIOUS
        and 1 - found.candidate < HALF * (1 - champion)
    )
    if not tells and not jump:
        return Finding("passed", says, values=values)
    columns = carrier if tells else (found.pair or found.column)
    named = listed(list(columns.columns)) if columns else "a column"
    return Finding(
        "failed",
        f"Perhaps too good to be true. {says} Make sure that {named} "
        f"{'is' if columns is None or len(columns.columns) == 1 else 'are'} known before the "
        "target is, and not made from it.",
        flip=f"Nothing to do where {named} may be known; otherwise leave out what may not, "
        "in features.drop",
        values=values,
    )


def _carrier(found: Explanation) -> Explained | None:
    """The column that tells the target, or the pair where that tells much more."""
    column, pair = found.column, found.pair
    if column is None or pair is None:
        return column or pair
    return pair if column.share < SUSPICIOUS <= pair.share else column


def _says(found: Explanation, champion: float | None) -> str:
    parts = [f"the candidate {percent(max(found.candidate, 0.0))}"]
    if champion is not None:
        parts.append(f"the champion {percent(max(champion, 0.0))}")
    parts += [
        f"{' and '.join(one.columns)} alone {percent(one.share)}"
        for one in (found.column, found.pair)
        if one is not None
    ]
    return (
        f"Of the target's variation on {found.rows:,} holdout rows, {listed(parts)} is explained."
    )


CHECK = GateCheck(
    code="TOO-GOOD",
    title="Score too good to be true",
    severity="warning",
    position=155,
    assess=assess,
)
