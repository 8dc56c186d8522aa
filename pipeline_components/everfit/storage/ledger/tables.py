"""The ledger's tables as they are today; ``migrations`` leads there, and a test compares.

The unique constraints are what makes records first-wins; wakes alone have none. Names begin with
``everfit_``, as MLflow or Airflow may live in the same database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()

SIGNED = ("person", "previous", "signature")
"""Columns of a journal entry: who decided, what came before, and what signs it."""

_ID = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts in INTEGER keys alone


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _table(
    name: str, *parts: Column[str] | Column[int] | Column[float] | UniqueConstraint | Index
) -> Table:
    return Table(name, METADATA, Column("id", _ID, primary_key=True), *parts)


SPANS = _table(
    "everfit_spans",
    *_text("pipeline", "name", "fingerprint", "reader"),
    Column("digest", Text),
    Column("snapshot", Text),
    Column("code", Text),
    Column("message", Text),
    *_text("at"),
    # One refusal and one snapshot each, so that a span refused by mistake can be taken in later.
    Index(
        "everfit_spans_snapshot",
        "pipeline",
        "name",
        "fingerprint",
        "reader",
        unique=True,
        sqlite_where=text("digest IS NOT NULL"),
        postgresql_where=text("digest IS NOT NULL"),
    ),
    Index(
        "everfit_spans_refusal",
        "pipeline",
        "name",
        "fingerprint",
        "reader",
        unique=True,
        sqlite_where=text("digest IS NULL"),
        postgresql_where=text("digest IS NULL"),
    ),
)

QUARANTINES = _table(
    "everfit_quarantines",
    *_text("pipeline", "digest", "rules", "codes", "at"),
    UniqueConstraint("pipeline", "rules", "digest", name="everfit_quarantines_once"),
)

EVALUATIONS = _table(
    "everfit_evaluations",
    *_text("pipeline", "trigger", "decision", "because"),
    Column("run_key", Text),
    *_text("at"),
    Column("stage", Text, nullable=False, server_default="wake"),
    Column("conditions", Text, nullable=False, server_default="[]"),
    Index("everfit_evaluations_newest", "pipeline", "id"),
    # Sweeps are many, and nearly all of them come to nothing.
    Index(
        "everfit_evaluations_decisive",
        "pipeline",
        "id",
        sqlite_where=text("decision IN ('train', 'skip')"),
        postgresql_where=text("decision IN ('train', 'skip')"),
    ),
)

MONITORINGS = _table(
    "everfit_monitorings",
    *_text("pipeline", "champion"),
    Column("version", BigInteger, nullable=False),
    *_text("span", "name"),
    Column("rows", BigInteger, nullable=False),
    *_text("asked", "state"),
    Column("inputs", Double, nullable=False),
    Column("columns", Double, nullable=False),
    *_text("strongest", "rises", "because", "document", "at"),
    Column("tested", Text),
    UniqueConstraint("pipeline", "champion", "span", "asked", name="everfit_monitorings_once"),
)

RUNS = _table(
    "everfit_runs",
    *_text("pipeline", "run_key", "spec", "window", "holdout", "code", "environment"),
    Column("seed", BigInteger, nullable=False),
    Column("champion", Text),
    *_text("trigger", "at"),
    UniqueConstraint("run_key", name="everfit_runs_once"),
    Index("everfit_runs_newest", "pipeline", "id"),
)

VERDICTS = _table(
    "everfit_verdicts",
    *_text("run_key", "verdict", "because", "decision", "at"),
    UniqueConstraint("run_key", name="everfit_verdicts_once"),
)

REGISTRATIONS = _table(
    "everfit_registrations",
    *_text("pipeline", "run_key", "at"),
    UniqueConstraint("pipeline", "run_key", name="everfit_registrations_once"),
)

VERSIONS = _table(
    "everfit_versions",
    *_text("pipeline", "run_key"),
    Column("version", BigInteger, nullable=False),
    *_text("mlflow_run", "champion", "at"),
    Column("awaits", Text, nullable=False, server_default=""),
    Column("dossier", Text),
    Column("signature", Text, nullable=False, server_default=""),
    UniqueConstraint("run_key", name="everfit_versions_once"),
    Index("everfit_versions_pipeline", "pipeline", "id"),
)

HOLDOUT_EVALUATIONS = _table(
    "everfit_holdout_evaluations",
    *_text("run_key", "pipeline", "target"),
    *(Column(name, BigInteger, nullable=False) for name in ("sequence", "number")),
    *_text("spans"),
    Column("new_rows", Double, nullable=False),
    *_text("shared_with"),
    *(Column(name, Double, nullable=False) for name in ("refilled", "pool", "alpha")),
    *_text("at"),
    Column("decay", Text),
    UniqueConstraint("run_key", name="everfit_holdout_evaluations_once"),
    UniqueConstraint("target", "sequence", name="everfit_holdout_evaluations_in_a_row"),
    Index("everfit_holdout_evaluations_pipeline", "pipeline", "id"),
)

EVALUATED_ROWS = _table(
    "everfit_evaluated_rows",
    *_text("run_key", "pipeline", "target", "columns"),
    Column("rows", BigInteger, nullable=False),
    *_text("cells", "at"),
    UniqueConstraint("run_key", name="everfit_evaluated_rows_once"),
    Index("everfit_evaluated_rows_pipeline", "pipeline", "id"),
    Index("everfit_evaluated_rows_target", "target", "id"),
)

COSTS = _table(
    "everfit_costs",
    *_text("result", "component"),
    *(Column(name, Double, nullable=False) for name in ("seconds", "cpu_seconds", "peak_mb")),
    *_text("at"),
    UniqueConstraint("result", name="everfit_costs_once"),
)

APPROVALS = _table(
    "everfit_approvals",
    *_text("pipeline", "run_key", "answer", "person", "reason", "at"),
    UniqueConstraint("run_key", name="everfit_approvals_once"),
)

REMOVALS = _table(
    "everfit_removals",
    *_text("pipeline", "digest", "what", "reason", "at"),
    UniqueConstraint("pipeline", "digest", name="everfit_removals_once"),
)

PROMOTIONS = _table(
    "everfit_promotions",
    *_text("pipeline"),
    Column("sequence", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    *_text("run_key", "kind", "reason", "at"),
    *(Column(name, Text, nullable=False, server_default="") for name in SIGNED),
    UniqueConstraint("pipeline", "sequence", name="everfit_promotions_once"),
)

RESULTS = _table(
    "everfit_results",
    *_text("made", "key", "digest"),
    Column("number", BigInteger, nullable=False),
    *_text("at"),
    UniqueConstraint("made", "key", "number", name="everfit_results_once"),
)

DEPLOYMENT = _table(
    "everfit_deployment",
    *_text("name"),
    Column("only", BigInteger, nullable=False),
    *_text("at"),
    UniqueConstraint("only", name="everfit_deployment_once"),
)
