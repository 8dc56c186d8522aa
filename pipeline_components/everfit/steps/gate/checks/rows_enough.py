"""The holdout holds as many rows as the gate asks for."""

from __future__ import annotations

from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Finding:
    """The holdout holds as many rows as the gate asks for, or is worth as many of equal weight."""
    rows, need = evidence.request.evaluated.rows, evidence.request.gate.min_rows
    values: dict[str, float | int | str | None] = {"rows": rows, "min_rows": need}
    weights = evidence.request.prepared.weights
    if weights is not None:
        return _weighted(rows, need, int(weights.holdout))
    if rows >= need:
        return Finding(
            "passed", f"{rows:,} holdout rows; at least {need:,} are required.", values=values
        )
    return Finding(
        "failed",
        f"Only {rows:,} holdout rows; at least {need:,} are required.",
        flip=f"{need - rows:,} more holdout rows",
        values=values,
    )


def _weighted(rows: int, need: int, worth: int) -> Finding:
    few = worth < need
    return Finding(
        "failed" if few else "passed",
        f"{rows:,} holdout rows are {'only ' if few else ''}worth {worth:,} of equal weight; at "
        f"least {need:,} are required.",
        flip=f"{need - worth:,} more holdout rows of equal weight" if few else None,
        values={"rows": rows, "worth": worth, "min_rows": need},
    )


CHECK = GateCheck(
    code="ROWS-ENOUGH",
    title="Enough holdout rows",
    severity="error",
    position=10,
    assess=assess,
    must_pass=True,
)
