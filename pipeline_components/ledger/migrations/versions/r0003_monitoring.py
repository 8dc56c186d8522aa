"""What triggers measured, and what monitoring did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MESSAGE = "the ledger is append-only"


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
    counter = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "everfit_monitorings",
        sa.Column("id", counter, primary_key=True),
        *_text("pipeline", "champion"),
        sa.Column("version", sa.BigInteger, nullable=False),
        *_text("span", "name"),
        sa.Column("rows", sa.BigInteger, nullable=False),
        *_text("asked", "state"),
        sa.Column("inputs", sa.Double, nullable=False),
        sa.Column("columns", sa.Double, nullable=False),
        *_text("strongest", "rises", "because", "document", "at"),
        sa.UniqueConstraint(
            "pipeline", "champion", "span", "asked", name="everfit_monitorings_once"
        ),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER everfit_monitorings_no_{verb} BEFORE {verb} "
                f"ON everfit_monitorings BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER everfit_monitorings_append_only "
        "BEFORE UPDATE OR DELETE OR TRUNCATE ON everfit_monitorings "
        "FOR EACH STATEMENT EXECUTE FUNCTION everfit_refuse()"
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
