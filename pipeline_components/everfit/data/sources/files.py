"""Spans that are files: one path, a folder, or a glob."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

from everfit.contracts.errors import SourceError, shortlist
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import FileSourceSpec, SourceSpec
from everfit.data.sources.arrived import is_manifest, judge_files
from everfit.data.sources.complete import Judged, Present, fingerprint_without, whole
from everfit.data.sources.data_folder import MAGIC, refuse_placeholders
from everfit.data.sources.listing import has_known_suffix, is_candidate, order
from everfit.data.sources.refused import changed, gone, growing
from everfit.data.sources.settled import dated_ahead, is_ahead, not_settled
from everfit.data.sources.source import Fetched, Listing, SourceOfFiles
from everfit.data.sources.walk import Walk, shown, unreadable, why_broken


class FileSource(SourceOfFiles):
    """Files below a folder on this machine.

    The uri's fixed part is everything before the first path component with a wildcard; span names
    are paths below it. ``**`` goes through any number of folders. Links are followed only as far
    as they stay below the fixed part, so that nobody who may write data can make other files of
    this machine part of it.
    """

    kind = "files"

    def __init__(self, source: SourceSpec, settings: Settings) -> None:
        super().__init__(source, settings)
        assert isinstance(source, FileSourceSpec)
        self._source = source
        self.fixed, self.pattern = _split(source.uri)
        self.base = _resolve(self.fixed, settings)
        if not self.pattern and self.base.is_dir():
            self.pattern = ("**", "*")
            self._folder = True
        else:
            self._folder = False
        if not self.pattern:
            self.pattern = (_literal(self.base.name),)
            self.base = self.base.parent
            self.fixed = self.fixed.rpartition("/")[0]
            self._single = True
        else:
            self._single = False
            if os.path.realpath(self.base) == os.sep:
                raise _whole_machine(source.uri)

    def list(self) -> Listing:
        """Walk the folder; cheap: names, sizes and times only."""
        if not self.base.is_dir():
            raise self._no_folder()
        walk = Walk(self._source.uri, self.fixed, self._single)
        spans, others, ahead = [], [], []
        present: list[Present] = []
        now = time.time()
        for name, status in walk.files(self.base, self.pattern):
            if is_manifest(name, self._source.complete):
                continue
            elif not self._single and self._unknown(name):
                others.append(name)
            elif (why := not_settled(status.st_mtime, now, self._source.settle)) is not None:
                walk.odd[name] = why
            else:
                if is_ahead(status.st_mtime, now):
                    ahead.append(name)
                present.append(Present(name, status.st_size, status.st_mtime))
                spans.append(
                    SpanRef(
                        name=name,
                        fingerprint=_fingerprint(status),
                        location=f"{self.fixed.rstrip('/')}/{name}" if self.fixed else name,
                        size=status.st_size,
                    )
                )
        judged = self._judge(present)
        notes = [f"{name} is left out: {why}" for name, why in sorted(walk.odd.items())]
        notes += dated_ahead(name for name in ahead if name in judged.ready)
        spans, notes = whole(spans, judged), [*notes, *judged.notes]
        if others and not self._folder:
            notes.append(
                f"left out for an unknown suffix: {shortlist(others)}; set source.format, or name "
                "the suffix in source.uri, to read "
                f"{'it' if len(others) == 1 else 'them'}"
            )
        source = self._source
        listing = order(spans, source.period, source.uri, source.span, str(self.base))
        empty = "" if listing.spans else self._why_empty(others)
        if judged.notes and not listing.spans:
            empty = f"nothing in {self.fixed or '.'} has arrived whole: {judged.notes[0]}"
        return Listing(listing.spans, (*notes, *listing.notes), empty)

    def _judge(self, files: Sequence[Present]) -> Judged:
        """Which files have arrived whole, by ``source.complete``."""
        complete = self._source.complete
        if complete is None:
            return Judged({file.name: None for file in files})
        try:
            return judge_files(complete, self.base, files)
        except OSError as error:
            raise unreadable(str(error.filename), error) from error

    def fetch(
        self,
        ref: SpanRef,
        scratch: Path,  # noqa: ARG002  (nothing to bring: the file is here)
        progress: Callable[[float], None],  # noqa: ARG002
    ) -> Fetched:
        """The file itself: it is read in place and looked at again after."""
        path = self.base / ref.name
        real = os.path.realpath(self.base)
        if os.path.commonpath([real, os.path.realpath(path)]) != real:
            raise SourceError(
                "SOURCE-PATH",
                ref.name,
                "a span's name must stay below its source",
                "it leads outside",
                "Run the pipeline from its plan again",
            )
        self._same(ref, path)
        stated = fingerprint_without(ref.fingerprint)[1]
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest() if stated else None
        except PermissionError as error:
            raise unreadable(ref.location, error) from error
        if digest != stated:
            raise growing(ref, f"its manifest states sha256 {stated}, its bytes have {digest}")
        why = not_settled(path.stat().st_mtime, time.time(), self._source.settle)
        if why is not None:
            raise growing(ref, why)
        return Fetched(path, {"uri": ref.location}, lambda: self._same(ref, path))

    def _same(self, ref: SpanRef, path: Path) -> None:
        try:
            status = path.stat()
        except PermissionError as error:
            raise unreadable(ref.location, error) from error
        except OSError as error:
            why_broken(error)
            raise gone(ref) from None
        if (
            stat.S_ISREG(status.st_mode)
            and _fingerprint(status) == fingerprint_without(ref.fingerprint)[0]
        ):
            return
        if ref.size is not None and status.st_size > ref.size:
            raise growing(ref, f"it grew from {ref.size} to {status.st_size} bytes since listed")
        raise changed(ref, "it was written to since it was listed")

    def _why_empty(self, others: Sequence[str]) -> str:
        wanted = "/".join(self.pattern)
        if self._single and not (self.base / _plain(wanted)).exists():
            raise self._no_file()
        there = [shown(entry.name) for entry in os.scandir(self.base) if is_candidate(entry.name)]
        text = f"no file in {self.fixed or '.'} is a span ({wanted})"
        if others:
            return (
                f"{text}; {shortlist(sorted(others))} have no known suffix: set source.format, or "
                "name the suffix in source.uri"
            )
        if there:
            return f"{text}; the folder holds {shortlist(sorted(there))}"
        return f"{text}; the folder is empty"

    def _unknown(self, name: str) -> bool:
        return self._source.format == "auto" and not has_known_suffix(name, self._source.uri)

    def _no_folder(self) -> SourceError:
        at = self.base
        while not at.parent.is_dir():
            at = at.parent
        siblings = [shown(path.name) for path in at.parent.iterdir() if path.is_dir()]
        return _missing(self._source.uri, f"there is no folder {str(self.base)!r}", at, siblings)

    def _no_file(self) -> SourceError:
        wanted = self.base / _plain(self.pattern[0])
        siblings = [shown(path.name) for path in self.base.iterdir()]
        return _missing(self._source.uri, f"there is no file {str(wanted)!r}", wanted, siblings)


def _whole_machine(uri: str) -> SourceError:
    return SourceError(
        "SOURCE-PATH",
        "source.uri",
        "a source has a folder of its own",
        f"{uri!r} begins at the root of the machine",
        "Write the folder that holds the data",
    )


def _missing(uri: str, found: str, at: Path, siblings: list[str]) -> SourceError:
    close = get_close_matches(at.name, siblings, n=1)
    todo = f"Did you mean {close[0]!r}? Correct source.uri" if close else "Correct source.uri"
    if "{data}" in uri:
        todo += ", or point EVERFIT_DATA at the data folder"
    return SourceError("SOURCE-MISSING", uri, "the source must exist", found, todo)


def _fingerprint(status: os.stat_result) -> str:
    return f"size={status.st_size} mtime_ns={status.st_mtime_ns}"


def _split(uri: str) -> tuple[str, tuple[str, ...]]:
    """Divide a uri into its fixed part, as written, and the components with wildcards."""
    text = unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri
    refuse_placeholders(text)
    parts = text.split("/")
    first = next((i for i, part in enumerate(parts) if MAGIC.search(part)), len(parts))
    pattern = tuple(part for part in parts[first:] if part)
    if ".." in pattern:
        raise SourceError(
            "SOURCE-PATH",
            "source.uri",
            "no .. may follow a wildcard",
            f"it is {uri!r}",
            "Write the folder itself",
        )
    fixed = "/".join(parts[:first])
    if first and not fixed and parts[0] == "":
        fixed = "/"
    return fixed.rstrip("/") or fixed, pattern


def _resolve(fixed: str, settings: Settings) -> Path:
    path = Path(fixed.replace("{data}", str(settings.data))).expanduser()
    return path if path.is_absolute() else settings.root / path


def _literal(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _plain(pattern: str) -> str:
    return re.sub(r"\[([*?\[])\]", r"\1", pattern)
