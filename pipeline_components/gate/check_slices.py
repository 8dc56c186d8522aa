"""Is any declared slice surely worse off with the candidate? A warning: it vetoes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.report.page import number

from .evidence import Evidence
from .question import Finding


def slices(evidence: Evidence) -> Iterator[Finding]:
    """One finding per slice; surely worse where the two intervals do not meet.

    The intervals are each model's own, not paired, so the test errs on the side of silence.
    """
    request = evidence.request
    if not request.evaluated.slices:
        yield Finding("not_applicable", "The pipeline declares no slices.")
    greater = METRICS[request.metric].greater_is_better
    for found in request.evaluated.slices:
        title = f"Slice: {found.name}"
        if found.candidate is None or found.baseline is None:
            yield Finding(
                "not_assessed",
                f"{found.rows:,} rows are too few to judge this slice.",
                title=title,
                values={"rows": found.rows},
            )
            continue
        candidate, baseline = found.candidate, found.baseline
        worse = candidate.high < baseline.low if greater else candidate.low > baseline.high
        yield Finding(
            "failed" if worse else "passed",
            f"{request.metric} on {found.rows:,} rows is {number(candidate.value)} "
            f"({number(candidate.low)} to {number(candidate.high)}) against "
            f"{number(baseline.value)} ({number(baseline.low)} to {number(baseline.high)}): "
            f"{'surely worse' if worse else 'not surely worse'}.",
            flip=f"{request.metric} of {number(baseline.value)} or better on this slice"
            if worse
            else None,
            title=title,
            values={
                "rows": found.rows, "candidate": candidate.value, "baseline": baseline.value,
            },
        )  # fmt: skip
