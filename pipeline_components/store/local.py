"""A store in a folder: publish by writing aside, syncing and linking into place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .base import Store


class LocalStore(Store):
    """``file:///absolute/folder``; processes and machines that share the folder share the store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = f"file://{root}"

    def create(self, key: str, data: bytes | Path) -> bool:
        """Publish by hard link, which the kernel makes atomic and refuses to overwrite."""
        target = self.root / key
        if target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = self.root / "staging"
        staging.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=staging)
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
            try:
                os.link(name, target)
            except FileExistsError:
                return False
        finally:
            os.unlink(name)
        _sync_folder(target.parent)
        return True

    def read(self, key: str) -> bytes | None:
        """Read the whole file."""
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None

    def exists(self, key: str) -> bool:
        """Look the file up."""
        return (self.root / key).exists()

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk the folder the prefix names."""
        base = self.root / prefix.rpartition("/")[0]
        found = (p.relative_to(self.root).as_posix() for p in base.rglob("*") if p.is_file())
        yield from sorted(key for key in found if key.startswith(prefix))

    def fetch(self, key: str, scratch: Path) -> Path | None:
        """The file itself."""
        path = self.root / key
        return path if path.exists() else None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
