"""The champion's journal as reigns: who, from when to when, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from everfit.contracts.errors import UserError
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import (
    ApprovalRecord,
    PromotionRecord,
    VerdictRecord,
    VersionRecord,
)

HOW = {
    "promote": "promoted by the gate's verdict",
    "refit": "fitted on its holdout too, after its promotion",
    "override": "promoted by a person, over the gate",
    "rollback": "rolled back to by a person",
}


@dataclass(frozen=True)
class Reign:
    """An entry of the journal with what belongs to it."""

    entry: PromotionRecord
    until: str | None
    """When the next entry was made; None for the champion of today."""
    version: VersionRecord | None
    verdict: VerdictRecord | None
    approval: ApprovalRecord | None = None
    """The answer of the person who was asked, where one was."""

    def document(self) -> dict[str, Any]:
        """All of it as plain values."""
        entry, version, verdict = self.entry, self.version, self.verdict
        approval = self.approval if entry.kind == "promote" else None
        return {
            "sequence": entry.sequence,
            "version": entry.version,
            "since": entry.at,
            "until": self.until,
            "kind": entry.kind,
            "reason": entry.reason,
            "run_key": entry.run_key,
            "verdict": verdict.verdict if verdict else None,
            "because": verdict.because if verdict else None,
            "model": version.champion.model.digest if version else None,
            "mlflow_run": version.mlflow_run if version else None,
            "approved_by": approval.person if approval else None,
        }


def reigns(ledger: Ledger, pipeline: str) -> list[Reign]:
    """Every reign, oldest first."""
    entries = ledger.history(pipeline)
    versions = {record.run_key: record for record in ledger.versions(pipeline)}
    ends: list[str | None] = [entry.at for entry in entries[1:]]
    return [
        Reign(
            entry,
            until,
            versions.get(entry.run_key),
            ledger.verdict(entry.run_key),
            ledger.approval(entry.run_key),
        )
        for entry, until in zip(entries, [*ends, None], strict=False)
    ]


def reign_at(all_reigns: Sequence[Reign], moment: datetime) -> Reign | None:
    """The reign at a moment: of the last entry made by then; None before the first.

    Parameters
    ----------
    moment : datetime
        With a time zone.
    """
    made = [reign for reign in all_reigns if datetime.fromisoformat(reign.entry.at) <= moment]
    return made[-1] if made else None


def moment_of(text: str) -> datetime:
    """A moment as a person writes it; UTC unless it says otherwise, a day alone means its end.

    Raises
    ------
    UserError
        If it is no ISO 8601 time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if "T" not in text.upper() and ":" not in text:
            moment += timedelta(days=1, microseconds=-1)
        return moment.replace(tzinfo=moment.tzinfo or UTC)
    except (ValueError, OverflowError) as error:
        raise UserError(
            "CHAMPION-TIME",
            "--at",
            "a time is written like 2026-03-31, 2026-03-31T14:00 or 2026-03-31T14:00+02:00",
            f"it is {text[:40]!r}",
            "Write it like that; without a zone it is UTC",
        ) from error


def shown_time(at: str | None) -> str:
    """A time of the ledger for people: ``2026-03-31 14:00:05 UTC``."""
    return f"{at[:19].replace('T', ' ')} UTC" if at else "?"
