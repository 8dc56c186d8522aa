"""Evaluations on holdouts: their budget belongs to the data, whichever pipeline reads it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from everfit.storage.ledger.migrations.append_only import append_only_table, double, text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    append_only_table(
        "holdout_evaluations",
        *text("run_key", "pipeline", "target"),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("sequence", "number")),
        *text("spans"),
        *double("new_rows"),
        *text("shared_with"),
        *double("refilled", "pool", "alpha"),
        *text("at"),
        sa.UniqueConstraint("run_key", name="everfit_holdout_evaluations_once"),
        sa.UniqueConstraint("target", "sequence", name="everfit_holdout_evaluations_in_a_row"),
    )
    op.create_index(
        "everfit_holdout_evaluations_pipeline", "everfit_holdout_evaluations", ["pipeline", "id"]
    )
    append_only_table(
        "evaluated_rows",
        *text("run_key", "pipeline", "target", "columns"),
        sa.Column("rows", sa.BigInteger, nullable=False),
        *text("cells", "at"),
        sa.UniqueConstraint("run_key", name="everfit_evaluated_rows_once"),
    )
    for name in ("pipeline", "target"):
        op.create_index(f"everfit_evaluated_rows_{name}", "everfit_evaluated_rows", [name, "id"])
