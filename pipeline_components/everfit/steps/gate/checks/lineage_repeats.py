"""No part of the holdout was delivered before, under whatever ids or load times."""

from __future__ import annotations

import numpy as np

from everfit.contracts.wording import percent
from everfit.data.tables.redelivery import Redelivery, redelivery
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Delivery, Evidence, Missing, known
from everfit.steps.gate.finding import Finding, Forces, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """The holdout repeats training rows no more often than the window's spans each other."""
    request = evidence.request
    if not request.holdout:
        return Finding(
            "not_applicable",
            "The holdout is a share of the window's rows; LINEAGE-ROWS compares each of them.",
        )
    rows = known(evidence.delivery)
    if len(rows.train) != request.prepared.rows_train:
        raise NotAssessed("the training table is not the one that prepare recorded")
    found = _compared(rows)
    values: dict[str, float | int | str | None] = {
        "rows": found.rows,
        "repeated": found.repeated,
        "by_chance": round(found.by_chance, 4),
        "delivered_before": round(found.part, 4),
    }
    large = [one.span for one in request.prepared.delivered_before if one.large]
    if found.is_large or large:
        which = f" ({', '.join(large[:3])})" if large else ""
        return _failed(
            evidence,
            f"About {_share(found)} of the {found.rows:,} holdout rows{which} were delivered "
            f"before, under other ids or times: {found.repeated:,} repeat a training row in what "
            f"the model sees and in the target, where chance brings {percent(found.by_chance)}.",
            "reject",
            values,
        )
    champion = request.champion
    if champion is not None:
        theirs = _compared(known(_there(evidence.champion_delivery)))
        if theirs.is_large:
            return _failed(
                evidence,
                f"About {_share(theirs)} of the {found.rows:,} holdout rows were delivered before, "
                f"and champion v{champion.version} was trained on them, so the comparison would "
                "not be fair.",
                "hold",
                values,
            )
    return Finding(
        "passed",
        f"{found.repeated:,} of {found.rows:,} holdout rows repeat a training row in what the "
        f"model sees and in the target; {percent(found.by_chance)} do so by chance.",
        values=values,
    )


def _compared(rows: Delivery) -> Redelivery:
    found = redelivery(
        rows.holdout.to_numpy(), rows.train.to_numpy(), rows.piece.to_numpy().astype(np.int64)
    )
    if found is None:
        raise NotAssessed("there are too few rows to tell copies from chance")
    return found


def _there(delivery: Delivery | Missing | None) -> Delivery | Missing:
    return Missing("the champion's training rows are unknown") if delivery is None else delivery


def _share(found: Redelivery) -> str:
    return percent(round(min(max(found.part, 0.0), 1.0), 2))


def _failed(
    evidence: Evidence,
    what: str,
    forces: Forces,
    values: dict[str, float | int | str | None],
) -> Finding:
    """What the spec expects blocks nothing."""
    if evidence.request.repeats_expected:
        return Finding(
            "failed",
            f"{what} The spec expects that (validation.ignore).",
            values=values,
            severity="warning",
        )
    flip = "A holdout of rows that no earlier span has delivered"
    return Finding("failed", what, forces=forces, flip=flip, values=values)


CHECK = GateCheck(
    code="LINEAGE-REPEATS",
    title="No part of the holdout delivered before",
    severity="error",
    position=45,
    assess=assess,
    needs=("LINEAGE-SPANS",),
)
