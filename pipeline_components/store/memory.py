"""A store in this process's memory, for tests and notebooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from .base import Store

_SHARED: dict[str, dict[str, bytes]] = {}


class MemoryStore(Store):
    """``memory://name``: stores of one name share their bytes within a process."""

    def __init__(self, name: str = "") -> None:
        self.url = f"memory://{name}"
        self._data = _SHARED.setdefault(name, {})
        self._lock = threading.Lock()

    def create(self, key: str, data: bytes | Path) -> bool:
        """Keep a copy."""
        content = data if isinstance(data, bytes) else data.read_bytes()
        with self._lock:
            if key in self._data:
                return False
            self._data[key] = content
            return True

    def read(self, key: str) -> bytes | None:
        """Look the key up."""
        return self._data.get(key)

    def exists(self, key: str) -> bool:
        """Look the key up."""
        return key in self._data

    def keys(self, prefix: str) -> Iterator[str]:
        """Filter all keys."""
        yield from sorted(key for key in list(self._data) if key.startswith(prefix))

    def fetch(self, key: str, scratch: Path) -> Path | None:
        """Write the bytes into ``scratch``."""
        data = self.read(key)
        if data is None:
            return None
        path = scratch / key.replace("/", "_")
        path.write_bytes(data)
        return path
