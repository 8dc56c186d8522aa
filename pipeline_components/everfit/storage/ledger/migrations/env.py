"""Run by Alembic, in the transaction that ``upgrade`` was given."""

from __future__ import annotations

from alembic import context

from everfit.storage.ledger.migrations import VERSION_TABLE
from everfit.storage.ledger.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
context.run_migrations()
