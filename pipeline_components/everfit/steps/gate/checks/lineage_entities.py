"""No entity of the holdout is in the training data of candidate or champion."""

from __future__ import annotations

from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, known, shared
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """No entity of the holdout is in the training data of candidate or champion."""
    import pyarrow.compute as pc

    request = evidence.request
    if not request.entity:
        return Finding(
            "not_applicable", "The pipeline declares no entity; LINEAGE-ROWS compares each row."
        )
    digests = known(evidence.entities)
    holdout, train = known(digests.holdout), known(digests.train)
    if len(holdout) == 0 or len(train) == 0:
        raise NotAssessed("the training or the holdout table is empty")
    entities = f"entities ({', '.join(request.entity)})"
    whole = pc.count_distinct(holdout).as_py()
    leaked = shared(pc.unique(holdout), train)
    if leaked:
        return Finding(
            "failed",
            f"The candidate was trained on {leaked:,} of the {whole:,} {entities} of the holdout.",
            forces="reject",
            values={"entities": whole, "leaked": leaked},
        )
    champion = request.champion
    others = ""
    if champion is not None:
        theirs = known(digests.champion)
        if theirs is None:
            raise NotAssessed(f"the training entities of champion v{champion.version} are unknown")
        leaked = shared(pc.unique(holdout), theirs)
        if leaked:
            return Finding(
                "failed",
                f"Champion v{champion.version} was trained on {leaked:,} of the {whole:,} "
                f"{entities} of the holdout, so the comparison would not be fair.",
                flip="A holdout with entities that are new to the champion; here none were left",
                values={"entities": whole, "leaked_champion": leaked},
            )
        others = f", nor among those of champion v{champion.version}"
    return Finding(
        "passed",
        f"None of the {whole:,} {entities} of the holdout is among those the candidate was trained "
        f"on{others}.",
        values={"entities": whole},
    )


CHECK = GateCheck(
    code="LINEAGE-ENTITIES",
    title="No holdout entity in the training data",
    severity="error",
    position=50,
    assess=assess,
)
