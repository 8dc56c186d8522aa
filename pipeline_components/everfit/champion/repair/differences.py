"""What MLflow and the store say otherwise than the ledger: to repair, or for a person to fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from everfit.champion.promotion import Intended
from everfit.contracts.base import Digest
from everfit.contracts.errors import EverfitError, IntegrityError, shortlist
from everfit.storage.ledger.records import PromotionRecord, VersionRecord
from everfit.storage.mlflow import LoggedRun, ShownVersion


@dataclass(frozen=True)
class Facts:
    """All that is compared."""

    pipeline: str
    registry: str
    """MLflow's address as people may see it."""
    head: PromotionRecord | None
    promoted: frozenset[Digest]
    """Run keys of all that were ever champion."""
    recorded: Sequence[VersionRecord]
    before: frozenset[Digest]
    """Run keys of those that were recorded before MLflow was looked at, so it must show them."""
    unfinished: Mapping[Digest, Intended | EverfitError]
    """Intents without a version: what to record, or why the ledger and the store cannot tell."""
    judged: frozenset[Digest]
    """Run keys with a verdict."""
    alias: int | None
    versions: Sequence[ShownVersion]
    runs: Sequence[LoggedRun]


@dataclass(frozen=True)
class Repair:
    """Something that can be put right without asking, because the ledger says how."""

    what: Literal["register", "twins", "alias", "unnamed"]
    sentence: str
    run_key: Digest = ""
    version: int | None = None
    run: LoggedRun | None = None
    made: Intended | None = None


@dataclass
class Differences:
    """What was found."""

    repairs: list[Repair] = field(default_factory=list)
    """In the order to make them."""
    reports: list[EverfitError] = field(default_factory=list)
    """A line each for a person."""


def differences(facts: Facts) -> Differences:
    """Compare; changes nothing, and never says who should be champion: the journal does."""
    found = Differences()
    _unfinished(facts, found)
    _versions(facts, found)
    _alias(facts, found)
    _runs(facts, found)
    return found


def unpromoted(pipeline: str, version: int) -> IntegrityError:
    """A version that was accepted, registered, and then forgotten though nobody came first."""
    return IntegrityError(
        "RECONCILE-UNPROMOTED",
        f"{pipeline} v{version}",
        "an accepted version becomes champion unless another was promoted first",
        "none was, and the journal does not name it",
        f"{_rerun(pipeline)}; or decide with everfit promote {pipeline} --to {version}",
    )


def _unfinished(facts: Facts, found: Differences) -> None:
    for run_key, made in facts.unfinished.items():
        run = next((r for r in facts.runs if (r.run_key, r.status) == (run_key, "FINISHED")), None)
        if isinstance(made, EverfitError):
            found.reports.append(_unfinishable(facts, run_key, made.found or made.must))
        elif run is None:
            found.reports.append(_unfinishable(facts, run_key, "MLflow has no finished run of it"))
        else:
            sentence = f"run {run_key[:12]} was accepted but not registered: its version"
            found.repairs.append(Repair("register", sentence, run_key, run=run, made=made))


def _versions(facts: Facts, found: Differences) -> None:
    there = {shown.version: shown.run_key for shown in facts.versions}
    gone = [
        record
        for record in facts.recorded
        if record.run_key in facts.before and there.get(record.version) != record.run_key
    ]
    if gone:
        found.reports.append(_gone(facts, gone))
    numbers = {record.run_key: record.version for record in facts.recorded}
    twins: dict[Digest, list[int]] = {}
    for shown in facts.versions:
        key, number = shown.run_key, numbers.get(shown.run_key or "")
        if key is None or (number is None and key not in facts.unfinished):
            found.reports.append(_stranger(facts, shown))
        elif number is not None and number != shown.version:
            if there.get(number) == key:
                twins.setdefault(key, []).append(shown.version)
            else:
                found.reports.append(_stranger(facts, shown))
    for key, extra in twins.items():
        named = shortlist(f"v{number}" for number in extra)
        sentence = f"{named} repeated v{numbers[key]} of run {key[:12]}: deleted"
        found.repairs.append(Repair("twins", sentence, key, version=numbers[key]))


def _alias(facts: Facts, found: Differences) -> None:
    wanted = facts.head.version if facts.head else None
    key = facts.head.run_key if facts.head else None
    if facts.alias == wanted:
        return
    if wanted is not None and ShownVersion(wanted, key) not in facts.versions:
        # Reported as gone; an alias cannot name it. No champion is better than one nobody chose.
        named = next((one for one in facts.versions if one.version == facts.alias), None)
        if named is not None and named.run_key not in facts.promoted:
            sentence = f"@champion named v{named.version}, which was never champion: removed"
            found.repairs.append(Repair("unnamed", sentence))
        return
    was = f"named v{facts.alias}" if facts.alias is not None else "was missing"
    now = (
        f"names v{wanted} again"
        if wanted is not None
        else "was removed, as nothing was ever promoted"
    )
    sentence = f"@champion {was}: it {now}"
    found.repairs.append(Repair("alias", sentence, version=wanted))


def _runs(facts: Facts, found: Differences) -> None:
    finished = {run.run_key for run in facts.runs if run.status == "FINISHED"}
    for run in facts.runs:
        if run.status == "FINISHED" or run.run_key not in facts.judged:
            continue
        if run.run_key in finished:
            state, todo = "another run of the same key is complete", "Delete this one in MLflow"
        else:
            state = "the process that logged it is still running or has died"
            todo = _rerun(facts.pipeline)
        found.reports.append(
            IntegrityError(
                "RECONCILE-RUN",
                f"{facts.registry} run {run.run}",
                f"the run of a recorded verdict ({run.run_key[:12]}) must be FINISHED",
                f"it is {run.status}: {state}",
                todo,
            )
        )


def _rerun(pipeline: str) -> str:
    return (
        f"Run everfit run {pipeline} --force, or clear the register task of its Airflow run: what "
        "was done before is taken up"
    )


def _unfinishable(facts: Facts, run_key: Digest, why: str) -> IntegrityError:
    return IntegrityError(
        "RECONCILE-UNFINISHED",
        f"{facts.pipeline} run {run_key[:12]}",
        "a registration that was begun must end in a version",
        f"it has none, and {why}",
        _rerun(facts.pipeline),
    )


def _gone(facts: Facts, gone: Sequence[VersionRecord]) -> IntegrityError:
    champion = facts.head and any(r.run_key == facts.head.run_key for r in gone)
    return IntegrityError(
        "RECONCILE-GONE",
        f"{facts.registry} model {facts.pipeline}",
        "MLflow must hold every version the ledger records",
        f"{shortlist(f'v{record.version}' for record in gone)} not there"
        + (", the champion among them" if champion else ""),
        f"Rebuild them with everfit reconcile {facts.pipeline} --rebuild, or correct "
        "EVERFIT_MLFLOW",
    )


def _stranger(facts: Facts, shown: ShownVersion) -> IntegrityError:
    of = f"of run {shown.run_key[:12]}, " if shown.run_key else "without a run key, "
    return IntegrityError(
        "RECONCILE-STRANGER",
        f"{facts.registry} model {facts.pipeline} v{shown.version}",
        "every version in MLflow must be in the ledger",
        f"this one, {of}is not",
        "Find out who created it, and delete it there",
    )
