"""What a person is asked about a version that waits: the decision, in a few values."""

from __future__ import annotations

from everfit.champion.approvals import told
from everfit.champion.lookup import find_version
from everfit.champion.promotion import is_late
from everfit.contracts.errors import NothingToDo
from everfit.contracts.messages.people import CheckShown, Question
from everfit.contracts.messages.requests import GateResult
from everfit.contracts.messages.verdicts import Check
from everfit.engine.context import Context

MOST = 8
"""Checks that are shown; the report has all."""


def question(pipeline: str, number: int, context: Context) -> Question:
    """What to ask about a version.

    Raises
    ------
    NothingToDo
        If it does not wait, was answered, or another was promoted since it was judged.
    UserError
        If there is no such version.
    IntegrityError
        If the store lost the decision.
    """
    ledger = context.ledger
    record = find_version(ledger, pipeline, number)
    answer, verdict = ledger.approval(record.run_key), ledger.verdict(record.run_key)
    where = f"{pipeline} v{number}"
    if record.awaits != "approval" or verdict is None:
        raise NothingToDo("PROMOTE-NOTHING", where, "it is not waiting for approval")
    if answer is not None:
        raise NothingToDo("PROMOTE-NOTHING", where, f"it was {told(answer)}")
    run, head = ledger.run(record.run_key), ledger.champion(pipeline)
    judged_by = run.champion if run else None
    if is_late(pipeline, judged_by, ledger):
        now = f"v{head.version}" if head else "nobody"
        raise NothingToDo(
            "PROMOTE-NOTHING",
            where,
            f"it was not judged against {now}, so it stays a challenger",
        )
    decision = GateResult.model_validate_json(context.store.get(verdict.decision))
    gain = next((check for check in decision.checks if check.code == "GAIN"), None)
    failed = [c for c in decision.checks if c.state in ("failed", "not_assessed")]
    return Question(
        version=number,
        run_key=record.run_key,
        champion=judged_by.version if judged_by else None,
        verdict=decision.verdict,
        because=decision.because,
        gain=gain.message if gain else "",
        flip=gain.flip or "" if gain else "",
        passed=sum(check.state == "passed" for check in decision.checks),
        not_passed=tuple(_shown(check) for check in failed[:MOST]),
        more=max(len(failed) - MOST, 0),
        report=decision.report_html,
    )


def _shown(check: Check) -> CheckShown:
    return CheckShown(
        title=check.title,
        code=check.code,
        severity=check.severity,
        state=check.state,
        message=check.message,
        flip=check.flip or "",
    )
