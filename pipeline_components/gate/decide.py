"""From checks to a verdict, and the one sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_components.contracts.errors import shortlist
from pipeline_components.contracts.verdicts import Check, VerdictName

from .question import NOT_JUDGED, Question
from .registry import QUESTIONS

MUST_PASS = ("GAIN", "BUDGET", "SERVABLE", "SERVE-EQUAL", "FINITE", "ROWS-SAME", "LINEAGE-ROWS",
             "ROWS-ENOUGH")  # fmt: skip
"""Of these, even *not applicable* is not enough."""


def decide(checks: Sequence[Check], asked: Sequence[Question] = QUESTIONS) -> VerdictName:
    """Promote, hold or reject.

    Promote only where every question asked was answered, every error-severity check is
    *passed* or *not applicable*, and those of ``MUST_PASS`` are *passed*. Otherwise reject where a
    failed check forces it; otherwise hold.
    """
    obstacles = obstructing(checks)
    if not obstacles and not unanswered(checks, asked):
        return "promote"
    return "reject" if any(check.forces == "reject" for check in obstacles) else "hold"


def obstructing(checks: Sequence[Check]) -> list[Check]:
    """The checks that stand in a promotion's way."""
    fine = {"passed", "not_applicable"}
    return [
        check
        for check in checks
        if (check.severity == "error" and check.state not in fine)
        or (check.code in MUST_PASS and check.state != "passed")
    ]


def unanswered(checks: Sequence[Check], asked: Sequence[Question] = QUESTIONS) -> list[str]:
    """Codes of error-severity questions that no check answers."""
    answered = {check.code for check in checks}
    return [q.code for q in asked if q.severity == "error" and q.code not in answered]


def because(
    verdict: VerdictName, checks: Sequence[Check], asked: Sequence[Question] = QUESTIONS
) -> str:
    """One sentence with the numbers that decided."""
    gain = next((check for check in checks if check.code == "GAIN"), None)
    if verdict == "promote":
        assert gain is not None  # decide() asks for it
        return gain.message
    obstacles = obstructing(checks)
    if verdict == "reject":
        obstacles = [check for check in obstacles if check.forces == "reject"]
    lost = [f"{code} was not answered" for code in unanswered(checks, asked)]
    if gain is not None and gain in obstacles:
        obstacles = [gain, *(check for check in obstacles if check is not gain)]
    if not obstacles:
        return f"{lost[0]}." if lost else "No check was made."
    told = obstacles[0].message.rstrip(".")
    others = [check.title for check in obstacles[1:]]
    # a check that was not judged because another did not pass adds nothing to the sentence
    if obstacles[0].state == "not_assessed" and len(obstacles) > 1:
        judged = [check for check in obstacles if not check.message.startswith(NOT_JUDGED)]
        first = next((c for c in judged if c.state == "failed"), (judged or obstacles)[0])
        told = first.message.rstrip(".")
        others = [c.title for c in obstacles if c is not first and c.state == "failed"]
    return f"{told}{'; also failed: ' + shortlist(others, 3) if others else ''}."
