"""Tables that take records and never give one up, as the revisions make them.

What is here has been applied to ledgers: it is called by further revisions, and not changed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

MESSAGE = "the ledger is append-only"

Part = sa.Column[str] | sa.Column[int] | sa.Column[float] | sa.UniqueConstraint


def append_only_table(name: str, *parts: Part) -> None:
    """Make a table, and have the database itself refuse to change or remove its records."""
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


def text(*names: str) -> list[sa.Column[str]]:
    """Columns of text that are always filled."""
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def double(*names: str) -> list[sa.Column[float]]:
    """Columns of numbers that are always filled."""
    return [sa.Column(name, sa.Double, nullable=False) for name in names]
