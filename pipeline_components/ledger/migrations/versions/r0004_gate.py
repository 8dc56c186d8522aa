"""Looks at holdouts, costs, approvals and removals; what a version can be rebuilt from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MESSAGE = "the ledger is append-only"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    for name in ("awaits", "signature"):
        op.add_column(
            "everfit_versions", sa.Column(name, sa.Text, nullable=False, server_default="")
        )
    op.add_column("everfit_versions", sa.Column("dossier", sa.Text))
    _table(
        "looks",
        *_text("pipeline", "run_key"),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        *_text("spans"),
        *_double("refilled", "pool", "alpha"),
        *_text("at"),
        sa.UniqueConstraint("run_key", name="everfit_looks_once"),
        sa.UniqueConstraint("pipeline", "sequence", name="everfit_looks_in_a_row"),
    )
    _table(
        "costs",
        *_text("result", "component"),
        *_double("seconds", "cpu_seconds", "peak_mb"),
        *_text("at"),
        sa.UniqueConstraint("result", name="everfit_costs_once"),
    )
    _table(
        "approvals",
        *_text("pipeline", "run_key", "answer", "person", "reason", "at"),
        sa.UniqueConstraint("run_key", name="everfit_approvals_once"),
    )
    _table(
        "removals",
        *_text("pipeline", "digest", "what", "reason", "at"),
        sa.UniqueConstraint("pipeline", "digest", name="everfit_removals_once"),
    )


def _table(
    name: str, *parts: sa.Column[str] | sa.Column[int] | sa.Column[float] | sa.UniqueConstraint
) -> None:
    """Make a table that takes records and never gives one up."""
    counter = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(f"everfit_{name}", sa.Column("id", counter, primary_key=True), *parts)
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER everfit_{name}_no_{verb} BEFORE {verb} "
                f"ON everfit_{name} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER everfit_{name}_append_only "
        f"BEFORE UPDATE OR DELETE OR TRUNCATE ON everfit_{name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION everfit_refuse()"
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _double(*names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Double, nullable=False) for name in names]
