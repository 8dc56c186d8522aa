"""The record of a version is signed, and believed only where its signature holds.

Digests prove that bytes are those of the record; the signature proves that the record itself is
ours. It is looked at before any byte of a model is deserialised: where a run reads the champion it
is compared with, where monitoring loads it, and before a person's promotion or a reproduction.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError, UserError, from_system
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.settings import Settings
from everfit.engine.context import Context
from everfit.storage.ledger.records import VersionRecord

log = logging.getLogger(__name__)

KEY_FILE = "signing.key"
"""In ``EVERFIT_HOME``: the private key, made once where no setting names another."""

SCHEME = "ed25519"

_WRITTEN = re.compile(rf"{SCHEME}:[A-Za-z0-9+/]{{43}}=")
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


def signed(record: VersionRecord, pipeline: str, settings: Settings) -> VersionRecord:
    """The record with its signature: scheme, public key, and what the private key makes of it.

    Raises
    ------
    UserError
        If the key is none, or cannot be read or made.
    """
    return record.model_copy(update={"signature": _signature(message(record, pipeline), settings)})


def signature_over(text: bytes, context: Context) -> str:
    """Scheme, public key, and what the private key makes of a text.

    Raises
    ------
    UserError
        If the key is none, or cannot be read or made.
    """
    return _signature(text, context.settings)


def _signature(text: bytes, settings: Settings) -> str:
    key = private_key(settings)
    return f"{_written(key.public_key())}:{base64.b64encode(key.sign(text)).decode()}"


def verified(record: VersionRecord, pipeline: str, context: Context) -> VersionRecord:
    """The record itself, if a key that is known here has signed it as it is.

    One without a signature is of an older Everfit, and accepted, if no dossier and no version
    before it say otherwise.

    Raises
    ------
    IntegrityError
        If it was signed by another key, altered, or not signed.
    """
    where = f"{pipeline} v{record.version}"
    if not record.signature:
        if record.dossier is None and not _signed_before(record, pipeline, context):
            return record
        raise _not_ours(
            where,
            "it has no signature, although versions were signed by then",
            "Find out who wrote it; restore the ledger from its backup, or promote another version",
        )
    refuse_forged(record.signature, message(record, pipeline), where, context)
    return record


def refuse_forged(signature: str, text: bytes, where: str, context: Context) -> None:
    """Make sure that a key which is known here has signed a text.

    Raises
    ------
    IntegrityError
        If another key has, or it was altered since.
    """
    public, _, made = signature.rpartition(":")
    if public not in known_keys(context.settings):
        raise _not_ours(
            where,
            f"it was signed by {public[:60]}, a key not known here",
            "If the key is yours, add it to EVERFIT_VERIFY_KEY or set EVERFIT_SIGNING_KEY to its "
            "private key; otherwise find out who wrote to the ledger",
        )
    if not _holds(public, made, text):
        raise _not_ours(
            where,
            "it was changed after it was signed",
            "Find out who wrote to the ledger; restore it from its backup, or promote another "
            "version",
        )


def verified_champion(champion: ChampionRef, pipeline: str, context: Context) -> ChampionRef:
    """The champion as a run has pinned it, if the signed record of its version says the same.

    Raises
    ------
    IntegrityError
        If it does not, or its signature does not hold.
    """
    record = context.ledger.version(champion.run_key)
    if record is None or _timeless(champion) != _timeless(record.champion):
        raise _not_ours(
            f"{pipeline} v{champion.version}",
            "there is none" if record is None else "the run was pinned to something else",
            "Find out who wrote to the ledger; restore it from its backup",
        )
    verified(record, pipeline, context)
    return champion


def message(record: VersionRecord, pipeline: str) -> bytes:
    """What is signed: the pipeline and every field but the time and the signature.

    Fields at their defaults are left out, so that one which a later Everfit adds breaks nothing.
    """
    fields = record.model_dump(mode="json", exclude={"at", "signature"}, exclude_defaults=True)
    return canonical_json({"pipeline": pipeline, "version_record": fields})


def private_key(settings: Settings) -> Any:
    """The key that signs: of ``EVERFIT_SIGNING_KEY``, else the one in ``EVERFIT_HOME``.

    It is made there where there is none: whole or not at all, and of two makers one wins.

    Raises
    ------
    UserError
        If it is none, or cannot be read or made.
    """
    if settings.signing_key:
        return _parsed(_text(settings.signing_key, "EVERFIT_SIGNING_KEY"), "EVERFIT_SIGNING_KEY")
    path = settings.home / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            log.warning("%s can be read by others: chmod 600 it", path)
        return _parsed(path.read_text("ascii", "replace"), str(path))
    except OSError as error:
        raise from_system(error) from error


def known_keys(settings: Settings) -> frozenset[str]:
    """The public keys whose signatures count, as ``ed25519:<base64>``; nothing is made.

    Those of ``EVERFIT_VERIFY_KEY``, and that of the private key where there is one.

    Raises
    ------
    UserError
        If a setting names what is no key.
    """
    found = set()
    if settings.verify_key:
        text = settings.verify_key
        if not _WRITTEN.search(text):
            text = _text(text, "EVERFIT_VERIFY_KEY")
        found |= set(_WRITTEN.findall(text))
        found |= {_public(part[0]) for part in _PEM.finditer(text)}
        if not found:
            raise _no_key("EVERFIT_VERIFY_KEY", "it contains no public key")
    if settings.signing_key or (settings.home / KEY_FILE).exists():
        found.add(_written(private_key(settings).public_key()))
    return frozenset(found)


def _signed_before(record: VersionRecord, pipeline: str, context: Context) -> bool:
    """Whether a version with a lower number is signed: then this one would be too."""
    return any(
        other.signature and other.version < record.version
        for other in context.ledger.versions(pipeline)
    )


def _timeless(champion: ChampionRef) -> ChampionRef:
    """The place in the journal is not the version's: it may be promoted more than once."""
    return champion.model_copy(update={"sequence": 0})


def _holds(public: str, made: str, text: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.partition(":")[2]))
        key.verify(base64.b64decode(made, validate=True), text)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _make(path: Path) -> None:
    """Make a private key that appears whole, for this user alone, unless there is one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    text = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        os.unlink(aside)  # noqa: PTH108
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _text(value: str, setting: str) -> str:
    """The PEM text of a setting, which may be a path to it."""
    if "-----BEGIN" in value:
        return value.replace("\\n", "\n")  # as some places keep a text on one line
    try:
        return Path(value).read_text("ascii", "replace")
    except OSError as error:
        raise _no_key(setting, f"the file cannot be read: {error.strerror}") from error


def _parsed(text: str, where: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(where, "it is not a private key, or has a passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(where, "it is of another type")
    return key


def _public(text: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key("EVERFIT_VERIFY_KEY", "part of it is not a public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key("EVERFIT_VERIFY_KEY", "a key of it is of another type")
    return _written(key)


def _written(public: Any) -> str:
    """A public key as people hand it on: ``ed25519:<base64>``."""
    return f"{SCHEME}:{base64.b64encode(public.public_bytes_raw()).decode()}"


def _no_key(where: str, found: str) -> UserError:
    return UserError(
        "SIGNING-KEY",
        where,
        "a key is an Ed25519 key in PEM, or a path to one",
        found,
        "Make one with openssl genpkey -algorithm ed25519, or let Everfit make its own",
    )


def _not_ours(where: str, found: str, todo: str) -> IntegrityError:
    return IntegrityError(
        "LEDGER-SIGNATURE",
        where,
        "a record of the ledger must be signed by a key known here",
        found,
        todo,
    )
