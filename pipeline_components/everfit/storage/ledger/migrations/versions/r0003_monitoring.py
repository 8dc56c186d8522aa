"""What triggers measured, and what monitoring did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from everfit.storage.ledger.migrations.append_only import append_only_table, text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    for name, default in (("stage", "wake"), ("conditions", "[]")):
        op.add_column(
            "everfit_evaluations", sa.Column(name, sa.Text, nullable=False, server_default=default)
        )
    op.create_index(
        "everfit_evaluations_decisive",
        "everfit_evaluations",
        ["pipeline", "id"],
        sqlite_where=sa.text("decision IN ('train', 'skip')"),
        postgresql_where=sa.text("decision IN ('train', 'skip')"),
    )
    append_only_table(
        "monitorings",
        *text("pipeline", "champion"),
        sa.Column("version", sa.BigInteger, nullable=False),
        *text("span", "name"),
        sa.Column("rows", sa.BigInteger, nullable=False),
        *text("asked", "state"),
        sa.Column("inputs", sa.Double, nullable=False),
        sa.Column("columns", sa.Double, nullable=False),
        *text("strongest", "rises", "because", "document", "at"),
        sa.UniqueConstraint(
            "pipeline", "champion", "span", "asked", name="everfit_monitorings_once"
        ),
    )
