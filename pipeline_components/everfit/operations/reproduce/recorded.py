"""What is on record of a version, read without trusting that its form is today's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError, UserError
from everfit.contracts.messages.artifacts import Artifact
from everfit.storage.ledger.records import VersionRecord
from everfit.storage.store import Store


@dataclass(frozen=True)
class Recorded:
    """The parts of a dossier that say how to read the rest."""

    called: str
    dossier: Digest
    run_key: Digest
    code: Digest
    """Digest of the code that decided."""
    archive: Artifact
    """Tar of the package that was there."""
    package: Digest
    """Digest of the source in it."""
    lock: Artifact
    environment: dict[str, str]


def read_recorded(pipeline: str, record: VersionRecord, store: Store) -> Recorded:
    """Read the dossier of a version and compare it with the ledger's record.

    Raises
    ------
    UserError
        If there is none, or a table or the model was made in an image of the pipeline's own.
    IntegrityError
        If it is missing, altered, or of another model than the record's.
    """
    called = f"{pipeline} v{record.version}"
    if record.dossier is None:
        raise UserError(
            "REPRODUCE-DOSSIER",
            called,
            "a version must have a dossier to be rebuilt from",
            "an Everfit that wrote none registered it",
            "Train it again, or choose a later version",
        )
    text = store.get(record.dossier)
    try:
        document: dict[str, Any] = json.loads(text)
        request = document["request"]
        model: str = request["evaluated"]["candidate"]["model"]["digest"]
        images = dict(request.get("spec", {}).get("images", {}))
        found = Recorded(
            called=called,
            dossier=record.dossier,
            run_key=str(request["run_key"]),
            code=str(request["code"]),
            archive=Artifact.model_validate(document["code"]),
            package=str(document["package"]),
            lock=Artifact.model_validate(document["lock"]),
            environment={str(k): str(v) for k, v in document["environment"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _strange(called, "it names no run, model, code, lock or environment") from error
    if found.run_key != record.run_key:
        raise _strange(called, f"it is of run {found.run_key[:12]}, not {record.run_key[:12]}")
    if model != record.champion.model.digest:
        raise _strange(
            called,
            f"its model is {model[:12]}, and the ledger's {record.champion.model.digest[:12]}",
        )
    made_in = ("prepare", "train", *(("refit",) if document.get("judged") else ()))
    named = {name: images.get(name, images.get("default")) for name in made_in}
    if any(named.values()):
        made = " and ".join(f"{name} in {image}" for name, image in named.items() if image)
        raise UserError(
            "REPRODUCE-IMAGES",
            called,
            "a version is rebuilt in a process with our own code",
            f"its run had {made}",
            "Train with the same window and images, and compare the models",
        )
    return found


def _strange(called: str, found: str) -> IntegrityError:
    return IntegrityError(
        "REPRODUCE-RECORD",
        called,
        "its dossier must be of the version the ledger records",
        found,
        "Restore ledger and store from backups of one time",
    )
