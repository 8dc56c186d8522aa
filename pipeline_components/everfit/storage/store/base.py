"""The one interface to stored bytes: create-if-absent, read, list. Nothing is ever overwritten.

But for projections, which nothing is decided by and which can be made anew: ``replace``.

Only retention removes. It goes by the time a key was made or last in use, so whoever builds on
what is there renews it: ``create`` where the key is taken, ``reuse`` where it reads a cache.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from everfit.contracts.base import Digest, digest_bytes
from everfit.contracts.errors import IntegrityError, RequestError
from everfit.contracts.messages.artifacts import Artifact

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_PREFIX = re.compile(rf"(?:{_KEY.pattern}/?)?")

ASIDE = "aside/"
"""Where bytes are kept that were found under a key they do not belong to."""

PROJECTIONS = ("boards/",)
"""Where keys may be replaced."""

RENEW_SECONDS = 12 * 3600
"""A key made or renewed within this time is left as it is; retention spares it for longer."""


@dataclass(frozen=True)
class Entry:
    """What a key holds, without its bytes."""

    key: str
    size: int
    """Bytes."""
    used: float
    """When it was made or last renewed, in seconds since 1970 by the store's clock."""


class Store(ABC):
    """Where artifacts live.

    Keys are relative, ``/``-separated and made by Everfit alone; none can name a place outside
    the store, nor one that begins with a dot. Two kinds are used:
    ``blobs/<aa>/<digest>`` holds bytes under their sha-256, ``results/<component>/<key>.json`` a
    result under the content key of its request; creating that one is a step's commit.
    """

    url: str

    @abstractmethod
    def create(self, key: str, data: bytes | Path) -> bool:
        """Publish ``data`` under ``key`` in one atomic step, durably, unless the key exists.

        Returns
        -------
        bool
            False where the key was already there; what it holds is left as it is, and renewed.

        Raises
        ------
        RequestError
            If ``key`` is not one that Everfit makes.
        UserError
            If the store cannot be written to until a person fixes it.
        Unavailable
            If it cannot be written to now; nothing of ``data`` is under ``key``.
        """

    @abstractmethod
    def replace(self, key: str, data: bytes) -> None:
        """Put ``data`` under ``key`` in one atomic step, whatever was there; the last one stays.

        For projections alone, such as boards: a reader finds the bytes before or these.

        Raises
        ------
        RequestError
            If ``key`` is not one that Everfit makes, or one that holds artifacts.
        UserError
            If the store cannot be written to until a person fixes it.
        Unavailable
            If it cannot be written to now.
        """

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """The bytes under ``key``, or None where there are none."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether ``key`` holds anything."""

    @abstractmethod
    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with ``prefix``, sorted."""

    @abstractmethod
    def entries(self, prefix: str) -> Iterator[Entry]:
        """What the keys that begin with ``prefix`` hold, sorted by key."""

    @abstractmethod
    def begins(self, key: str, count: int) -> bytes | None:
        """The first bytes under ``key``, or None where there are none."""

    @abstractmethod
    def renew(self, key: str) -> bool:
        """Note that ``key`` is in use from now on, so that retention spares it.

        Returns
        -------
        bool
            False where the key holds nothing.
        """

    @abstractmethod
    def remove(self, key: str, before: float | None = None) -> bool:
        """Take ``key`` away, for retention alone; it may be created again.

        Parameters
        ----------
        key : str
        before : float, optional
            Seconds since 1970: a key made or renewed since then stays.

        Returns
        -------
        bool
            Whether nothing is under ``key`` now.

        Raises
        ------
        UserError
            If the store cannot be written to until a person fixes it.
        Unavailable
            If it cannot be written to now.
        """

    def reuse(self, key: str) -> bytes | None:
        """The bytes under ``key`` to build upon: renewed first, so that they stay."""
        return self.read(key) if self.renew(key) else None

    def set_aside(self, key: str) -> str:
        """Free ``key`` of bytes that are not what belongs there; they are kept for a person.

        Returns
        -------
        str
            The key they are under now; empty where there were none.
        """
        data = self.read(key)
        if data is None:
            return ""
        aside = f"{ASIDE}{digest_bytes(data)[:16]}/{key}"
        self.create(aside, data)
        self.remove(key)
        return aside

    @abstractmethod
    def fetch(self, key: str, scratch: Path) -> Path | None:
        """A local file with the bytes under ``key``, in ``scratch`` unless already local.

        Callers only read it.
        """

    def put(self, name: str, data: bytes | Path) -> Artifact:
        """Store bytes or a file under their own digest."""
        if isinstance(data, bytes):
            digest, size = digest_bytes(data), len(data)
        else:
            digest, size = digest_file(data), data.stat().st_size
        self.create(blob_key(digest), data)
        return Artifact(name=name, digest=digest, size=size)

    def get(self, digest: Digest) -> bytes:
        """The bytes of that digest, verified.

        Raises
        ------
        IntegrityError
            If they are missing or differ from their digest.
        """
        data = self.read(blob_key(digest))
        if data is None:
            raise _missing(self.url, digest)
        if digest_bytes(data) != digest:
            raise altered(self.url, f"blob {digest[:12]}")
        return data

    def local(self, digest: Digest, scratch: Path) -> Path:
        """A local file with the bytes of that digest, verified; for reading only.

        Raises
        ------
        IntegrityError
            If they are missing or differ from their digest.
        """
        path = self.fetch(blob_key(digest), scratch)
        if path is None:
            raise _missing(self.url, digest)
        if digest_file(path) != digest:
            raise altered(self.url, f"blob {digest[:12]}")
        return path


def blob_key(digest: Digest) -> str:
    """Where bytes of that digest live."""
    return f"blobs/{digest[:2]}/{digest}"


def result_key(component: str, key: Digest) -> str:
    """Where the result of a request lives."""
    return f"results/{component}/{key}.json"


def safe_key(key: str) -> str:
    """The key itself.

    Raises
    ------
    RequestError
        If it could name anything but a place inside the store.
    """
    if not _KEY.fullmatch(key):
        raise _unsafe(key)
    return key


def replaceable_key(key: str) -> str:
    """The key itself.

    Raises
    ------
    RequestError
        If it is not that of a projection: what is recorded is never overwritten.
    """
    if not key.startswith(PROJECTIONS):
        raise _unsafe(key)
    return safe_key(key)


def safe_prefix(prefix: str) -> str:
    """The prefix itself: empty, or the beginning of a key.

    Raises
    ------
    RequestError
        If it could name anything but a place inside the store.
    """
    if not _PREFIX.fullmatch(prefix):
        raise _unsafe(prefix)
    return prefix


def digest_file(path: Path) -> Digest:
    """sha-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unsafe(key: str) -> RequestError:
    return RequestError(
        "STORE-KEY",
        f"key {key[:80]!r}",
        "a key is made of names of letters, digits, '_', '.' and '-', separated by '/'",
        todo="Use the keys that blob_key and result_key make",
    )


def _missing(url: str, digest: Digest) -> IntegrityError:
    return IntegrityError(
        "STORE-MISSING",
        f"{url} blob {digest[:12]}",
        "an artifact that a record names must be in the store",
        "it is not there",
        "Restore the store from its backup, or run the pipeline again with force",
    )


def altered(url: str, what: str) -> IntegrityError:
    """The error for stored bytes that are not what was once stored."""
    return IntegrityError(
        "STORE-ALTERED",
        f"{url} {what}",
        "stored bytes must have the digest that was recorded for them",
        "they differ, so nothing was loaded",
        f"Remove the altered {what.split(maxsplit=1)[0]} and restore it from a backup",
    )
