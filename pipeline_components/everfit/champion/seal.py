"""The journal is signed and chained: an entry that was edited, put in or taken out is found.

Each entry is signed with the pipeline's name, its number, who decided and why, and with the digest
of the entry before it as the ledger has that, time and all. Entries missing at the end are found
where MLflow shows a promotion that the journal does not have (``champion/agreement.py``).
"""

from __future__ import annotations

from everfit.champion.version.signing import refuse_forged, signature_over
from everfit.contracts.base import Digest, canonical_json, digest_of
from everfit.contracts.errors import IntegrityError
from everfit.engine.context import Context
from everfit.storage.ledger.records import PromotionRecord


def sealed(entry: PromotionRecord, pipeline: str, context: Context) -> PromotionRecord:
    """The entry, chained to the one before it and signed.

    Raises
    ------
    UserError
        If the key is none, or cannot be read or made.
    """
    before = [one for one in context.ledger.history(pipeline) if one.sequence == entry.sequence - 1]
    chained = entry.model_copy(update={"previous": _digest(before[0]) if before else ""})
    signature = signature_over(_message(chained, pipeline), context)
    return chained.model_copy(update={"signature": signature})


def refuse_altered_journal(pipeline: str, context: Context) -> None:
    """Make sure that the journal is as it was written.

    An entry without a signature is believed where the record of its version has none either.

    Raises
    ------
    IntegrityError
        If an entry was edited, put in, or taken out.
    """
    ledger = context.ledger
    entries = ledger.history(pipeline)
    unsigned = {one.run_key for one in ledger.versions(pipeline) if not one.signature}
    before: PromotionRecord | None = None
    for number, entry in enumerate(entries, 1):
        where = f"{pipeline} journal entry {number}"
        if entry.sequence != number:
            raise _altered(where, f"it is missing, and entry {entry.sequence} comes next")
        if entry.signature:
            refuse_forged(entry.signature, _message(entry, pipeline), where, context)
            if entry.previous != (_digest(before) if before else ""):
                raise _altered(where, "the entry before it was replaced")
        elif entry.run_key not in unsigned:
            raise _altered(where, "it has no signature")
        before = entry


def _message(entry: PromotionRecord, pipeline: str) -> bytes:
    fields = entry.model_dump(mode="json", exclude={"at", "signature"}, exclude_defaults=True)
    return canonical_json({"pipeline": pipeline, "journal_entry": fields})


def _digest(entry: PromotionRecord) -> Digest:
    return digest_of(entry.model_dump(mode="json"))


def _altered(where: str, found: str) -> IntegrityError:
    return IntegrityError(
        "LEDGER-JOURNAL",
        where,
        "every entry of the journal must be unchanged and follow the one before it",
        found,
        "Find out who wrote to the ledger; restore it from its backup with everfit restore",
    )
