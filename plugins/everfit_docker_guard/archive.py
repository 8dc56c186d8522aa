"""What is put into a container: a few plain files in ``/task``, in an archive made anew."""

from __future__ import annotations

import io
import re
import tarfile

from everfit_docker_guard.refusal import Refused

LARGEST = 16 << 20
"""Bytes of an archive: orders are kilobytes."""

FILES = 16


def judged(sent: bytes) -> bytes:
    """The archive the engine gets for the one that was sent.

    Raises
    ------
    Refused
        If it holds anything but files by plain names.
    """
    written = io.BytesIO()
    try:
        with (
            tarfile.open(fileobj=io.BytesIO(sent), mode="r:") as read,
            tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as made,
        ):
            for count, entry in enumerate(read):
                if count >= FILES:
                    raise Refused("archive", f"an archive has at most {FILES} files")
                content = read.extractfile(entry) if entry.isreg() else None
                if content is None or entry.issparse():
                    raise Refused("archive", "an archive holds plain files alone")
                made.addfile(_plain(entry), content)
    except (tarfile.TarError, ValueError, OverflowError, OSError):
        raise Refused("archive", "an archive is an uncompressed tar") from None
    return written.getvalue()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same file with nothing but a name, a size, a mode and an owner."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", entry.name, re.ASCII) is None:
        raise Refused("archive", "a file's name is letters, digits, _, . and -")
    if not (0 <= entry.uid < 1 << 20 and 0 <= entry.gid < 1 << 20):
        raise Refused("archive", "a file's owner is a number")
    plain = tarfile.TarInfo(entry.name)
    plain.size, plain.mode = entry.size, entry.mode & 0o777
    plain.uid, plain.gid = entry.uid, entry.gid
    return plain
