"""Rows whose label is due and not there."""

from __future__ import annotations

from collections.abc import Mapping

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.joined import Labelled, waits_for
from everfit.contracts.messages.requests import Stop
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import count, percent
from everfit.steps.validate.findings import Findings

MANY = 0.05
"""A share of rows without a label that is a warning."""


def check_labels(labels: Labelled | None, spec: PipelineSpec, findings: Findings) -> None:
    """Say how many rows have no label although it is due, and what follows."""
    if labels is None or spec.labels is None or not labels.unlabelled:
        return
    due = labels.rows - labels.immature
    share = labels.unlabelled / due
    message = (
        f"{labels.unlabelled:,} of {count(due, 'row')} ({percent(share)}) have no label "
        f"{spec.labels.horizon} after their time"
    )
    if labels.late:
        message += f" ({labels.late:,} of them have one that came later, which does not count)"
    if spec.labels.unlabelled == "quarantine":
        message += ": the span is left out (labels.unlabelled)"
        findings.add("UNLABELLED", "error", message, spec.labels.value, declared=True)
        return
    findings.add(
        "UNLABELLED",
        "warning" if share > MANY else "info",
        f"{message}: they are left out",
        spec.labels.value,
    )


def with_waiting(stop: Stop, labels: Mapping[str, Labelled]) -> Stop:
    """The stop, with the spans that wait for their labels."""
    waiting = {name: one for name, one in labels.items() if not one.mature}
    if not waiting:
        return stop
    first = next(iter(waiting))
    were = f"{count(len(waiting), 'more span')} {'waits' if len(waiting) == 1 else 'wait'}"
    found = f"{stop.found}; {were} for labels: {shortlist(waiting)}"
    todo = f"{first}: {waits_for(waiting[first])}"
    return stop.model_copy(update={"found": found, "todo": f"Wait for the labels. {todo}"})
