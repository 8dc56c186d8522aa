"""Make an emptied or new MLflow again: all that it shows is in the ledger and the store.

Every step is one that looks first, so that a rebuild killed anywhere is simply begun again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from everfit.champion.answer import TAG
from everfit.champion.approvals import told
from everfit.champion.promotion import (
    AWAITS,
    DEPLOYMENT,
    NOTHING,
    model_about,
    promotion_tags,
    version_tags,
)
from everfit.champion.repair.artifacts import removed_digests
from everfit.champion.version.dossier import dossier_digest
from everfit.champion.version.made_with import made_as_told
from everfit.champion.version.report.card import judged_card
from everfit.champion.version.run_files import began, run_files, trained_families
from everfit.champion.version.run_log import run_log
from everfit.champion.version.signing import verified
from everfit.contracts.base import Digest
from everfit.contracts.errors import EverfitError, IntegrityError, UserError, shortlist
from everfit.contracts.messages.dossier import Dossier
from everfit.engine.context import Context
from everfit.storage.deployment import claim
from everfit.storage.ledger.records import VersionRecord
from everfit.storage.mlflow import LoggedRun, Registry
from everfit.storage.store import Store, blob_key


@dataclass
class Rebuilt:
    """What was made, or would be."""

    sentences: list[str] = field(default_factory=list)
    reports: list[EverfitError] = field(default_factory=list)
    """A line each for a person."""
    versions: set[Digest] = field(default_factory=set)
    """Run keys of the versions made."""


def rebuild(pipeline: str, context: Context, registry: Registry, *, dry_run: bool) -> Rebuilt:
    """Make every run and version that MLflow lacks, with what belongs to them; not the alias.

    Raises
    ------
    Unavailable
        If MLflow, the store or the ledger does not answer.
    """
    work = _Rebuilding(pipeline, context, registry, dry_run)
    work.runs()
    work.versions()
    return work.found


class _Rebuilding:
    def __init__(self, pipeline: str, context: Context, registry: Registry, dry_run: bool) -> None:
        self.pipeline, self.context, self.registry = pipeline, context, registry
        self.dry_run = dry_run
        self.found = Rebuilt()
        self._about = ""
        self._recorded = {record.run_key: record for record in context.ledger.versions(pipeline)}
        self._removed = removed_digests(context.ledger, pipeline)
        self._logged: dict[Digest, LoggedRun] = {
            run.run_key: run for run in registry.runs(pipeline) if run.status == "FINISHED"
        }

    def runs(self) -> None:
        """Every run with a verdict, oldest first."""
        ledger = self.context.ledger
        verdicts = {found.run_key: found for found in ledger.verdicts(self.pipeline)}
        missing = [
            run.run_key
            for run in ledger.find_runs(self.pipeline)
            if run.run_key in verdicts and run.run_key not in self._logged
        ]
        without = []
        for number, key in enumerate(missing, 1):
            try:
                digest = self._digest(key)
                if digest is None:
                    verdict = ledger.verdict(key)
                    if verdict is None or verdict.decision not in self._removed:
                        without.append(key)
                elif digest not in self._removed:
                    dossier = self._dossier(key, digest)
                    if not self._is_removed(dossier):
                        self._make_run(key, dossier)
            except UserError as error:
                self.found.reports.append(error)
            self.context.progress.update("runs", number, len(missing))
        if without:
            self.found.reports.append(
                IntegrityError(
                    "RECONCILE-REBUILD",
                    self.pipeline,
                    "a run is rebuilt from its dossier",
                    f"an older Everfit kept no dossier of {shortlist(key[:12] for key in without)}",
                    "Restore MLflow's database from its backup, or give these runs up",
                )
            )

    def versions(self) -> None:
        """Every version under its old number, lowest first."""
        there = {shown.version: shown.run_key for shown in self.registry.versions(self.pipeline)}
        for record in sorted(self._recorded.values(), key=lambda record: record.version):
            logged = self._logged.get(record.run_key)
            if there.get(record.version) == record.run_key or logged is None:
                continue
            try:
                verified(record, self.pipeline, self.context)
                self._make_version(record, logged)
            except UserError as error:
                self.found.reports.append(error)

    def _digest(self, key: Digest) -> Digest | None:
        """Of the dossier that the signed record or, where there is no version, the key names."""
        record = self._recorded.get(key)
        if record is None:
            return dossier_digest(key, self.context.ledger)
        verified(record, self.pipeline, self.context)
        return record.dossier

    def _dossier(self, key: Digest, digest: Digest) -> Dossier:
        try:
            dossier = Dossier.model_validate_json(self.context.store.get(digest))
        except ValidationError as error:
            raise self._lost(key, "this Everfit cannot read its dossier") from error
        if dossier.request.run_key != key or dossier.request.spec.name != self.pipeline:
            raise self._lost(key, "its dossier belongs to another run")
        return dossier

    def _is_removed(self, dossier: Dossier) -> bool:
        """Whether retention took out what the run showed: then it is not missed.

        Raises
        ------
        IntegrityError
            If the store lost something that nobody removed.
        """
        gone = [digest for digest in _needed(dossier) if not _holds(self.context.store, digest)]
        if lost := [digest for digest in gone if digest not in self._removed]:
            named = shortlist(digest[:12] for digest in lost)
            raise self._lost(dossier.request.run_key, f"the store lost {named}")
        return bool(gone)

    def _make_run(self, key: Digest, dossier: Dossier) -> None:
        context, request = self.context, dossier.request
        opened = began(request, context)
        card = judged_card(request, opened, context)
        logged = run_log(request, opened, card[0], trained_families(request, context))
        self._about = self._about or model_about(request.spec)
        run = ""
        if not self.dry_run:
            made_with = made_as_told(dossier, context.store)
            record = self._recorded.get(key)
            run = self.registry.ensure_run(
                logged,
                lambda run: dict(run_files(request, run, opened, made_with, card, context)),
                known=record.mlflow_run if record else None,
            ).run
        tags = {name: value for name, value in logged.tags.items() if name.startswith("everfit.")}
        self._logged[key] = LoggedRun(run, key, "FINISHED", tags)
        self.found.sentences.append(
            f"run {key[:12]} was missing in MLflow: rebuilt, with its files"
        )

    def _make_version(self, record: VersionRecord, logged: LoggedRun) -> None:
        made = self.dry_run or self.registry.restore_version(
            self.pipeline,
            record.version,
            record.run_key,
            logged.run,
            {**logged.tags, **self._tags(record)},
            self._description(record.run_key),
            about=self._about,
        )
        if not made:
            raise self._no_number(record)
        self.found.versions.add(record.run_key)
        self.found.sentences.append(
            f"v{record.version} of run {record.run_key[:12]} was missing in MLflow: rebuilt"
        )

    def _tags(self, record: VersionRecord) -> dict[str, str]:
        """What became of a version, as MLflow showed it."""
        ledger, key = self.context.ledger, record.run_key
        entries = [entry for entry in ledger.history(self.pipeline) if entry.run_key == key]
        answer, verdict = ledger.approval(key), ledger.verdict(key)
        tags = {**version_tags(record), DEPLOYMENT: claim(ledger, self.context.store)}
        if answer is not None:
            tags |= {TAG: told(answer), AWAITS: NOTHING}
        accepted = verdict is not None and verdict.verdict == "promote"
        refused = answer is not None and answer.answer == "refuse"
        waits = record.awaits and answer is None
        if entries or (accepted and not waits and not refused):
            tags |= promotion_tags(record, entries[-1] if entries else None)
        return tags

    def _description(self, key: Digest) -> str:
        verdict = self.context.ledger.verdict(key)
        return f"{verdict.verdict}: {verdict.because}" if verdict else ""

    def _lost(self, key: Digest, found: str) -> IntegrityError:
        return IntegrityError(
            "RECONCILE-REBUILD",
            f"{self.pipeline} run {key[:12]}",
            "a run is rebuilt from its dossier and the artifacts the dossier names",
            found,
            f"Restore them from a backup of {self.context.store.url}",
        )

    def _no_number(self, record: VersionRecord) -> IntegrityError:
        return IntegrityError(
            "RECONCILE-NUMBER",
            f"{self.registry.where} model {self.pipeline} v{record.version}",
            "MLflow must give a version the number that the ledger records",
            "it has used that number before, and never uses one twice",
            f"Delete the registered model {self.pipeline} in MLflow, versions and all, and run "
            f"this again: all of them are made again under their old numbers",
        )


def _needed(dossier: Dossier) -> Iterator[Digest]:
    """Digests of everything that a run shows."""
    evaluated, decision = dossier.request.evaluated, dossier.request.decision
    yield from (dossier.code.digest, dossier.lock.digest)
    yield from (
        evaluated.candidate.model.digest,
        evaluated.sample.digest,
        evaluated.card_values.digest,
    )
    yield from (plot.digest for plot in evaluated.plots)
    yield from (decision.report_json.digest, decision.report_html.digest)
    if dossier.request.data_report is not None:
        yield dossier.request.data_report.digest


def _holds(store: Store, digest: Digest) -> bool:
    return store.exists(blob_key(digest))
