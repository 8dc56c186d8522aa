"""A store in this process's memory, for tests and notebooks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from everfit.storage.store.base import (
    RENEW_SECONDS,
    Entry,
    Store,
    replaceable_key,
    safe_key,
    safe_prefix,
)

_SHARED: dict[str, dict[str, bytes]] = {}
_USED: dict[str, dict[str, float]] = {}
_LOCK = threading.Lock()


class MemoryStore(Store):
    """``memory://name``: stores of one name share their bytes within a process."""

    def __init__(self, name: str = "") -> None:
        self.url = f"memory://{name}"
        self._data = _SHARED.setdefault(name, {})
        self._used = _USED.setdefault(name, {})

    def create(self, key: str, data: bytes | Path) -> bool:
        """Keep a copy."""
        safe_key(key)
        content = data if isinstance(data, bytes) else data.read_bytes()
        with _LOCK:
            if key in self._data:
                self._renew(key)
                return False
            self._data[key] = content
            self._used[key] = time.time()
            return True

    def replace(self, key: str, data: bytes) -> None:
        """Keep these bytes instead."""
        replaceable_key(key)
        with _LOCK:
            self._data[key] = data
            self._used[key] = time.time()

    def read(self, key: str) -> bytes | None:
        """Look the key up."""
        return self._data.get(safe_key(key))

    def exists(self, key: str) -> bool:
        """Look the key up."""
        return safe_key(key) in self._data

    def keys(self, prefix: str) -> Iterator[str]:
        """Filter all keys."""
        safe_prefix(prefix)
        with _LOCK:
            known = sorted(self._data)
        yield from (key for key in known if key.startswith(prefix))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Filter all keys."""
        for key in self.keys(prefix):
            data = self._data.get(key)
            if data is not None:
                yield Entry(key, len(data), self._used.get(key, 0.0))

    def begins(self, key: str, count: int) -> bytes | None:
        """Cut the bytes."""
        data = self.read(key)
        return None if data is None else data[:count]

    def renew(self, key: str) -> bool:
        """Note the time."""
        safe_key(key)
        with _LOCK:
            if key not in self._data:
                return False
            self._renew(key)
            return True

    def remove(self, key: str, before: float | None = None) -> bool:
        """Forget the bytes."""
        safe_key(key)
        with _LOCK:
            if key in self._data:
                if before is not None and self._used.get(key, 0.0) >= before:
                    return False
                del self._data[key]
                self._used.pop(key, None)
            return True

    def _renew(self, key: str) -> None:
        now = time.time()
        if self._used.get(key, 0.0) < now - RENEW_SECONDS:
            self._used[key] = now

    def fetch(self, key: str, scratch: Path) -> Path | None:
        """Write the bytes into ``scratch``."""
        data = self.read(key)
        if data is None:
            return None
        path = scratch / key.replace("/", "_")
        path.write_bytes(data)
        return path
