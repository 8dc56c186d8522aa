"""A store in a folder: publish by writing aside, syncing and linking into place."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from everfit.contracts.errors import EverfitError, Unavailable, UserError
from everfit.storage.store.base import (
    RENEW_SECONDS,
    Entry,
    Store,
    replaceable_key,
    safe_key,
    safe_prefix,
)

STAGING = ".staging"
"""Where files are written before they count; no part of a key begins with a dot."""

LOCK = ".lock"
"""Held while renaming, where the file system has no hard links, and while renewing or removing."""

LEFTOVER_SECONDS = 3600
"""A staged file that nobody has written to for so long has lost its writer."""

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
}


class LocalStore(Store):
    """``file:///absolute/folder``; processes and machines that share the folder share the store.

    A process killed at any point leaves a key whole or absent. What it may leave in ``.staging``
    counts for nothing, and a later writer sweeps it away.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = f"file://{root}"
        self._swept = False

    def create(self, key: str, data: bytes | Path) -> bool:
        """Publish by hard link, which the kernel makes atomic and refuses to overwrite."""
        target = self.root / safe_key(key)
        with self._plainly():
            if self.renew(key):
                created = False
            else:
                staging = self.root / STAGING
                _make_folder(staging)
                _make_folder(target.parent)
                created = self._publish(staging / secrets.token_hex(16), target, data)
            # Also where somebody else was first: what is built on the key must not outlast it.
            folder = target.parent
            while folder != self.root.parent:
                _sync_folder(folder)
                folder = folder.parent
        return created

    def replace(self, key: str, data: bytes) -> None:
        """Write aside and rename, which the kernel makes atomic."""
        target = self.root / replaceable_key(key)
        with self._plainly():
            _make_folder(self.root / STAGING)
            _make_folder(target.parent)
            staged = self.root / STAGING / secrets.token_hex(16)
            try:
                self._write(staged, data)
                staged.replace(target)
            finally:
                staged.unlink(missing_ok=True)

    def read(self, key: str) -> bytes | None:
        """Read the whole file."""
        path = self.root / safe_key(key)
        with self._plainly():
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def exists(self, key: str) -> bool:
        """Look the file up."""
        path = self.root / safe_key(key)
        with self._plainly():
            return path.exists()

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk the folder the prefix names."""
        base = self.root / safe_prefix(prefix).rpartition("/")[0]
        found = []
        with self._plainly():
            for folder, names, files in os.walk(base, onerror=_unless_absent):
                names[:] = [name for name in names if not name.startswith(".")]
                relative = Path(folder).relative_to(self.root)
                found += [(relative / n).as_posix() for n in files if not n.startswith(".")]
        yield from sorted(key for key in found if key.startswith(prefix))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Walk the folder and look at each file; one that has just gone is left out."""
        for key in self.keys(prefix):
            with self._plainly(), suppress(FileNotFoundError):
                status = (self.root / key).stat()
                yield Entry(key, status.st_size, status.st_mtime)

    def begins(self, key: str, count: int) -> bytes | None:
        """Read the file's beginning."""
        path = self.root / safe_key(key)
        with self._plainly():
            try:
                with path.open("rb") as file:
                    return file.read(count)
            except FileNotFoundError:
                return None

    def renew(self, key: str) -> bool:
        """Set the file's time, under the lock; a store that may only be read stays as it is."""
        path = self.root / safe_key(key)
        with self._plainly():
            try:
                if path.stat().st_mtime >= time.time() - RENEW_SECONDS:
                    return True
                with self._locked():
                    os.utime(path)
            except FileNotFoundError:
                return False
            except OSError as error:
                if error.errno not in _FORBIDDEN:
                    raise
                return path.exists()
            return True

    def remove(self, key: str, before: float | None = None) -> bool:
        """Unlink the file, under the lock, so that nobody renews it between look and removal."""
        path = self.root / safe_key(key)
        with self._plainly():
            try:
                with self._locked():
                    if before is not None and path.stat().st_mtime >= before:
                        return False
                    path.unlink()
            except FileNotFoundError:
                return True
            _sync_folder(path.parent)  # what is removed after it must not come back before it
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time; the kernel lets go of the lock when its holder dies."""
        with (self.root / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def fetch(self, key: str, scratch: Path) -> Path | None:  # noqa: ARG002
        """The file itself."""
        return self.root / key if self.exists(key) else None

    def _publish(self, staged: Path, target: Path, data: bytes | Path) -> bool:
        """Write ``staged``, make it ``target`` unless there is one, and leave nothing else."""
        try:
            self._write(staged, data)
            return _place(staged, target)
        finally:
            with suppress(OSError):
                staged.unlink()

    def _write(self, staged: Path, data: bytes | Path) -> None:
        # Read-only for everybody the umask lets read at all: artifacts hold people's data.
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with os.fdopen(handle, "wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                with data.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
            self._sweep(staged.parent, os.fstat(file.fileno()).st_mtime)

    def _sweep(self, staging: Path, now: float) -> None:
        """Remove what killed writers left, once per store; ``now`` by the file system's clock."""
        if self._swept:
            return
        self._swept = True
        for path in staging.iterdir():
            with suppress(OSError):  # another process may sweep too
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_mtime < now - LEFTOVER_SECONDS:
                    path.unlink()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Say in one line what a person can do."""
        try:
            yield
        except OSError as error:
            raise _explained(error, self.url) from error


def _place(staged: Path, target: Path) -> bool:
    """Make ``staged`` appear as ``target``, whole, unless something is there."""
    try:
        os.link(staged, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _place_without_links(staged, target)
    return True


def _place_without_links(staged: Path, target: Path) -> bool:
    """Rename under a lock, for file systems without hard links (FAT, some network shares).

    Renaming is atomic but overwrites; the lock keeps a second writer from doing so, and the
    kernel lets go of it when its holder dies.
    """
    with (staged.parent.parent / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return False
        staged.rename(target)
        return True


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each of them durably."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network shares cannot sync a folder
            raise
    finally:
        os.close(handle)


def _explained(error: OSError, url: str) -> EverfitError:
    """What the kernel's complaint means for a person."""
    if error.errno in _FULL:
        return Unavailable(
            "STORE-FULL",
            url,
            "the disk must have room",
            f"{error.strerror}; nothing was published",
            "Free some space and try again",
        )
    if error.errno in _FORBIDDEN:
        return UserError(
            "STORE-ACCESS",
            url,
            "the store must be a folder this user may read and write",
            error.strerror,
            "Correct its permissions or EVERFIT_STORE",
        )
    return Unavailable("STORE", url, "the folder must answer", error.strerror, "Try again")
