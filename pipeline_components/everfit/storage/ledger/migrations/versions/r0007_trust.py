"""Kept results are bound to the ledger, it to a deployment, its journal entries to each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from everfit.storage.ledger.migrations.append_only import append_only_table, text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    for name in ("person", "previous", "signature"):
        op.add_column(
            "everfit_promotions", sa.Column(name, sa.Text, nullable=False, server_default="")
        )
    append_only_table(
        "results",
        *text("made", "key", "digest"),
        sa.Column("number", sa.BigInteger, nullable=False),
        *text("at"),
        sa.UniqueConstraint("made", "key", "number", name="everfit_results_once"),
    )
    append_only_table(
        "deployment",
        *text("name"),
        sa.Column("only", sa.BigInteger, nullable=False),
        *text("at"),
        sa.UniqueConstraint("only", name="everfit_deployment_once"),
    )
