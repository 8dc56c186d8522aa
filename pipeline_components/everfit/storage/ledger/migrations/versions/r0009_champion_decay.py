"""What monitoring had found of the champion when a candidate was judged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    op.add_column("everfit_holdout_evaluations", sa.Column("decay", sa.Text))
