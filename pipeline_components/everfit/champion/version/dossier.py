"""What a version can be rebuilt from, put into the store before the version is recorded."""

from __future__ import annotations

import io
import logging
import tarfile
from collections.abc import Mapping
from pathlib import Path

import everfit
from everfit.champion.version.model_code import OURS
from everfit.contracts.base import Digest, canonical_json
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.requests import RegisterRequest
from everfit.engine.context import Context
from everfit.engine.fingerprints import (
    SUFFIXES,
    digest_of_code,
    environment,
    hashes_of,
    installed,
    source_digest,
)
from everfit.storage.ledger import Ledger
from everfit.storage.store import Store, result_key

log = logging.getLogger(__name__)

LOCK = Path("requirements", "components.txt")
"""The requirements with hashes, below the checkout."""


def store_dossier(request: RegisterRequest, context: Context) -> Digest:
    """Store all that a version can be rebuilt from, and where the run key leads to it.

    Returns
    -------
    Digest
        Of the ``Dossier`` as canonical JSON; a function of the request, the code and the lock.
    """
    store = context.store
    sources = source_files()
    below = {name.removeprefix(f"{OURS}/"): content for name, content in sources.items()}
    if (here := digest_of_code("run", hashes_of(below))) != request.code:
        log.warning(
            "%s run %s was planned by code %s and is registered by %s, which is what is kept",
            request.spec.name,
            request.run_key[:12],
            request.code[:12],
            here[:12],
        )
    candidate = store.put("train.json", canonical_json(request.evaluated.candidate))
    dossier = Dossier(
        request=request,
        upstream={**request.upstream, "train": (candidate.digest,)},
        code=store.put("code.tar", packed(sources)),
        package=source_digest(below),
        lock=store.put("requirements.txt", lock(context.settings.root)),
        environment=environment(),
        judged=dossier_digest(request.refit_of, context.ledger) if request.refit_of else None,
    )
    kept = store.put("dossier.json", canonical_json(dossier))
    context.ledger.record_result("dossier", request.run_key, kept.digest)
    store.create(result_key("dossier", request.run_key), canonical_json(kept))
    return kept.digest


def find_dossier(run_key: Digest, ledger: Ledger, store: Store) -> tuple[Digest, Dossier] | None:
    """The dossier of a run that was about to be registered, verified; None where there is none.

    The ledger leads to it: a dossier that others put into the store is none.

    Raises
    ------
    IntegrityError
        If the store lost or altered it.
    """
    digest = dossier_digest(run_key, ledger)
    return None if digest is None else (digest, Dossier.model_validate_json(store.get(digest)))


def dossier_digest(run_key: Digest, ledger: Ledger) -> Digest | None:
    """The digest of a run's dossier, whose bytes retention may have taken out."""
    known = ledger.result("dossier", run_key)
    return None if known is None else known.digest


def source_files(root: Path | None = None) -> dict[str, bytes]:
    """The components' own files: path below the folder that goes on ``sys.path`` → content."""
    base = root or Path(everfit.__file__).parent
    return {
        f"{OURS}/{path.relative_to(base).as_posix()}": path.read_bytes()
        for path in sorted(base.rglob("*"))
        if path.suffix in SUFFIXES and "__pycache__" not in path.parts and path.is_file()
    }


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of them, the same bytes wherever and whenever it is made.

    It is not compressed: other builds of the compressor give other bytes.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()


def lock(root: Path) -> bytes:
    """The checkout's requirements with hashes; without a checkout, what is installed here."""
    try:
        return (root / LOCK).read_bytes()
    except OSError:
        found = {name: version for name, version in installed().items() if name != "everfit"}
        return "".join(f"{name}=={found[name]}\n" for name in sorted(found)).encode()
