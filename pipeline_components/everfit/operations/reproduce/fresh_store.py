"""A store in which nothing is found that the reproduction has not made itself, but its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from everfit.contracts.base import Digest
from everfit.storage.store import Store, blob_key
from everfit.storage.store.local import LocalStore

BLOBS = "blobs/"


class FreshStore(LocalStore):
    """A folder that reads through to the real store, for inputs alone; it never writes there.

    A result under a content key is never looked up in the real store, so that no cache answers,
    and neither is anything that the recorded run has made.

    Parameters
    ----------
    root : Path
        A private folder.
    real : Store
        Where the inputs are.
    made : iterable of Digest
        What the recorded run made.
    """

    def __init__(self, root: Path, real: Store, made: Iterable[Digest]) -> None:
        super().__init__(root)
        self._real = real
        self._made = frozenset(blob_key(digest) for digest in made)

    def read(self, key: str) -> bytes | None:
        """What was made here, or an input."""
        found = super().read(key)
        return self._real.read(key) if found is None and self._is_input(key) else found

    def exists(self, key: str) -> bool:
        """Whether it was made here, or is an input."""
        return super().exists(key) or (self._is_input(key) and self._real.exists(key))

    def fetch(self, key: str, scratch: Path) -> Path | None:
        """A file of what was made here, or of an input."""
        if super().exists(key):
            return super().fetch(key, scratch)
        return self._real.fetch(key, scratch) if self._is_input(key) else None

    def _is_input(self, key: str) -> bool:
        return key.startswith(BLOBS) and key not in self._made
