"""Which files have arrived whole, as their writer tells: by a marker beside them, or a manifest."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.spans import SpanRef
from everfit.data.sources.manifest import Entry, parse_manifest

STATED = " sha256="
"""Before the digest that a manifest states, at the end of a span's fingerprint."""


@dataclass(frozen=True)
class Present:
    """A file or object that is there."""

    name: str
    """Below the source's fixed part."""
    size: int
    modified: float
    """Seconds since 1970."""
    etag: str | None = None


@dataclass
class Judged:
    """The files that count, and a sentence on each group of those that do not yet."""

    ready: dict[str, str | None] = field(default_factory=dict)
    """Name → sha256 that the manifest states."""
    notes: list[str] = field(default_factory=list)


def fingerprint_with(fingerprint: str, stated: str | None) -> str:
    """A span's fingerprint with what its manifest says of the bytes."""
    return fingerprint if stated is None else f"{fingerprint}{STATED}{stated}"


def fingerprint_without(fingerprint: str) -> tuple[str, str | None]:
    """What ``fingerprint_with`` was made of."""
    plain, _, stated = fingerprint.partition(STATED)
    return plain, stated or None


def whole(spans: Iterable[SpanRef], judged: Judged) -> list[SpanRef]:
    """The spans that count, each with what its manifest states of it."""
    return [
        ref.model_copy(
            update={"fingerprint": fingerprint_with(ref.fingerprint, judged.ready[ref.name])}
        )
        for ref in spans
        if ref.name in judged.ready
    ]


def by_marker(marker: str, files: Iterable[Present], markers: Mapping[str, float]) -> Judged:
    """Judge files by the marker in their folder, or in one above it.

    A marker at the very top speaks only for the files beside it: the folders below have their
    own. A file that is younger than every marker over it belongs to a batch still being written.

    Parameters
    ----------
    markers : mapping
        Folder below the source's fixed part (empty for the top) → when its marker was written.
    """
    judged = Judged()
    none: dict[str, list[str]] = defaultdict(list)
    stale: dict[str, list[str]] = defaultdict(list)
    for file in files:
        times = [markers[folder] for folder in _folders(file.name) if folder in markers]
        if times and max(times) >= file.modified:
            judged.ready[file.name] = None
        else:
            (stale if times else none)[posixpath.dirname(file.name)].append(file.name)
    for folder, names in sorted(none.items()):
        judged.notes.append(
            f"left out, there is no {marker} in {folder or 'their folder'} yet: {shortlist(names)}"
        )
    for folder, names in sorted(stale.items()):
        judged.notes.append(
            f"left out, younger than the {marker} of {folder or 'their folder'}, which must be "
            f"written anew after them: {shortlist(names)}"
        )
    return judged


def by_manifest(
    files: Iterable[Present], manifests: Iterable[tuple[str, bytes | None]], place: str = ""
) -> Judged:
    """Judge files by the manifests that name them.

    A file counts when a manifest names it and size and etag are those stated, where they are. A
    stated sha256 is compared when the file is read.

    Parameters
    ----------
    manifests : iterable of (name, bytes)
        Names below the source's fixed part; None for what has a manifest's name and is no file.
    place : str
        What whole addresses in a manifest begin with, such as ``s3://bucket/prefix/``.
    """
    judged = Judged()
    there = {file.name: file for file in files}
    wrong: dict[str, str] = {}
    for name, data in sorted(manifests, key=itemgetter(0)):
        if data is None:
            judged.notes.append(f"{name} is no manifest: it is no file, or its link leads nowhere")
            continue
        try:
            entries = parse_manifest(name, data)
        except ValueError as error:
            judged.notes.append(f"{name} is no manifest: {error}")
            continue
        missing = []
        for entry in entries:
            file = _named(entry.name, name, place)
            if file is None:
                judged.notes.append(f"{name} names a file outside of the source")
            elif file not in there:
                missing.append(file)
            elif (found := _differs(entry, there[file])) is not None:
                wrong[file] = f"{file} is left out: {found} by {name}"
            else:
                judged.ready[file] = entry.sha256
        if missing:
            judged.notes.append(f"{name} names what is not there yet: {shortlist(missing)}")
    judged.notes += [note for file, note in sorted(wrong.items()) if file not in judged.ready]
    unnamed = [name for name in there if name not in judged.ready and name not in wrong]
    if unnamed:
        judged.notes.append(f"left out, no manifest names them yet: {shortlist(unnamed)}")
    return judged


def _folders(name: str) -> Iterator[str]:
    """The folders whose marker speaks for a file, nearest first."""
    folder = posixpath.dirname(name)
    yield folder
    while folder := posixpath.dirname(folder):
        yield folder


def _named(written: str, manifest: str, place: str) -> str | None:
    """The name below the source's fixed part; None for what lies outside."""
    if place and written.startswith(place):
        name = posixpath.normpath(written[len(place) :])
    elif written.startswith("/") or "://" in written:
        return None
    else:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(manifest), written))
    return None if name in (".", "..") or name.startswith(("../", "/")) else name


def _differs(entry: Entry, file: Present) -> str | None:
    if entry.size is not None and entry.size != file.size:
        return f"{file.size} bytes are there, {entry.size} are stated"
    if entry.etag is not None and file.etag is not None and entry.etag != file.etag:
        return "its etag is not the one stated"
    return None
