"""From checks to a verdict, and the one sentence that says why."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.verdicts import Check, VerdictName
from everfit.steps.gate.check import NEEDS_FAILED, GateCheck
from everfit.steps.gate.find_checks import built_in_checks


def decide(checks: Sequence[Check], ran: Sequence[GateCheck] | None = None) -> VerdictName:
    """Promote, hold or reject.

    Promote only where every check that ran gave an answer, every error-severity check is
    *passed* or *not applicable*, and those with ``must_pass`` are *passed*. Otherwise reject where
    a failed check forces it; otherwise hold.

    Parameters
    ----------
    checks : sequence of Check
        What the checks found.
    ran : sequence of GateCheck, optional
        The checks that were run; the built-in ones by default.
    """
    obstacles = obstructing(checks)
    if not obstacles and not unanswered(checks, ran):
        return "promote"
    return "reject" if any(check.forces == "reject" for check in obstacles) else "hold"


def obstructing(checks: Sequence[Check]) -> list[Check]:
    """The checks that prevent a promotion."""
    fine = {"passed", "not_applicable"}
    must_pass = {one.code for one in built_in_checks() if one.must_pass}
    return [
        check
        for check in checks
        if (check.severity == "error" and check.state not in fine)
        or (check.code in must_pass and check.state != "passed")
    ]


def unanswered(checks: Sequence[Check], ran: Sequence[GateCheck] | None = None) -> list[str]:
    """Codes of error-severity checks that gave no answer."""
    answered = {check.code for check in checks}
    expected = built_in_checks() if ran is None else ran
    return [one.code for one in expected if one.severity == "error" and one.code not in answered]


def because(
    verdict: VerdictName, checks: Sequence[Check], ran: Sequence[GateCheck] | None = None
) -> str:
    """One sentence with the numbers that decided."""
    gain = next((check for check in checks if check.code == "GAIN"), None)
    if verdict == "promote":
        assert gain is not None  # decide() requires it
        return gain.message
    obstacles = obstructing(checks)
    if verdict == "reject":
        obstacles = [check for check in obstacles if check.forces == "reject"]
    lost = [f"{code} gave no answer" for code in unanswered(checks, ran)]
    if gain is not None and gain in obstacles:
        obstacles = [gain, *(check for check in obstacles if check is not gain)]
    if not obstacles:
        return f"{lost[0]}." if lost else "No check was run."
    reason = obstacles[0].message.rstrip(".")
    others = [check.title for check in obstacles[1:]]
    # a check that was not assessed because another did not pass adds nothing to the sentence
    if obstacles[0].state == "not_assessed" and len(obstacles) > 1:
        assessed = [check for check in obstacles if not check.message.startswith(NEEDS_FAILED)]
        first = next((c for c in assessed if c.state == "failed"), (assessed or obstacles)[0])
        reason = first.message.rstrip(".")
        others = [c.title for c in obstacles if c is not first and c.state == "failed"]
    return f"{reason}{'; also failed: ' + shortlist(others, 3) if others else ''}."
