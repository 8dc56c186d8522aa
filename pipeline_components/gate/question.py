"""The shape of a check, and how a list of them is asked without one ever passing by accident."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline_components.contracts.errors import EverfitError, Unavailable
from pipeline_components.contracts.verdicts import Check, CheckState, Severity

from .evidence import Evidence, NotAssessed

log = logging.getLogger(__name__)

Forces = Literal["hold", "reject"]

NOT_JUDGED = "Not judged, because"
"""Begins the message of a check that another one stands in the way of."""


@dataclass(frozen=True)
class Finding:
    """One answer to a question."""

    state: CheckState
    message: str
    """A sentence with the numbers in it."""
    forces: Forces = "hold"
    """The verdict forced where the state is failed and the severity is error."""
    flip: str | None = None
    title: str | None = None
    """Where a question has several answers: what this one is about."""
    values: dict[str, float | int | str | None] = field(default_factory=dict)
    severity: Severity | None = None
    """Instead of the question's own, which a crash or a lack of evidence keeps."""


@dataclass(frozen=True)
class Question:
    """A check of the registry."""

    code: str
    """Stable, upper case, documented in docs/checks.md."""
    title: str
    severity: Severity
    ask: Callable[[Evidence], Finding | Iterable[Finding]]
    needs: tuple[str, ...] = ()
    """Codes of earlier questions that must be passed or not applicable for this one to count."""


def ask_all(questions: Sequence[Question], evidence: Evidence) -> tuple[Check, ...]:
    """Ask every question in order.

    Returns
    -------
    tuple of Check
        At least one per question. A question that raises, gives no answer, or needs one that
        failed or was not assessed, is *not assessed* itself.

    Raises
    ------
    Unavailable
        If a service did not answer: that says nothing about the candidate, so it is tried again.
    """
    checks: list[Check] = []
    for question in questions:
        fine = {"passed", "not_applicable"}
        open_needs = [
            code
            for code in question.needs
            if {check.state for check in checks if check.code == code} - fine
            or all(check.code != code for check in checks)
        ]
        if open_needs:
            reason = f"{NOT_JUDGED} {' and '.join(open_needs)} did not pass."
            findings = [Finding("not_assessed", reason)]
        else:
            findings = _answers(question, evidence)
        checks.extend(_check(question, finding) for finding in findings)
    return tuple(checks)


def _answers(question: Question, evidence: Evidence) -> list[Finding]:
    try:
        answer = question.ask(evidence)
        findings = [answer] if isinstance(answer, Finding) else list(answer)
    except NotAssessed as reason:
        return [Finding("not_assessed", _sentence(str(reason)))]
    except Unavailable:
        raise
    except EverfitError as error:
        return [Finding("not_assessed", _sentence(f"The check could not look: {error.must}"))]
    except Exception as error:
        # The message of an unknown exception may hold addresses or paths: the log keeps it.
        log.exception("check %s crashed", question.code)
        return [Finding("not_assessed", f"The check crashed with {type(error).__name__}.")]
    return findings or [Finding("not_assessed", "The check gave no answer.")]


def _check(question: Question, finding: Finding) -> Check:
    severity = finding.severity or question.severity
    stands = finding.state in ("failed", "not_assessed") and severity == "error"
    return Check(
        code=question.code,
        title=finding.title or question.title,
        severity=severity,
        state=finding.state,
        message=finding.message,
        flip=finding.flip,
        forces=None if not stands else finding.forces if finding.state == "failed" else "hold",
        values=finding.values,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
