"""Every table of the first ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply; there is no way back, as a ledger only grows."""
    _create(
        "everfit_spans",
        *_text("pipeline", "name", "fingerprint", "reader"),
        sa.Column("digest", sa.Text),
        sa.Column("snapshot", sa.Text),
        sa.Column("code", sa.Text),
        sa.Column("message", sa.Text),
        *_text("at"),
    )
    for name, holds in (("snapshot", "digest IS NOT NULL"), ("refusal", "digest IS NULL")):
        op.create_index(
            f"everfit_spans_{name}",
            "everfit_spans",
            ["pipeline", "name", "fingerprint", "reader"],
            unique=True,
            sqlite_where=sa.text(holds),
            postgresql_where=sa.text(holds),
        )
    _create(
        "everfit_quarantines",
        *_text("pipeline", "digest", "rules", "codes", "at"),
        sa.UniqueConstraint("pipeline", "rules", "digest", name="everfit_quarantines_once"),
    )
    _create(
        "everfit_evaluations",
        *_text("pipeline", "trigger", "decision", "because"),
        sa.Column("run_key", sa.Text),
        *_text("at"),
    )
    op.create_index("everfit_evaluations_newest", "everfit_evaluations", ["pipeline", "id"])
    _create(
        "everfit_runs",
        *_text("pipeline", "run_key", "spec", "window", "holdout", "code", "environment"),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("champion", sa.Text),
        *_text("trigger", "at"),
        sa.UniqueConstraint("run_key", name="everfit_runs_once"),
    )
    op.create_index("everfit_runs_newest", "everfit_runs", ["pipeline", "id"])
    _create(
        "everfit_verdicts",
        *_text("run_key", "verdict", "because", "decision", "at"),
        sa.UniqueConstraint("run_key", name="everfit_verdicts_once"),
    )
    _create(
        "everfit_registrations",
        *_text("pipeline", "run_key", "at"),
        sa.UniqueConstraint("pipeline", "run_key", name="everfit_registrations_once"),
    )
    _create(
        "everfit_versions",
        *_text("pipeline", "run_key"),
        sa.Column("version", sa.BigInteger, nullable=False),
        *_text("mlflow_run", "champion", "at"),
        sa.UniqueConstraint("run_key", name="everfit_versions_once"),
    )
    op.create_index("everfit_versions_pipeline", "everfit_versions", ["pipeline", "id"])
    _create(
        "everfit_promotions",
        *_text("pipeline"),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        *_text("run_key", "kind", "reason", "at"),
        sa.UniqueConstraint("pipeline", "sequence", name="everfit_promotions_once"),
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _create(name: str, *parts: sa.Column[str] | sa.Column[int] | sa.UniqueConstraint) -> None:
    counter = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(name, sa.Column("id", counter, primary_key=True), *parts)
