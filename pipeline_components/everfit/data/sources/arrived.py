"""Markers and manifests in a folder of this machine."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from everfit.contracts.spec.source import CompleteSpec
from everfit.data.sources.complete import Judged, Present, by_manifest, by_marker
from everfit.data.sources.manifest import LARGEST
from everfit.data.sources.walk import shown, why_broken


def judge_files(complete: CompleteSpec, base: Path, files: Sequence[Present]) -> Judged:
    """Which files below a folder have arrived whole.

    Raises
    ------
    OSError
        If a manifest may not be read.
    """
    if complete.marker is not None:
        return by_marker(complete.marker, files, _markers(base, complete.marker, files))
    return by_manifest(files, _manifests(base, complete.manifest or ""), f"{base.as_posix()}/")


def is_manifest(name: str, complete: CompleteSpec | None) -> bool:
    """Whether a name below the source's fixed part is a manifest, and so no span."""
    return complete is not None and matches(name, complete.manifest)


def matches(name: str, glob: str | None) -> bool:
    """Whether a name is one of the manifests; without a folder in the glob, in any folder."""
    if glob is None:
        return False
    return fnmatch.fnmatchcase(name if "/" in glob else posixpath.basename(name), glob)


def _markers(base: Path, marker: str, files: Iterable[Present]) -> dict[str, float]:
    folders = {""}
    for file in files:
        folder = posixpath.dirname(file.name)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    found = {}
    for folder in folders:
        try:
            status = (base / folder / marker).stat()
        except PermissionError:
            raise
        except OSError as error:
            why_broken(error)
        else:
            if stat.S_ISREG(status.st_mode):
                found[folder] = status.st_mtime
    return found


def _manifests(base: Path, glob: str) -> Iterator[tuple[str, bytes | None]]:
    real = os.path.realpath(base)
    for folder, below, names in os.walk(base):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            below_base = path.relative_to(base).as_posix()
            if not matches(below_base, glob):
                continue
            if os.path.commonpath([real, os.path.realpath(path)]) != real:
                continue
            if not path.is_file():  # a named pipe would never end
                yield shown(below_base), None
                continue
            with path.open("rb") as file:
                yield shown(below_base), file.read(LARGEST + 1)
