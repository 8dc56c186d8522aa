"""The kinds of failure of a SQLite file and of the disk under it: the one table of them."""

from __future__ import annotations

import errno
from typing import Literal

SqliteFailure = Literal["busy", "full", "damaged", "access", "other"]

_TEXTS: dict[SqliteFailure, tuple[str, ...]] = {
    "busy": ("locked", "busy"),
    "full": ("is full",),
    "damaged": ("not a database", "malformed"),
    "access": ("readonly", "unable to open"),
}
_NUMBERS: dict[SqliteFailure, tuple[int, ...]] = {
    "full": (errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "access": (
        errno.EACCES,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    ),
}


def failure_of(error: BaseException) -> SqliteFailure:
    """What an exception of sqlite3, or of the operating system, means.

    Examples
    --------
    >>> import sqlite3
    >>> failure_of(sqlite3.OperationalError("database is locked"))
    'busy'
    >>> failure_of(NotADirectoryError(errno.ENOTDIR, "Not a directory"))
    'access'
    """
    if isinstance(error, OSError):
        return next((kind for kind, some in _NUMBERS.items() if error.errno in some), "other")
    text = str(error)
    return next((kind for kind, some in _TEXTS.items() if any(t in text for t in some)), "other")
