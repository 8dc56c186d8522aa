"""Whether a database holds the ledger this code knows; cheap where it does."""

from __future__ import annotations

from pipeline_components.contracts.errors import UserError

from .connection import Connection

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every migration under ``migrations/versions``, oldest first; a test holds the two together."""


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables, or migrate older ones; nothing but one select where all is current.

    Raises
    ------
    UserError
        If a newer Everfit wrote the ledger.
    """
    version = connection.schema_version()
    if version == REVISIONS[-1]:
        return
    refuse_newer(connection.where, version)
    connection.migrate()


def refuse_newer(where: str, version: str | None) -> None:
    """Complain about a schema that this code does not know.

    Raises
    ------
    UserError
        If ``version`` is not one of ours.
    """
    if version is not None and version not in REVISIONS:
        raise UserError(
            "LEDGER-NEWER",
            where,
            f"the ledger's schema must be known to this Everfit, up to {REVISIONS[-1]}",
            f"it is {version}, so a newer Everfit has written it",
            "Upgrade Everfit here, or give it another ledger with EVERFIT_LEDGER",
        )
