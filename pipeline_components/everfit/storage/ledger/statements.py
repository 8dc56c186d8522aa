"""Every SQL text of the ledger, once, in the words that SQLite and PostgreSQL share.

Nothing here updates or deletes, and triggers in both databases refuse it. The texts are plain, not
built by SQLAlchemy, because importing SQLAlchemy costs more than a whole unchanged run may.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from everfit.contracts.base import Frozen
from everfit.contracts.errors import UserError, told
from everfit.contracts.messages.evaluations import Cost, EvaluatedRows, HoldoutEvaluation
from everfit.storage.ledger.records import (
    ApprovalRecord,
    EvaluationRecord,
    MonitorRecord,
    PromotionRecord,
    RemovalRecord,
    ResultRecord,
    RunRecord,
    SpanRecord,
    VerdictRecord,
    VersionRecord,
)

Record = TypeVar("Record", bound=Frozen)

_JSON = frozenset({"snapshot", "trigger", "window", "holdout", "conditions", "strongest", "rises"})
"""Fields that are stored as JSON text; all others are stored as they are."""


@dataclass(frozen=True)
class Kind(Generic[Record]):
    """A kind of record and the table that holds it: a column per field."""

    table: str
    record: type[Record]
    of_pipeline: bool = True
    """Whether rows name the pipeline; records themselves do not."""
    json: frozenset[str] = frozenset()
    """Further fields that are stored as JSON text, in this table alone."""

    @cached_property
    def insert(self) -> str:
        """Insert a row unless a unique constraint says that it is there."""
        names = ["pipeline"] if self.of_pipeline else []
        names += self.record.model_fields
        # Names are ours, and values are bound; quoted, as WINDOW is a word of SQL.
        columns = ", ".join(f'"{name}"' for name in names)
        values = ", ".join(f":{name}" for name in names)
        return f"INSERT INTO {self.table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"  # noqa: S608

    @cached_property
    def select(self) -> str:
        """Select records; one of the endings below says which."""
        columns = ", ".join(f'"{name}"' for name in self.record.model_fields)
        return f"SELECT {columns} FROM {self.table} "  # noqa: S608

    def row(self, record: Record) -> dict[str, Any]:
        """The values of a record's columns."""
        return {
            name: json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
            if name in _JSON | self.json and value is not None
            else value
            for name, value in record.model_dump(mode="json").items()
        }

    def read(self, row: Sequence[Any], where: str = "ledger") -> Record:
        """The record in a row.

        Raises
        ------
        UserError
            If the row is none that Everfit writes.
        """
        fields = zip(self.record.model_fields, row, strict=True)
        try:
            return self.record.model_validate(
                {
                    name: json.loads(value)
                    if name in _JSON | self.json and value is not None
                    else value
                    for name, value in fields
                }
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise UserError(
                "LEDGER-ROW",
                f"{where} table {self.table}",
                "every row must be one that Everfit wrote",
                told(error),
                "Find out who wrote to it, and restore it with everfit restore",
            ) from error


SPANS = Kind("everfit_spans", SpanRecord)
EVALUATIONS = Kind("everfit_evaluations", EvaluationRecord)
MONITORINGS = Kind("everfit_monitorings", MonitorRecord, json=frozenset({"tested"}))
RUNS = Kind("everfit_runs", RunRecord, json=frozenset({"champion"}))
VERDICTS = Kind("everfit_verdicts", VerdictRecord, of_pipeline=False)
VERSIONS = Kind("everfit_versions", VersionRecord, json=frozenset({"champion"}))
PROMOTIONS = Kind("everfit_promotions", PromotionRecord)
HOLDOUT_EVALUATIONS = Kind(
    "everfit_holdout_evaluations",
    HoldoutEvaluation,
    of_pipeline=False,
    json=frozenset({"spans", "shared_with", "decay"}),
)
EVALUATED_ROWS = Kind(
    "everfit_evaluated_rows", EvaluatedRows, of_pipeline=False, json=frozenset({"columns"})
)
RESULTS = Kind("everfit_results", ResultRecord, of_pipeline=False)
COSTS = Kind("everfit_costs", Cost, of_pipeline=False)
APPROVALS = Kind("everfit_approvals", ApprovalRecord)
REMOVALS = Kind("everfit_removals", RemovalRecord)

OF_PIPELINE = "WHERE pipeline = :pipeline ORDER BY id"
NEWEST = "WHERE pipeline = :pipeline ORDER BY id DESC LIMIT :limit"
OLDEST = "WHERE pipeline = :pipeline ORDER BY id LIMIT 1"
DECISIVE = """
WHERE pipeline = :pipeline AND decision IN ('train', 'skip') AND stage <> 'sweep'
ORDER BY id DESC LIMIT :limit
"""
OF_CHAMPION = "WHERE pipeline = :pipeline AND champion = :champion ORDER BY id"
OF_ASKED = "WHERE pipeline = :pipeline AND champion = :champion AND span = :span AND asked = :asked"
OF_RUN = "WHERE run_key = :run_key"
OF_RUNS = "WHERE pipeline = :pipeline AND run_key LIKE :begins ORDER BY id"
NEWEST_DECIDED = """
WHERE run_key IN (SELECT run_key FROM everfit_runs WHERE pipeline = :pipeline)
ORDER BY id DESC LIMIT 1
"""
DECIDED = """
WHERE run_key IN (SELECT run_key FROM everfit_runs WHERE pipeline = :pipeline)
ORDER BY id
"""
OF_SPAN = """
WHERE pipeline = :pipeline AND name = :name AND fingerprint = :fingerprint AND reader = :reader
ORDER BY digest IS NULL, id LIMIT 1
"""
JOURNAL = "WHERE pipeline = :pipeline ORDER BY sequence"
HEAD = "WHERE pipeline = :pipeline ORDER BY sequence DESC LIMIT 1"
OF_PIPELINE_OR_TARGET = "WHERE pipeline = :pipeline OR target = :target ORDER BY id"
NEWEST_OF_PIPELINE_OR_TARGET = (
    "WHERE pipeline = :pipeline OR target = :target ORDER BY id DESC LIMIT :limit"
)
OF_RESULT = "WHERE result = :result"
OF_RESULT_KEY = "WHERE made = :made AND key = :key ORDER BY number DESC LIMIT 1"
AT_SEQUENCE = "WHERE pipeline = :pipeline AND sequence = :sequence"

INSERT_QUARANTINE = """
INSERT INTO everfit_quarantines (pipeline, digest, rules, codes, at)
VALUES (:pipeline, :digest, :rules, :codes, :at) ON CONFLICT DO NOTHING
"""

QUARANTINED = """
SELECT digest, codes FROM everfit_quarantines WHERE pipeline = :pipeline AND rules = :rules
"""

DEPLOYMENT = "SELECT name FROM everfit_deployment"

INSERT_DEPLOYMENT = """
INSERT INTO everfit_deployment (name, "only", at) VALUES (:name, 1, :at) ON CONFLICT DO NOTHING
"""

NEWEST_WINDOWS = """
SELECT pipeline, MAX(at), MAX(id) FROM everfit_monitorings GROUP BY pipeline
"""

WINDOWS_SINCE = """
SELECT pipeline, span, tested FROM everfit_monitorings
WHERE id > :after AND pipeline <> :pipeline AND tested IS NOT NULL ORDER BY id
"""

INSERT_INTENT = """
INSERT INTO everfit_registrations (pipeline, run_key, at)
VALUES (:pipeline, :run_key, :at) ON CONFLICT DO NOTHING
"""

UNFINISHED = """
SELECT run_key FROM everfit_registrations AS intent WHERE pipeline = :pipeline
AND NOT EXISTS (SELECT 1 FROM everfit_versions AS made WHERE made.run_key = intent.run_key)
ORDER BY id
"""

PIPELINES = """
SELECT pipeline FROM everfit_runs UNION SELECT pipeline FROM everfit_spans
UNION SELECT pipeline FROM everfit_versions UNION SELECT pipeline FROM everfit_monitorings
UNION SELECT pipeline FROM everfit_registrations UNION SELECT pipeline FROM everfit_promotions
"""

SCHEMA_VERSION = "SELECT version_num FROM everfit_ledger_version"
