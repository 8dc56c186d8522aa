"""Whether a database holds the ledger this code knows; cheap where it does."""

from __future__ import annotations

from everfit.contracts.errors import UserError
from everfit.storage.ledger.connection import Connection

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""Every migration under ``migrations/versions``, oldest first; a test holds the two together."""

FIRST = "0007"
"""The oldest that is opened. Those before were never released: their keys hold other code, and
nothing in them is bound to a deployment or signed."""


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables, or migrate older ones; nothing but one select where all is current.

    Raises
    ------
    UserError
        If a newer Everfit wrote the ledger, or one from before the first release.
    """
    version = connection.schema_version()
    if version == REVISIONS[-1]:
        return
    refuse_unknown(connection.where, version)
    connection.migrate()


def refuse_unknown(where: str, version: str | None) -> None:
    """Complain about a schema that this code does not know, or does not know any more.

    Raises
    ------
    UserError
        If ``version`` is not one of ours, or older than the first release.
    """
    if version is None:
        return
    if version not in REVISIONS:
        raise UserError(
            "LEDGER-NEWER",
            where,
            f"the ledger's schema must be known to this Everfit, up to {REVISIONS[-1]}",
            f"it is {version}, so a newer Everfit has written it",
            "Upgrade Everfit here, or give it another ledger with EVERFIT_LEDGER",
        )
    if REVISIONS.index(version) < REVISIONS.index(FIRST):
        raise UserError(
            "LEDGER-OLDER",
            where,
            f"the ledger's schema must be {FIRST} or newer",
            f"it is {version}, of an Everfit from before the first release, whose run keys and "
            "models mean other code; nothing is migrated from there",
            "Begin with a new ledger, store and registry: move EVERFIT_HOME away, or set "
            "EVERFIT_LEDGER, EVERFIT_STORE and EVERFIT_MLFLOW",
        )
