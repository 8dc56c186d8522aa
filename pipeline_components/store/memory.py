"""A store in this process's memory, for tests and notebooks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from .base import Store, safe_key, safe_prefix

_SHARED: dict[str, dict[str, bytes]] = {}
_LOCK = threading.Lock()


class MemoryStore(Store):
    """``memory://name``: stores of one name share their bytes within a process."""

    def __init__(self, name: str = "") -> None:
        self.url = f"memory://{name}"
        self._data = _SHARED.setdefault(name, {})

    def create(self, key: str, data: bytes | Path) -> bool:
        """Keep a copy."""
        safe_key(key)
        content = data if isinstance(data, bytes) else data.read_bytes()
        with _LOCK:
            if key in self._data:
                return False
            self._data[key] = content
            return True

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

    def fetch(self, key: str, scratch: Path) -> Path | None:
        """Write the bytes into ``scratch``."""
        data = self.read(key)
        if data is None:
            return None
        path = scratch / key.replace("/", "_")
        path.write_bytes(data)
        return path
