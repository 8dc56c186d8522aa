"""A folder on a small disk of its own, or on a read-only one, for this process alone."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 1, 32, 0x4000, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


class NotAllowed(Exception):
    """The kernel or the container lets nobody here have mounts of their own."""


def own_mounts() -> None:
    """Leave the parent's mounts behind; in a child only.

    Raises
    ------
    NotAllowed
        If that is not permitted here.
    """
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_NEW_MOUNTS):
        if _libc.unshare(_NEW_MOUNTS | _NEW_USERS):
            raise NotAllowed
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", "/", None, _RECURSIVE | _PRIVATE, None)


def small_disk(folder: Path, size: int) -> None:
    """Put an empty disk of so many bytes over the folder."""
    _mount("tmpfs", str(folder), "tmpfs", 0, f"size={size}")


def protect(folder: Path, *, readable_only: bool = True) -> None:
    """Make the disk over the folder read-only, or writable again."""
    flags = _REMOUNT | (_READ_ONLY if readable_only else 0)
    _mount("none", str(folder), None, flags, None)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    given = [value.encode() if value is not None else None for value in (source, target, kind)]
    if _libc.mount(*given, ctypes.c_ulong(flags), options.encode() if options else None):
        number = ctypes.get_errno()
        if number in (1, 13):  # EPERM, EACCES
            raise NotAllowed
        raise OSError(number, os.strerror(number), target)
