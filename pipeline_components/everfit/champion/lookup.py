"""Find a version or a run as a person names it, or say what there is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.load import find_spec
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import RunRecord, VersionRecord


def known_pipeline(ledger: Ledger, pipeline: str, specs: Path) -> None:
    """Make sure there is such a pipeline: the ledger's memory outlives a removed YAML.

    Raises
    ------
    UserError
        If neither the ledger nor the folder of specs knows it; says what is near.
    """
    if not (ledger.runs(pipeline, 1) or ledger.champion(pipeline)):
        find_spec(specs, pipeline)


def version_number(text: str) -> int:
    """``3`` or ``v3`` as a number.

    Raises
    ------
    UserError
        If it is neither.
    """
    found = re.fullmatch(r"[vV]?([1-9][0-9]{0,9})", text.strip(), re.ASCII)
    if not found:
        raise UserError(
            "CHAMPION-NUMBER",
            "version",
            "a version is a number such as 3 or v3",
            f"it is {text[:40]!r}",
            "List the versions with everfit history",
        )
    return int(found[1])


def find_version(ledger: Ledger, pipeline: str, number: int) -> VersionRecord:
    """The record of a version.

    Raises
    ------
    UserError
        If there is none; says which there are.
    """
    recorded = ledger.versions(pipeline)
    for record in recorded:
        if record.version == number:
            return record
    raise UserError(
        "CHAMPION-UNKNOWN",
        f"{pipeline} v{number}",
        "the version must be in the ledger",
        f"there is {shown_versions(recorded)}",
        "Name one of these",
    )


def shown_versions(recorded: Sequence[VersionRecord]) -> str:
    """Newest first, a few of them."""
    numbers = sorted((record.version for record in recorded), reverse=True)
    return shortlist(f"v{number}" for number in numbers) or "none yet"


def find_run(ledger: Ledger, pipeline: str, begins: str) -> RunRecord:
    """The one run whose key begins so.

    Raises
    ------
    UserError
        If there is none, or more than one.
    """
    begins = begins.strip().lower()
    found = ledger.find_runs(pipeline, begins)
    if len(found) == 1 and len(begins) >= 4:
        return found[0]
    newest = shortlist((run.run_key[:12] for run in ledger.runs(pipeline, 6)), most=5)
    raise UserError(
        "CHAMPION-RUN",
        f"{pipeline} run {begins[:64] or '?'}",
        "a run is named by the first characters of its key: at least four, enough to match one run",
        f"{len(found)} match; the newest are {newest or 'none yet'}",
        "Give more characters, or one of these",
    )


def find_any_run(ledger: Ledger, text: str) -> tuple[str, RunRecord]:
    """The pipeline and the run that a person names without the pipeline.

    Parameters
    ----------
    text : str
        The first letters of a run's key, or a version: ``taxi_fare:3``, ``taxi_fare:champion``.

    Raises
    ------
    UserError
        If there is none, or more than one.
    """
    pipeline, colon, version = text.strip().partition(":")
    if not colon:
        return _run_by_key(ledger, text.strip().lower())
    head = ledger.champion(pipeline)
    if version != "champion":
        key = find_version(ledger, pipeline, version_number(version)).run_key
    elif head is not None:
        key = head.run_key
    else:
        raise UserError(
            "CHAMPION-NONE",
            pipeline[:64],
            "NAME:champion needs a pipeline that has a champion",
            "the ledger has none",
            "Name a version, such as taxi_fare:3, or a run",
        )
    run = ledger.run(key)
    assert run is not None  # a version is recorded after its run
    return pipeline, run


def _run_by_key(ledger: Ledger, begins: str) -> tuple[str, RunRecord]:
    found = [
        (pipeline, run)
        for pipeline in ledger.pipelines()
        for run in (ledger.find_runs(pipeline, begins) if len(begins) >= 4 else ())
    ]
    if len(found) == 1:
        return found[0]
    raise UserError(
        "CHAMPION-RUN",
        f"run {begins[:64] or '?'}",
        "a run is named by the first characters of its key: at least four, enough to match one run",
        f"{len(found)} match",
        "See everfit runs for the keys, or name a version such as taxi_fare:3",
    )
