"""Both models scored exactly the rows of the holdout table."""

from __future__ import annotations

from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, known
from everfit.steps.gate.finding import Finding


def assess(evidence: Evidence) -> Finding:
    """Compare the row digests of the losses with those of the holdout table."""
    import pyarrow.compute as pc

    request = evidence.request
    scored, holdout = known(evidence.losses).rows, known(evidence.holdout_rows)
    counts = {
        "the holdout table": len(holdout),
        "prepare's record": request.prepared.rows_holdout,
        "evaluate's record": request.evaluated.rows,
        "the row losses": len(scored),
    }
    if request.evaluated.comparison is not None:
        counts["the comparison"] = request.evaluated.comparison.gain.rows
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{where} {count:,}" for where, count in counts.items())
        return Finding("failed", f"The counts of holdout rows differ: {found}.")
    if not scored.equals(holdout):
        strange = len(scored) - (pc.sum(pc.is_in(scored, value_set=holdout)).as_py() or 0)
        ordered = scored.take(pc.array_sort_indices(scored))
        if not ordered.equals(holdout.take(pc.array_sort_indices(holdout))):
            return Finding(
                "failed",
                f"The losses belong to other rows: {strange:,} of {len(scored):,} row digests "
                "are not in the holdout table.",
                values={"rows": len(scored), "strange": strange},
            )
    return Finding(
        "passed",
        f"Both models scored the same {len(scored):,} rows, by row digest.",
        values={"rows": len(scored)},
    )


CHECK = GateCheck(
    code="ROWS-SAME",
    title="Both models scored the same rows",
    severity="error",
    position=20,
    assess=assess,
    must_pass=True,
)
