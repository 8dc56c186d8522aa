"""A run's artifacts in a local folder: each file appears whole, and a rerun writes no second."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from everfit.contracts.base import digest_bytes
from everfit.storage.mlflow.base import Files
from everfit.storage.store import digest_file


def local_folder(uri: str) -> Path | None:
    """The folder of an artifact URI; None where it is not on this machine."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if uri.startswith("/"):
        return Path(uri)
    return None


def publish_files(folder: Path, files: Files) -> None:
    """Write every file that is not there yet or differs, and nothing else.

    Parameters
    ----------
    folder : Path
        The run's artifact folder; made if absent.
    files : mapping
        Path below the folder → bytes, or a file to copy.
    """
    staging = folder.parent / "staging"  # beside the artifacts: never shown as one of them
    for name, content in sorted(files.items()):
        target = folder / name
        if target.is_file() and digest_file(target) == digest_content(content):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = _new_file(staging)
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(aside).replace(target)
    _tidy(staging)


def digest_content(content: bytes | Path) -> str:
    """sha-256 of bytes or of a file."""
    return digest_bytes(content) if isinstance(content, bytes) else digest_file(content)


def _new_file(staging: Path) -> tuple[int, str]:
    """A new file in the folder, which another process may tidy away at any moment."""
    while True:
        staging.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            return tempfile.mkstemp(dir=staging)


def _tidy(staging: Path) -> None:
    """Remove what killed attempts left; a file younger than an hour may be another's at work."""
    with suppress(OSError):
        for path in staging.iterdir():
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink()
        staging.rmdir()
