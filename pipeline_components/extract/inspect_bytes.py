"""A first look at a file: whether it is what its name says, and whole."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.spans import SpanRef
from pipeline_components.contracts.spec import SourceSpec
from pipeline_components.source.refused import SpanRefused

_PIECE = 1 << 20
_TAIL = 1 << 16
_BLANK = b" \t\r\n\v\f\0\xef\xbb\xbf\xff\xfe"  # white space and byte order marks

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "Parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive (an Excel workbook, say)"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
    (b"%PDF", "PDF"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ARROW1", "an Arrow file"),
    (b"Obj\x01", "Avro"),
    (b"ORC", "ORC"),
)
"""How files of other kinds begin."""


@dataclass(frozen=True)
class Looked:
    """What one pass over the bytes of a file showed."""

    kind: str
    """``csv``, ``csv.gz`` or ``parquet``."""
    raw: Digest
    """sha-256 of the file as it is."""
    size: int
    """Bytes of the file as it is."""
    text_size: int
    """Bytes after decompression."""
    quotes: int
    """Double quotes in a CSV."""
    tail: bytes
    """The last bytes of a CSV, decompressed."""


def look(path: Path, ref: SpanRef, source: SourceSpec) -> Looked:
    """Read a file once: digest, kind and wholeness.

    Raises
    ------
    SpanRefused
        If it is empty, truncated, or not what its suffix says.
    """
    kind = kind_of(ref, source)
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise SpanRefused(
            "SPAN-EMPTY", ref, "a span must hold rows", "the file is empty (0 bytes)",
            "Write the file again, or remove it",
        )  # fmt: skip
    _check_magic(kind, head, ref)
    if kind == "parquet":
        return _look_at_parquet(path, ref)
    return _look_at_text(path, ref, kind, source.csv.encoding)


def kind_of(ref: SpanRef, source: SourceSpec) -> str:
    """The kind a span's name and the spec say it is.

    Raises
    ------
    SpanRefused
        If neither says.
    """
    name = ref.name.lower()
    if source.format == "parquet" or (
        source.format == "auto" and name.endswith((".parquet", ".pq"))
    ):
        return "parquet"
    if source.format == "csv" or name.endswith((".csv", ".csv.gz")):
        return "csv.gz" if name.endswith(".gz") else "csv"
    raise SpanRefused(
        "SPAN-FORMAT",
        ref,
        "a suffix must say what is inside (.csv, .csv.gz, .parquet)",
        f"it is {Path(name).suffix or 'absent'}",
        "Set source.format to csv or parquet",
    )


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


def no_rows(ref: SpanRef, seen: int, kind: str) -> SpanRefused:
    """A span that has columns and not one row to train on."""
    if seen:
        return SpanRefused(
            "SPAN-NO-ROWS", ref, "a span must hold rows",
            f"source.where is true for none of its {seen}", "Correct source.where",
        )  # fmt: skip
    code = "SPAN-HEADER-ONLY" if kind.startswith("csv") else "SPAN-NO-ROWS"
    found = "there is only a header" if kind.startswith("csv") else "there are none"
    return SpanRefused(
        code, ref, "a span must hold rows", found, "Write the file again, or remove it"
    )


def _check_magic(kind: str, head: bytes, ref: SpanRef) -> None:
    begins = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if kind == "parquet":
        if not head.startswith(b"PAR1"):
            raise mismatch(ref, "Parquet", begins or "text or something else, not Parquet")
    elif kind == "csv.gz":
        if not head.startswith(b"\x1f\x8b"):
            raise mismatch(ref, "gzipped CSV", begins or "text or something else, not gzip")
    elif begins:
        raise mismatch(ref, "CSV", begins)
    elif (
        head.lstrip(b"\xef\xbb\xbf \t\r\n")[:20]
        .lower()
        .startswith((b"<!doctype", b"<html", b"<?xml"))
    ):
        raise mismatch(ref, "CSV", "a web page or XML; an error page, perhaps")
    elif head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b'{"', b'[{"', b"{\n")):
        raise mismatch(ref, "CSV", "JSON")


def _look_at_parquet(path: Path, ref: SpanRef) -> Looked:
    size = path.stat().st_size
    digest = hashlib.sha256()
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            tail = (tail + piece)[-8:]
    footer = int.from_bytes(tail[:4], "little") if len(tail) == 8 else 0
    if not tail.endswith(b"PAR1") or footer + 12 > size:
        raise truncated(ref, "the Parquet footer is missing")
    return Looked("parquet", digest.hexdigest(), size, size, 0, b"")


def _look_at_text(path: Path, ref: SpanRef, kind: str, encoding: str) -> Looked:
    digest = hashlib.sha256()
    size = text_size = quotes = 0
    tail, blank = b"", True
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))
    with path.open("rb") as raw:
        watched = _Watched(raw, digest)
        opened = gzip.GzipFile(fileobj=cast("IO[bytes]", watched)) if kind == "csv.gz" else watched
        try:
            while piece := opened.read(_PIECE):
                if not text_size and not wide:
                    _check_text(piece, ref, kind)
                if not wide and b"\0" in piece:
                    raise mismatch(ref, "CSV", "bytes that are no text (NUL)")
                text_size += len(piece)
                quotes += piece.count(b'"')
                blank = blank and not piece.strip(_BLANK)
                tail = (tail + piece)[-_TAIL:]
        except EOFError:
            raise truncated(ref, "the gzip stream ends before its end mark") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise corrupt(ref, f"gzip says: {error}") from None
        size = watched.count
    if blank:
        raise SpanRefused(
            "SPAN-EMPTY", ref, "a span must hold rows", "there is nothing but white space in it",
            "Write the file again, or remove it",
        )  # fmt: skip
    return Looked(kind, digest.hexdigest(), size, text_size, quotes, tail)


def _check_text(piece: bytes, ref: SpanRef, kind: str) -> None:
    if piece.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpanRefused(
            "SPAN-ENCODING", ref, "a CSV must be in the encoding source.csv.encoding names",
            "it begins like UTF-16", "Set source.csv.encoding to utf-16, or write it as UTF-8",
        )  # fmt: skip
    if kind == "csv.gz":
        _check_magic("csv", piece[:512], ref)


class _Watched:
    """A file that keeps the digest of everything read from it."""

    def __init__(self, file: IO[bytes], digest: hashlib._Hash) -> None:
        self._file, self._digest, self.count = file, digest, 0

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._digest.update(piece)
        self.count += len(piece)
        return piece
