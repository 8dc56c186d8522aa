"""What a backup is: one manifest, made last, that names all the rest by digest.

A place of backups is itself a store, of files or on S3. Bytes lie in it once, under their digest,
whatever they were called and however many backups hold them::

    blobs/<aa>/<digest>      whatever was in the store, the ledger's lines, the index
    backups/<name>.json      the manifest; without it nothing counts
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.errors import IntegrityError, UserError, shortlist
from everfit.contracts.messages.artifacts import Artifact
from everfit.storage.store import Store, open_store

PREFIX = "backups/"


class Backup(Frozen):
    """``backups/<name>.json``."""

    format: Literal[1] = 1
    at: str = Field(description="ISO time at which the ledger was as it is in the backup")
    ledger: Artifact = Field(description="gzip of the ledger's lines")
    rows: dict[str, int] = Field(description="table of the ledger → rows")
    index: Artifact = Field(description="gzip of a line for each key of the store")
    keys: int = Field(description="how many there are")
    size: int = Field(description="bytes of what they hold")


@dataclass(frozen=True)
class Kept:
    """A key of the store, and what it held."""

    key: str
    digest: Digest
    size: int


def open_place(where: str) -> Store:
    """The place of backups: a folder, ``file://`` or ``s3://``.

    Raises
    ------
    UserError
        If it is none of these.
    """
    if "://" not in where:
        return open_store(Path(where).resolve().as_uri())
    if where.startswith("memory:"):
        raise UserError(
            "BACKUP-PLACE",
            where,
            "backups outlive this process",
            "this is its memory",
            "Name a folder, or s3://bucket/prefix",
        )
    return open_store(where)


def names(place: Store) -> list[str]:
    """The backups there are, oldest first."""
    found = place.keys(PREFIX)
    return [key.removeprefix(PREFIX).removesuffix(".json") for key in found]


def read_backup(place: Store, name: str | None) -> tuple[str, Backup]:
    """A backup by its name, or the newest.

    Raises
    ------
    UserError
        If it is not there, or an Everfit of another kind made it.
    """
    known = names(place)
    if not known or (name is not None and name not in known):
        raise UserError(
            "RESTORE-NONE",
            place.url,
            "a backup that is restored must be there, and whole",
            f"there is {shortlist(known[-5:]) or 'none'}",
            "Look with everfit backup --list",
        )
    chosen = name or known[-1]
    try:
        return chosen, Backup.model_validate_json(place.read(f"{PREFIX}{chosen}.json") or b"")
    except ValidationError as error:
        raise UserError(
            "RESTORE-FORMAT",
            f"{place.url} {chosen}",
            "this Everfit must know a backup's form",
            "it is another",
            "Restore it with the Everfit that made it",
        ) from error


def written_index(path: Path, kept: Iterable[Kept]) -> Path:
    """Write the index: ``digest size key``, sorted by key, without a time in it."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out:
        for one in sorted(kept, key=lambda one: one.key):
            out.write(f"{one.digest} {one.size} {one.key}\n".encode())
    return path


def read_index(path: Path, where: str) -> Iterator[Kept]:
    """The lines of an index.

    Raises
    ------
    IntegrityError
        If one has another form.
    """
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            digest, _, rest = line.rstrip("\n").partition(" ")
            size, _, key = rest.partition(" ")
            if len(digest) != 64 or not size.isdecimal() or not key:
                raise IntegrityError(
                    "RESTORE-INDEX",
                    where,
                    "a line of the index is digest, size and key",
                    f"one is {line[:40]!r}",
                    "Restore another backup",
                )
            yield Kept(key, digest, int(size))
