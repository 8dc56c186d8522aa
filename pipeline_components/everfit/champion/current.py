"""The champion as everything that is compared with it sees it."""

from __future__ import annotations

from everfit.champion.seal import refuse_altered_journal
from everfit.champion.version.signing import verified_champion
from everfit.contracts.base import Digest
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.steps import Order
from everfit.engine.context import Context
from everfit.engine.upstream import Upstream
from everfit.storage.ledger import Ledger


def current_champion(ledger: Ledger, pipeline: str) -> ChampionRef | None:
    """The champion as a candidate would be compared with it now."""
    head = ledger.champion(pipeline)
    if head is None:
        return None
    version = ledger.version(head.run_key)
    if version is None:  # the journal names a run only after its version is recorded
        return None
    return version.champion.model_copy(update={"sequence": head.sequence})


def pinned_champion(
    run_key: Digest, order: Order, upstream: Upstream, context: Context
) -> ChampionRef | None:
    """The champion a run is compared with, verified against the signed record of its version.

    Raises
    ------
    IntegrityError
        If the record does not say the same, its signature does not hold, or the journal is not as
        it was written.
    """
    champion = upstream.champion(run_key)
    if champion is not None and not upstream.recorded:
        verified_champion(champion, order.pipeline.name, context)
        refuse_altered_journal(order.pipeline.name, context)
    return champion


def refit_of(champion: ChampionRef, ledger: Ledger, pipeline: str) -> ChampionRef | None:
    """The judged version that a champion is a refit of; None where it is none."""
    head = ledger.champion(pipeline)
    if head is None or head.kind != "refit" or head.run_key != champion.run_key:
        return None
    run = ledger.run(head.run_key)
    return run.champion if run else None
