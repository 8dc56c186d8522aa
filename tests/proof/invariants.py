"""What must hold at every moment, what after reconcile, and what once the step has run again."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from everfit.contracts.settings import Settings
from tests.proof.shown import Rows, Shown, ledger_rows, shown, stored

ONCE_PER_RUN = ("runs", "verdicts", "registrations", "versions", "holdout_evaluations", "approvals")
"""Tables with at most one record of a run key."""


def check_always(settings: Settings, pipeline: str = "quick") -> tuple[Rows, Shown]:
    """What no kill, error or race may break, not even for a moment."""
    rows, mlflow = ledger_rows(settings.ledger), shown(settings, pipeline)
    stored(settings)
    check_ledger(rows, pipeline)
    check_alias(rows, mlflow, pipeline)
    return rows, mlflow


def check_ledger(rows: Rows, pipeline: str) -> None:
    """One decision, version and evaluation of each run; journal and evaluations without gaps."""
    for table in ONCE_PER_RUN:
        counted = Counter(row["run_key"] for row in rows.get(table, ()))
        assert max(counted.values(), default=0) <= 1, f"{table}: {counted}"
    journal = journal_of(rows, pipeline)
    assert [entry["sequence"] for entry in journal] == list(range(1, len(journal) + 1))
    versions = {row["version"]: row for row in of_pipeline(rows, "versions", pipeline)}
    assert len(versions) == len(of_pipeline(rows, "versions", pipeline)), "a number given twice"
    for entry in journal:
        assert versions[entry["version"]]["run_key"] == entry["run_key"]
    evaluations = of_pipeline(rows, "holdout_evaluations", pipeline)
    evaluations = sorted(evaluations, key=lambda row: row["sequence"])
    assert [one["number"] for one in evaluations] == list(range(1, len(evaluations) + 1))
    spent = 0.0
    for one in evaluations:
        spent += one["alpha"]
    assert spent <= sum(one["refilled"] for one in evaluations) + 1e-12, "overspent"


def check_alias(rows: Rows, mlflow: Shown, pipeline: str) -> None:
    """@champion names a version that the journal holds and whose model is the recorded one."""
    if mlflow.alias is None:
        return
    promoted = {entry["version"] for entry in journal_of(rows, pipeline)}
    assert mlflow.alias in promoted, f"@champion is v{mlflow.alias}, promoted were {promoted}"
    (record,) = (
        row for row in of_pipeline(rows, "versions", pipeline) if row["version"] == mlflow.alias
    )
    assert mlflow.versions[mlflow.alias][0] == record["run_key"]
    assert mlflow.models[mlflow.alias] == json.loads(record["champion"])["model"]["digest"]


def check_settled(settings: Settings, pipeline: str = "quick") -> tuple[Rows, Shown]:
    """What holds too after reconcile, and after any step has ended by itself."""
    rows, mlflow = check_always(settings, pipeline)
    journal = journal_of(rows, pipeline)
    head = journal[-1]["version"] if journal else None
    assert mlflow.alias == head, f"@champion is v{mlflow.alias}, the journal says v{head}"
    counted = Counter(key for key, _ in mlflow.versions.values())
    assert max(counted.values(), default=0) <= 1, f"versions of a run: {counted}"
    return rows, mlflow


def journal_of(rows: Rows, pipeline: str) -> list[dict[str, Any]]:
    """The champion's journal, in its order."""
    return sorted(of_pipeline(rows, "promotions", pipeline), key=lambda row: row["sequence"])


def of_pipeline(rows: Rows, table: str, pipeline: str) -> list[dict[str, Any]]:
    """Records of one pipeline."""
    return [row for row in rows.get(table, ()) if row["pipeline"] == pipeline]
