"""What became of an earlier run of the same run key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from everfit.contracts.base import Digest
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.verdicts import VerdictName
from everfit.engine.fingerprints import refit_key
from everfit.storage.ledger import Ledger


@dataclass(frozen=True)
class PastRun:
    """A run the ledger knows."""

    run_key: Digest
    champion: ChampionRef | None
    """What it is compared with, pinned when it was planned."""
    verdict: VerdictName | None
    version: int | None
    promoted: bool
    superseded: bool
    """Another promotion came after the champion it was compared with."""
    awaits: Literal["", "observe", "approval"] = ""
    """What its version waits for; empty also where it waited, and a person has answered."""
    refused: bool = False
    """A person was asked for approval, and refused."""
    logged: bool = True
    """MLflow shows it."""
    refit_missing: bool = False
    """It is champion, and its refitted model is made and not registered yet."""

    @property
    def unfinished(self) -> str:
        """What is still to be done, as part of a sentence; empty where the run is over."""
        if self.verdict is None:
            return "has no verdict yet"
        if self.verdict != "promote":
            return "" if self.logged else f"ended in {self.verdict} but is not in MLflow yet"
        if self.version is None:
            return "was accepted but is not registered yet"
        if not self.promoted and not self.superseded and not self.awaits and not self.refused:
            return f"is registered as version {self.version} but not promoted yet"
        if self.refit_missing:
            return f"is champion as version {self.version}, and its refit is not registered yet"
        return ""

    @property
    def ending(self) -> str:
        """How it ended, as part of a sentence."""
        text = f"ended in {self.verdict}"
        if self.version is not None:
            text += f" as version {self.version}"
        if self.verdict == "promote" and not self.promoted:
            text += f", {self._why_not}"
        return text

    @property
    def _why_not(self) -> str:
        """Why an accepted version is not champion."""
        if self.refused:
            return "which a person refused"
        if self.superseded or not self.awaits:
            return "superseded by another promotion"
        return "which waits for approval" if self.awaits == "approval" else "which is observed only"


def find_run(
    ledger: Ledger,
    pipeline: str,
    run_key: Digest,
    is_logged: Callable[[Digest], bool] = lambda _: True,
) -> PastRun | None:
    """Look a run up; None where the ledger does not know it.

    Parameters
    ----------
    is_logged : callable
        Run key → whether MLflow shows the run.
    """
    record = ledger.run(run_key)
    if record is None:
        return None
    verdict, version = ledger.verdict(run_key), ledger.version(run_key)
    promoted = superseded = refit_missing = False
    answer = ledger.approval(run_key) if version is not None and version.awaits else None
    if version is not None:
        head = ledger.champion(pipeline)
        promoted = any(entry.run_key == run_key for entry in ledger.history(pipeline))
        pinned = record.champion.sequence if record.champion else 0
        superseded = head is not None and head.sequence != pinned
        refit_missing = (
            head is not None
            and head.run_key == run_key
            and ledger.result("refitted", run_key) is not None
            and ledger.version(refit_key(run_key)) is None
        )
    return PastRun(
        run_key=run_key,
        champion=record.champion,
        verdict=verdict.verdict if verdict else None,
        version=version.version if version else None,
        promoted=promoted,
        superseded=superseded,
        awaits=version.awaits if version is not None and answer is None else "",
        refused=answer is not None and answer.answer == "refuse",
        logged=verdict is None or verdict.verdict == "promote" or is_logged(run_key),
        refit_missing=refit_missing,
    )
