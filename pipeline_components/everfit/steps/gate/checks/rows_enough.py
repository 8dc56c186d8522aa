"""The holdout holds as many rows as the gate asks for."""

from __future__ import annotations

from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Finding:
    """The holdout holds as many rows as the gate asks for."""
    rows, need = evidence.request.evaluated.rows, evidence.request.gate.min_rows
    values: dict[str, float | int | str | None] = {"rows": rows, "min_rows": need}
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


CHECK = GateCheck(
    code="ROWS-ENOUGH",
    title="Enough holdout rows",
    severity="error",
    position=10,
    assess=assess,
    must_pass=True,
)
