"""Find a version or a run as a person names it, or say what there is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pipeline_components.contracts.errors import UserError, shortlist
from pipeline_components.contracts.spec_file import find_spec
from pipeline_components.ledger import Ledger
from pipeline_components.ledger.records import RunRecord, VersionRecord


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
            "CHAMPION-NUMBER", "version", "a version is a number such as 3 or v3",
            f"it is {text[:40]!r}", "Look at the numbers with everfit history",
        )  # fmt: skip
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
        "CHAMPION-UNKNOWN", f"{pipeline} v{number}", "a version must be in the ledger",
        f"there is {shown_versions(recorded)}", "Name one of these",
    )  # fmt: skip


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
        "a run is named by the first four or more letters of its key, so that only one matches",
        f"{len(found)} match, and the newest are {newest or 'none yet'}",
        "Give more of the key, or one of these",
    )
