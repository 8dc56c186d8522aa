"""A private folder for one process; what killed processes left is swept at the next start."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "everfit-"
ALIVE = ".alive"
"""A file that the process at work holds locked; the kernel lets go of it when the process dies."""

LEFTOVER_SECONDS = 3600
"""A folder younger than this is left alone: its process may be about to lock it."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder below the temporary one that is gone when it is left."""
    sweep_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        with (folder / ALIVE).open("wb") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)
            work = folder / "work"
            work.mkdir()
            yield work


def sweep_leftovers(place: Path, now: float | None = None) -> int:
    """Remove the folders whose process is dead.

    Parameters
    ----------
    place : Path
        The folder they lie in.
    now : float, optional
        Seconds since 1970; the time where left out.

    Returns
    -------
    int
        How many were removed.
    """
    now, removed = time.time() if now is None else now, 0
    with suppress(OSError):
        for folder in place.glob(f"{PREFIX}*"):
            with suppress(OSError):  # another process sweeps too, or it is another user's
                removed += _remove_if_left(folder, now)
    return removed


def _remove_if_left(folder: Path, now: float) -> int:
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid():
        return 0
    if status.st_mtime > now - LEFTOVER_SECONDS:
        return 0
    with (folder / ALIVE).open("rb") as alive:  # one without is of something else
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        shutil.rmtree(folder)
    return 1
