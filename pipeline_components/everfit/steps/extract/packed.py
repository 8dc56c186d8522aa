"""What a file's name says is inside, and how it is unpacked: never more than a bound."""

from __future__ import annotations

import bz2
import gzip
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.wording import size
from everfit.data.sources.listing import FORMATS, PACKINGS
from everfit.data.sources.refused import SpanRefused

BINARY = ("parquet", "feather", "excel")
"""Formats that are no text."""

BEGINS: dict[str, tuple[str, bytes]] = {
    "parquet": ("Parquet", b"PAR1"),
    "feather": ("Feather", b"ARROW1"),
    "excel": ("an Excel workbook", b"PK\x03\x04"),
    "gz": ("gzip", b"\x1f\x8b"),
    "bz2": ("bzip2", b"BZh"),
    "zst": ("zstd", b"\x28\xb5\x2f\xfd"),
    "zip": ("a zip archive", b"PK"),
}
"""Format or packing → what it is called, and how it begins."""

MOST_UNPACKED = 256 << 30
MOST_TIMES = 1_000
"""A text may be unpacked to so many bytes, and beyond 1 GiB to so many times its packed size."""

_SURE = 1 << 30


@dataclass(frozen=True)
class Kind:
    """What a file is: a format, and how it is packed."""

    format: str
    packing: str = ""

    @property
    def text(self) -> str:
        """As a suffix would say it."""
        return f"{self.format}.{self.packing}" if self.packing else self.format


def kind_of_name(name: str) -> Kind:
    """What a name's suffixes say; an empty format where they do not."""
    path = PurePosixPath(name.lower())
    packing = path.suffix.removeprefix(".")
    if packing in PACKINGS:
        return Kind(FORMATS.get(path.with_suffix("").suffix, ""), packing)
    return Kind(FORMATS.get(path.suffix, ""))


@contextmanager
def reading(raw: IO[bytes], ref: SpanRef, packing: str) -> Iterator[IO[bytes]]:
    """The bytes of an open file, unpacked as they are read.

    Raises
    ------
    SpanRefused
        If they end too early, or cannot be unpacked.
    """
    import pyarrow as pa

    opened: Any = raw
    try:
        if packing == "gz":
            opened = gzip.GzipFile(fileobj=raw)
        elif packing == "bz2":
            opened = bz2.BZ2File(raw)
        elif packing == "zst":
            opened = pa.CompressedInputStream(pa.PythonFile(_Whole(raw), "r"), "zstd")
        yield cast("IO[bytes]", opened)
    except EOFError:
        name = BEGINS[packing][0]
        raise truncated(ref, f"the {name} stream ends before its end mark") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise corrupt(ref, f"gzip says: {error}") from None
    except OSError as error:
        if packing not in ("bz2", "zst"):
            raise
        text = (str(error) or type(error).__name__).splitlines()[0][:120]
        if "runcated" in text or "end" in text.lower():
            raise truncated(ref, f"the {BEGINS[packing][0]} stream ends early") from None
        raise corrupt(ref, f"{BEGINS[packing][0]} says: {text}") from None


def unzip(path: Path, ref: SpanRef, kind: Kind, scratch: Path) -> tuple[Kind, Path]:
    """Unpack the one file of a zip archive into ``scratch``.

    Returns
    -------
    kind, path
        What its name, or else the archive's, says it is; where it is now.

    Raises
    ------
    SpanRefused
        If it holds no file or several, one that is encrypted or too large, or is damaged.
    """
    target = scratch / "unzipped"
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir() and not _is_clutter(member.filename)
            ]
            if len(members) != 1:
                raise SpanRefused(
                    "SPAN-ARCHIVE",
                    ref,
                    "a zip archive must hold one file",
                    f"it holds {len(members)}"
                    + (f": {shortlist(member.filename for member in members)}" if members else ""),
                    "Unpack it into a folder, or write an archive for each file",
                )
            (member,) = members
            check_unpacked(member.file_size, path.stat().st_size, ref)
            written = 0
            with archive.open(member) as packed, target.open("wb") as file:
                while piece := packed.read(1 << 20):
                    written += file.write(piece)
                    check_unpacked(written, path.stat().st_size, ref)
            found = kind_of_name(member.filename)
    except zipfile.BadZipFile as error:
        whole = "File is not a zip file" in str(error)
        raise (truncated if whole else corrupt)(ref, f"zip says: {error}") from None
    except (RuntimeError, NotImplementedError) as error:  # encrypted; a method nobody has
        raise corrupt(ref, f"zip says: {error}") from None
    except (EOFError, zlib.error) as error:
        raise corrupt(ref, f"zip says: {error or 'it ends early'}") from None
    if kind.format:
        return Kind(kind.format, found.packing if found.packing != "zip" else ""), target
    if not found.format:
        raise SpanRefused(
            "SPAN-FORMAT",
            ref,
            "the suffix of the file in an archive must say what it is",
            f"it is {member.filename!r}",
            "Set source.format",
        )
    return found, target


def wide(most: int, where: str, ref: SpanRef) -> SpanRefused:
    """Values of which a few would fill the memory of a machine."""
    return SpanRefused(
        "SPAN-TOO-LARGE",
        ref,
        f"{where} must not unpack to more than {size(most)}",
        "there is more",
        "Look at what wrote it; drop such a column where the file is written",
    )


def check_unpacked(unpacked: int, packed: int, ref: SpanRef) -> None:
    """Refuse what unpacks to far more than it could be.

    Raises
    ------
    SpanRefused
        ``SPAN-TOO-LARGE``.
    """
    if unpacked <= _SURE or (unpacked <= MOST_UNPACKED and unpacked <= MOST_TIMES * packed):
        return
    raise SpanRefused(
        "SPAN-TOO-LARGE",
        ref,
        f"a file must not unpack to more than {MOST_TIMES:,} times its size, nor to more than "
        f"{size(MOST_UNPACKED)}",
        f"its {size(packed)} are {size(unpacked)} or more",
        "Look at what wrote it; write several files, or one that is not packed",
    )


def copy_unpacked(path: Path, ref: SpanRef, packing: str, target: Path) -> Path:
    """A packed file as a plain one."""
    with path.open("rb") as raw, reading(raw, ref, packing) as opened, target.open("wb") as file:
        shutil.copyfileobj(opened, file, 1 << 20)
    return target


def mismatch(ref: SpanRef, is_: str, found: str) -> SpanRefused:
    """A file that is not what its suffix says."""
    return SpanRefused(
        "SPAN-MISMATCH",
        ref,
        f"a file must be what its suffix or source.format says ({is_})",
        f"it holds {found}",
        "Rename it to what it is, set source.format, or have it written again",
    )


def truncated(ref: SpanRef, found: str) -> SpanRefused:
    """A file whose end is missing."""
    return SpanRefused(
        "SPAN-TRUNCATED",
        ref,
        "a file must be whole",
        found,
        "Copy or write it again, to a .tmp name that is renamed when it is done",
    )


def corrupt(ref: SpanRef, found: str) -> SpanRefused:
    """A file whose bytes cannot be decoded."""
    return SpanRefused(
        "SPAN-CORRUPT", ref, "a file must be readable to its end", found, "Copy or write it again"
    )


def _is_clutter(name: str) -> bool:
    """Whether a name in an archive is what macOS and others add."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name.startswith(".")


class _Whole:
    """What Arrow asks of a Python file."""

    closed = False

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw

    def read(self, count: int = -1) -> bytes:
        return self._raw.read(count)

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
