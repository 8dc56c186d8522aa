"""Enough rows, finite everywhere, inside the absolute limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pipeline_components.contracts.errors import shortlist
from pipeline_components.report.page import number

from .evidence import Evidence, NotAssessed, known
from .question import Finding


def enough_rows(evidence: Evidence) -> Finding:
    """The holdout holds as many rows as the gate asks for."""
    rows, need = evidence.request.evaluated.rows, evidence.request.gate.min_rows
    values: dict[str, float | int | str | None] = {"rows": rows, "min_rows": need}
    if rows >= need:
        return Finding("passed", f"{rows:,} holdout rows; {need:,} are needed.", values=values)
    return Finding(
        "failed",
        f"Only {rows:,} holdout rows; {need:,} are needed to judge.",
        flip=f"{need - rows:,} more holdout rows",
        values=values,
    )


def finite(evidence: Evidence) -> Finding:
    """Nothing that was computed is NaN or infinite."""
    import pyarrow.compute as pc

    evaluated = evidence.request.evaluated
    strange = list(evaluated.not_finite)
    looked = 0
    for model, scores in sorted(evaluated.scores.items()):
        for metric, estimate in sorted(scores.items()):
            looked += 1
            if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
                strange.append(f"{model}.{metric}")
    for name in ("candidate", "baseline"):
        absent = evidence.request.metric not in evaluated.scores.get(name, {})
        if absent and not strange:
            raise NotAssessed(f"there is no {evidence.request.metric} of the {name}")
    losses = known(evidence.losses)
    for name, column in (("candidate", losses.candidate), ("baseline", losses.baseline)):
        good = pc.sum(pc.fill_null(pc.is_finite(column), False)).as_py() or 0
        if good != len(column):
            strange.append(f"{name}.losses of {len(column) - good:,} rows")
    predictions = list(_numbers(known(evidence.predictions)))
    if not predictions:
        raise NotAssessed("there are no predictions of the sample to look at")
    bad = sum(not math.isfinite(value) for value in predictions)
    if bad:
        strange.append(f"candidate.predictions of the sample, {bad:,} of {len(predictions):,}")
    if strange:
        unique = list(dict.fromkeys(strange))
        return Finding(
            "failed",
            f"Not finite: {shortlist(unique)}.",
            # what is wrong with the champion or the dummy is not the candidate's fault
            forces="reject" if any(name.startswith("candidate") for name in unique) else "hold",
            values={"not_finite": len(unique)},
        )
    return Finding(
        "passed",
        f"{looked:,} scores, {2 * len(losses.rows):,} row losses and {len(predictions):,} sample "
        "predictions are finite.",
    )


def limits(evidence: Evidence) -> Iterator[Finding]:
    """Each absolute limit by the point estimate; the interval is shown beside it."""
    request = evidence.request
    if not request.gate.limits:
        yield Finding("not_applicable", "The gate declares no absolute limits.")
    scores = request.evaluated.scores.get("candidate", {})
    for metric, limit in sorted(request.gate.limits.items()):
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (("at least", limit.min), ("at most", limit.max))
            if bound is not None
        ]
        title = f"Limit: {metric} {' and '.join(bounds)}"
        found = scores.get(metric)
        if found is None or not math.isfinite(found.value):
            yield Finding("not_assessed", f"There is no finite {metric} of the candidate.",
                          title=title)  # fmt: skip
            continue
        low_enough = limit.max is None or found.value <= limit.max
        high_enough = limit.min is None or found.value >= limit.min
        passed = low_enough and high_enough
        bound = limit.max if not low_enough else limit.min
        yield Finding(
            "passed" if passed else "failed",
            f"{metric} is {number(found.value)} ({number(found.low)} to {number(found.high)}); "
            f"{' and '.join(bounds) or 'no bound'} is required.",
            forces="reject",
            flip=None
            if passed
            else f"{metric} of {'at least' if low_enough else 'at most'} {bound:g} "
            f"instead of {number(found.value)}",
            title=title,
            values={
                "metric": metric, "value": found.value, "low": found.low, "high": found.high,
                "min": limit.min, "max": limit.max,
            },
        )  # fmt: skip


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    else:
        yield math.nan  # null, or no number at all
