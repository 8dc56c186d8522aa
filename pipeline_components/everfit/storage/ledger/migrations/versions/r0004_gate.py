"""Costs, approvals and removals; what a version can be rebuilt from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from everfit.storage.ledger.migrations.append_only import append_only_table, double, text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    for name in ("awaits", "signature"):
        op.add_column(
            "everfit_versions", sa.Column(name, sa.Text, nullable=False, server_default="")
        )
    op.add_column("everfit_versions", sa.Column("dossier", sa.Text))
    append_only_table(
        "costs",
        *text("result", "component"),
        *double("seconds", "cpu_seconds", "peak_mb"),
        *text("at"),
        sa.UniqueConstraint("result", name="everfit_costs_once"),
    )
    append_only_table(
        "approvals",
        *text("pipeline", "run_key", "answer", "person", "reason", "at"),
        sa.UniqueConstraint("run_key", name="everfit_approvals_once"),
    )
    append_only_table(
        "removals",
        *text("pipeline", "digest", "what", "reason", "at"),
        sa.UniqueConstraint("pipeline", "digest", name="everfit_removals_once"),
    )
