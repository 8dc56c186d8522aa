"""What people were asked and have answered, as the ledger has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from everfit.champion.journal import shown_time
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import ApprovalRecord, VersionRecord


@dataclass(frozen=True)
class Asking:
    """A version that waits or waited for a person, and the answer."""

    version: VersionRecord
    answer: ApprovalRecord | None
    """None while it waits."""

    def document(self) -> dict[str, Any]:
        """All of it as plain values."""
        answer = self.answer
        return {
            "version": self.version.version,
            "run_key": self.version.run_key,
            "answer": answer.answer if answer else None,
            "person": answer.person if answer else None,
            "reason": answer.reason if answer else None,
            "at": answer.at if answer else None,
        }


def askings(ledger: Ledger, pipeline: str) -> list[Asking]:
    """Every version a person was asked about, oldest first."""
    return [
        Asking(record, ledger.approval(record.run_key))
        for record in ledger.versions(pipeline)
        if record.awaits == "approval"
    ]


def waiting(ledger: Ledger, pipeline: str) -> list[VersionRecord]:
    """The versions that a person can still approve: unanswered, and judged by today's champion."""
    head = ledger.champion(pipeline)
    found = []
    for asking in askings(ledger, pipeline):
        run = ledger.run(asking.version.run_key)
        judged_by = run.champion.sequence if run and run.champion else 0
        if asking.answer is None and judged_by == (head.sequence if head else 0):
            found.append(asking.version)
    return found


def told(approval: ApprovalRecord) -> str:
    """``approved by ada, 2026-03-31 14:00:05 UTC: as agreed``."""
    done = "approved" if approval.answer == "approve" else "refused"
    text = f"{done} by {approval.person}, {shown_time(approval.at)}"
    return f"{text}: {approval.reason}" if approval.reason else text
