"""What a window's drift was tested at, where one rate is kept over all pipelines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    op.add_column("everfit_monitorings", sa.Column("tested", sa.Text))
