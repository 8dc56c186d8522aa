"""What became of an earlier run of the same run key."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.verdicts import VerdictName
from pipeline_components.ledger import Ledger


@dataclass(frozen=True)
class PastRun:
    """A run the ledger knows."""

    run_key: Digest
    champion: ChampionRef | None
    """What it was pinned against."""
    verdict: VerdictName | None
    version: int | None
    promoted: bool
    superseded: bool
    """Another promotion came after the champion it was compared with."""

    @property
    def unfinished(self) -> str:
        """What is still to be done, as part of a sentence; empty where the run is over."""
        if self.verdict is None:
            return "has no verdict yet"
        if self.verdict != "promote":
            return ""
        if self.version is None:
            return "was accepted but is not registered yet"
        if not self.promoted and not self.superseded:
            return f"is registered as version {self.version} but not promoted yet"
        return ""

    @property
    def ending(self) -> str:
        """How it ended, as part of a sentence."""
        text = f"ended in {self.verdict}"
        if self.version is not None:
            text += f" as version {self.version}"
        if self.verdict == "promote" and not self.promoted:
            text += ", superseded by another promotion"
        return text


def find_run(ledger: Ledger, pipeline: str, run_key: Digest) -> PastRun | None:
    """Look a run up; None where the ledger does not know it."""
    record = ledger.run(run_key)
    if record is None:
        return None
    verdict, version = ledger.verdict(run_key), ledger.version(run_key)
    promoted = superseded = False
    if version is not None:
        head = ledger.champion(pipeline)
        promoted = any(entry.run_key == run_key for entry in ledger.history(pipeline))
        pinned = record.champion.sequence if record.champion else 0
        superseded = head is not None and head.sequence != pinned
    return PastRun(
        run_key=run_key,
        champion=record.champion,
        verdict=verdict.verdict if verdict else None,
        version=version.version if version else None,
        promoted=promoted,
        superseded=superseded,
    )
