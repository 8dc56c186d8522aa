"""What a check found, and why where it could not be made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from everfit.contracts.messages.verdicts import CheckState, Severity

Forces = Literal["hold", "reject"]


class NotAssessed(Exception):
    """A check could not be made; the message is the reason. It never counts as passed.

    Examples
    --------
    >>> raise NotAssessed("some rows have no loss")
    Traceback (most recent call last):
    everfit.steps.gate.finding.NotAssessed: some rows have no loss
    """


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Examples
    --------
    >>> Finding("failed", "12 fares are negative.", forces="reject").forces
    'reject'
    """

    state: CheckState
    message: str
    """A sentence with the numbers in it."""
    forces: Forces = "hold"
    """The verdict forced where the state is failed and the severity is error."""
    flip: str | None = None
    """What would have changed the state."""
    title: str | None = None
    """Instead of the check's own, where it has several findings."""
    values: dict[str, float | int | str | None] = field(default_factory=dict)
    severity: Severity | None = None
    """Instead of the check's own, which a crash or a lack of evidence keeps."""
