"""The database itself refuses to change or remove a record."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    "spans",
    "quarantines",
    "evaluations",
    "runs",
    "verdicts",
    "registrations",
    "versions",
    "promotions",
)
MESSAGE = "the ledger is append-only"


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for verb in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER everfit_{table}_no_{verb} BEFORE {verb} ON everfit_{table} "
                    f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION everfit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER everfit_{table}_append_only "
            f"BEFORE UPDATE OR DELETE OR TRUNCATE ON everfit_{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION everfit_refuse()"
        )
