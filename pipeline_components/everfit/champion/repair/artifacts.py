"""Every stored artifact that a pipeline's records name, and whether its bytes are still those."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.requests import GateResult
from everfit.engine.progress import Progress
from everfit.storage.ledger import Ledger
from everfit.storage.store import Store, blob_key


def named_artifacts(ledger: Ledger, store: Store, pipeline: str) -> dict[Digest, str]:
    """Digest → what people call it: models and tables of versions, decisions, snapshots.

    What retention has taken out is not among them, unless a version needs it: a run that came back
    after it was pruned may have been promoted since.
    """
    removed = removed_digests(ledger, pipeline)
    versions = {record.run_key for record in ledger.versions(pipeline)}
    found: dict[Digest, str] = {}
    for digest, name in _of_versions(ledger, store, pipeline):
        found.setdefault(digest, name)
    for run in reversed(ledger.find_runs(pipeline)):
        for digest, name in _of_run(run.run_key, ledger, store):
            if digest not in removed or run.run_key in versions:
                found.setdefault(digest, name)
    for span in ledger.spans(pipeline):
        if span.digest is not None and span.digest not in removed:
            found.setdefault(span.digest, f"snapshot {span.name}")
    return found


def removed_digests(ledger: Ledger, pipeline: str) -> frozenset[Digest]:
    """What retention has taken out of the store, be it the pipeline's or led to by no record."""
    gone = [*ledger.removals(pipeline), *ledger.removals("")]
    return frozenset(removal.digest for removal in gone)


def lost_artifacts(
    named: dict[Digest, str], store: Store, scratch: Path, pipeline: str, progress: Progress
) -> Iterator[IntegrityError]:
    """Look at every byte, and name the artifacts that are missing or altered.

    Raises
    ------
    Unavailable
        If the store does not answer.
    """
    for number, (digest, name) in enumerate(named.items(), 1):
        try:
            path = store.local(digest, scratch)
        except IntegrityError as error:
            yield IntegrityError(
                "RECONCILE-ARTIFACT",
                f"{pipeline} {name}",
                f"the store must hold the bytes of digest {digest}",
                "they are altered" if error.code == "STORE-ALTERED" else "there are none",
                f"Put {blob_key(digest)} back from a backup of {store.url}",
            )
        else:
            if path.is_relative_to(scratch):  # a copy, made to look at
                path.unlink()
        progress.update("artifacts", number, len(named))


def _of_versions(ledger: Ledger, store: Store, pipeline: str) -> Iterator[tuple[Digest, str]]:
    spans = {span.digest: span.name for span in ledger.spans(pipeline)}
    for record in reversed(ledger.versions(pipeline)):
        yield record.champion.model.digest, f"v{record.version} model"
        yield record.champion.train.digest, f"v{record.version} training table"
        if record.dossier is not None:
            yield record.dossier, f"v{record.version} dossier"
            yield from _of_dossier(record.dossier, record.version, store)
        for digest in (*record.champion.window, *record.champion.holdout):
            if digest in spans:
                yield digest, f"snapshot {spans[digest]}"


def _of_run(run_key: Digest, ledger: Ledger, store: Store) -> Iterator[tuple[Digest, str]]:
    verdict = ledger.verdict(run_key)
    if verdict is None:
        return
    yield verdict.decision, f"run {run_key[:12]} decision"
    try:
        decision = GateResult.model_validate_json(store.get(verdict.decision))
    except (IntegrityError, ValidationError):  # lost: named by now; or of an older Everfit
        return
    yield decision.report_json.digest, f"run {run_key[:12]} decision report (JSON)"
    yield decision.report_html.digest, f"run {run_key[:12]} decision report (page)"


def _of_dossier(digest: Digest, version: int, store: Store) -> Iterator[tuple[Digest, str]]:
    """What a version is rebuilt from, beside what is named anyway."""
    try:
        dossier = Dossier.model_validate_json(store.get(digest))
    except (IntegrityError, ValidationError):  # lost: named by now; or of another Everfit
        return
    yield dossier.code.digest, f"v{version} code"
    yield dossier.lock.digest, f"v{version} requirements"
    for component, results in sorted(dossier.upstream.items()):
        for result in results:
            yield result, f"v{version} result of {component}"
