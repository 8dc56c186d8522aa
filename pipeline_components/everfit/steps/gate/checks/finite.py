"""Nothing that was computed is NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from everfit.contracts.errors import shortlist
from everfit.steps.gate.check import GateCheck
from everfit.steps.gate.evidence.evidence import Evidence, known
from everfit.steps.gate.finding import Finding, NotAssessed


def assess(evidence: Evidence) -> Finding:
    """Nothing that was computed is NaN or infinite."""
    import pyarrow.compute as pc

    evaluated = evidence.request.evaluated
    not_finite = list(evaluated.not_finite)
    counted = 0
    for model, scores in sorted(evaluated.scores.items()):
        for metric, estimate in sorted(scores.items()):
            counted += 1
            if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
                not_finite.append(f"{model}.{metric}")
    for name in ("candidate", "baseline"):
        absent = evidence.request.metric not in evaluated.scores.get(name, {})
        if absent and not not_finite:
            raise NotAssessed(f"there is no {evidence.request.metric} of the {name}")
    losses = known(evidence.losses)
    for name, column in (("candidate", losses.candidate), ("baseline", losses.baseline)):
        good = pc.sum(pc.fill_null(pc.is_finite(column), False)).as_py() or 0
        if good != len(column):
            not_finite.append(f"{name}.losses of {len(column) - good:,} rows")
    predictions = list(_numbers(known(evidence.predictions)))
    if not predictions:
        raise NotAssessed("there are no predictions of the sample")
    bad = sum(not math.isfinite(value) for value in predictions)
    if bad:
        not_finite.append(f"candidate.predictions of the sample, {bad:,} of {len(predictions):,}")
    if not_finite:
        unique = list(dict.fromkeys(not_finite))
        rows = [name for name in unique if name.startswith("rows.")]
        if len(rows) == len(unique):
            return Finding(
                "failed",
                f"Undefined on these {evaluated.rows:,} holdout rows, which hold too few of a "
                f"class: {shortlist([name.removeprefix('rows.') for name in rows])}.",
                flip="A holdout with more rows of the rarest class",
                values={"undefined": len(rows)},
            )
        return Finding(
            "failed",
            f"Not finite: {shortlist(unique)}.",
            # a broken champion or dummy is not the candidate's fault
            forces="reject" if any(name.startswith("candidate") for name in unique) else "hold",
            values={"not_finite": len(unique)},
        )
    return Finding(
        "passed",
        f"{counted:,} scores, {2 * len(losses.rows):,} row losses and {len(predictions):,} sample "
        "predictions are finite.",
    )


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    else:
        yield math.nan  # null, or no number at all


CHECK = GateCheck(
    code="FINITE",
    title="All values are finite",
    severity="error",
    position=60,
    assess=assess,
    must_pass=True,
)
