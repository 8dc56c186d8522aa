"""What must hold at every moment, and what once a step has run to its end."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from everfit.operations.chaos.seen import Rows, Shown, hold

ONCE_PER_RUN = ("runs", "verdicts", "registrations", "versions", "holdout_evaluations", "approvals")
"""Tables with at most one record of a run key."""

PROMISES = (
    "A run has at most one record, verdict, registration, version, evaluation and approval",
    "The champion's journal counts 1, 2, 3 … without gaps",
    "The journal names recorded versions, each with its own run",
    "A version number is given once",
    "Evaluations on holdouts are numbered without gaps",
    "Evaluations spend no more than the budget was given",
    "@champion names nothing, or a version of the journal",
    "The version that @champion names is of its recorded run, and has its recorded model",
    "Every file of the store is whole, and so are the databases",
    "After a step has ended, @champion is the head of the journal",
    "After a step has ended, MLflow shows at most one version of a run",
    "Run again, everything is as if nothing had gone wrong; and a failure is one line that says "
    "what to do",
)
"""The twelve, in the words of the page."""


def check_ledger(rows: Rows, pipeline: str) -> None:
    """One decision, version and evaluation of each run; journal and evaluations without gaps.

    Raises
    ------
    Broken
        If one of it does not hold.
    """
    for table in ONCE_PER_RUN:
        counted = Counter(row["run_key"] for row in rows.get(table, ()))
        hold(max(counted.values(), default=0) <= 1, f"{PROMISES[0]}: {table} {counted}")
    journal = journal_of(rows, pipeline)
    places = [entry["sequence"] for entry in journal]
    hold(places == list(range(1, len(journal) + 1)), f"{PROMISES[1]}: {places}")
    versions = {row["version"]: row for row in of_pipeline(rows, "versions", pipeline)}
    many = len(of_pipeline(rows, "versions", pipeline))
    hold(len(versions) == many, f"{PROMISES[3]}: {many} records of {len(versions)} numbers")
    for entry in journal:
        record = versions.get(entry["version"])
        known = record is not None and record["run_key"] == entry["run_key"]
        hold(known, f"{PROMISES[2]}: entry {entry['sequence']} is of v{entry['version']}")
    evaluations = of_pipeline(rows, "holdout_evaluations", pipeline)
    evaluations = sorted(evaluations, key=lambda row: row["sequence"])
    numbers = [one["number"] for one in evaluations]
    hold(numbers == list(range(1, len(evaluations) + 1)), f"{PROMISES[4]}: {numbers}")
    spent = 0.0
    for one in evaluations:
        spent += one["alpha"]
    given = sum(one["refilled"] for one in evaluations)
    hold(spent <= given + 1e-12, f"{PROMISES[5]}: {spent} of {given}")


def check_alias(rows: Rows, mlflow: Shown, pipeline: str) -> None:
    """@champion names a version that the journal holds and whose model is the recorded one.

    Raises
    ------
    Broken
        If it names another.
    """
    if mlflow.alias is None:
        return
    promoted = {entry["version"] for entry in journal_of(rows, pipeline)}
    hold(
        mlflow.alias in promoted,
        f"{PROMISES[6]}: it is v{mlflow.alias}, promoted were {sorted(promoted)}",
    )
    (record,) = (
        row for row in of_pipeline(rows, "versions", pipeline) if row["version"] == mlflow.alias
    )
    run, model = mlflow.versions[mlflow.alias][0], mlflow.models[mlflow.alias]
    recorded = json.loads(record["champion"])["model"]["digest"]
    hold(run == record["run_key"], f"{PROMISES[7]}: run {run}, recorded {record['run_key']}")
    hold(model == recorded, f"{PROMISES[7]}: model {model}, recorded {recorded}")


def check_settled(rows: Rows, mlflow: Shown, pipeline: str) -> None:
    """What holds too after reconcile, and after any step has ended by itself.

    Raises
    ------
    Broken
        If it does not.
    """
    journal = journal_of(rows, pipeline)
    head = journal[-1]["version"] if journal else None
    hold(mlflow.alias == head, f"{PROMISES[9]}: v{mlflow.alias}, the journal says v{head}")
    counted = Counter(key for key, _ in mlflow.versions.values())
    hold(max(counted.values(), default=0) <= 1, f"{PROMISES[10]}: {counted}")


def journal_of(rows: Rows, pipeline: str) -> list[dict[str, Any]]:
    """The champion's journal, in its order."""
    return sorted(of_pipeline(rows, "promotions", pipeline), key=lambda row: row["sequence"])


def of_pipeline(rows: Rows, table: str, pipeline: str) -> list[dict[str, Any]]:
    """Records of one pipeline."""
    return [row for row in rows.get(table, ()) if row["pipeline"] == pipeline]
