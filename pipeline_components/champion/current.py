"""The champion as everything that is compared with it sees it."""

from __future__ import annotations

from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.ledger import Ledger


def current_champion(ledger: Ledger, pipeline: str) -> ChampionRef | None:
    """The champion as a candidate would be compared with it now."""
    head = ledger.champion(pipeline)
    if head is None:
        return None
    version = ledger.version(head.run_key)
    if version is None:  # the journal names a run only after its version is recorded
        return None
    return version.champion.model_copy(update={"sequence": head.sequence})
