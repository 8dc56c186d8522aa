"""The form of a gate check, and how a list of them is run without one ever passing by accident."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from everfit.contracts.errors import EverfitError, Unavailable
from everfit.contracts.messages.verdicts import Check, Severity
from everfit.steps.gate.evidence.evidence import Evidence
from everfit.steps.gate.finding import Finding, NotAssessed

log = logging.getLogger(__name__)

NEEDS_FAILED = "Not assessed, because"
"""Begins the message of a check that another one stands in the way of."""


@dataclass(frozen=True)
class GateCheck:
    """A check of the gate: what a module in ``everfit/steps/gate/checks/`` calls ``CHECK``.

    Attributes
    ----------
    code : str
        Stable, upper case, the module's name in other letters; see docs/reference/checks.md.
    title : str
    severity : str
        ``error``: it must pass, or be not applicable, before a promotion.
    position : int
        Where it stands among the others: they run in this order, and reports list them so.
    assess : callable
        From the evidence to one finding or several.
    needs : tuple of str
        Codes of earlier checks that must be passed or not applicable for this one to count.
    must_pass : bool
        Whether even *not applicable* is not enough for a promotion.
    """

    code: str
    title: str
    severity: Severity
    position: int
    assess: Callable[[Evidence], Finding | Iterable[Finding]]
    needs: tuple[str, ...] = ()
    must_pass: bool = False


def run_checks(gate_checks: Sequence[GateCheck], evidence: Evidence) -> tuple[Check, ...]:
    """Run every check in order.

    Returns
    -------
    tuple of Check
        At least one for each. A check that raises, gives no answer, or needs one that failed or
        was not assessed, is *not assessed* itself.

    Raises
    ------
    Unavailable
        If a service did not answer: that says nothing about the candidate, so it is tried again.
    """
    checks: list[Check] = []
    for gate_check in gate_checks:
        fine = {"passed", "not_applicable"}
        open_needs = [
            code
            for code in gate_check.needs
            if {check.state for check in checks if check.code == code} - fine
            or all(check.code != code for check in checks)
        ]
        if open_needs:
            reason = f"{NEEDS_FAILED} {' and '.join(open_needs)} did not pass."
            findings = [Finding("not_assessed", reason)]
        else:
            findings = _findings(gate_check, evidence)
        checks.extend(_check(gate_check, finding) for finding in findings)
    return tuple(checks)


def _findings(gate_check: GateCheck, evidence: Evidence) -> list[Finding]:
    try:
        answer = gate_check.assess(evidence)
        findings = [answer] if isinstance(answer, Finding) else list(answer)
    except NotAssessed as reason:
        return [Finding("not_assessed", _sentence(str(reason)))]
    except Unavailable:
        raise
    except EverfitError as error:
        return [Finding("not_assessed", _sentence(f"The check could not be made: {error.must}"))]
    except Exception as error:
        # The message of an unknown exception may hold addresses or paths: the log keeps it.
        log.exception("check %s crashed", gate_check.code)
        return [Finding("not_assessed", f"The check crashed with {type(error).__name__}.")]
    return findings or [Finding("not_assessed", "The check gave no answer.")]


def _check(gate_check: GateCheck, finding: Finding) -> Check:
    severity = finding.severity or gate_check.severity
    blocks = finding.state in ("failed", "not_assessed") and severity == "error"
    return Check(
        code=gate_check.code,
        title=finding.title or gate_check.title,
        severity=severity,
        state=finding.state,
        message=finding.message,
        flip=finding.flip,
        forces=None if not blocks else finding.forces if finding.state == "failed" else "hold",
        values=finding.values,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
