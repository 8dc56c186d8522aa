"""A first look at a file: whether it is what its name says, and whole."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, cast

from everfit.contracts.base import Digest
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.source import CsvOptions, SourceSpec
from everfit.data.sources.listing import FORMATS
from everfit.data.sources.refused import SpanRefused
from everfit.steps.extract import packed
from everfit.steps.extract.packed import Kind, mismatch, truncated

_PIECE = 1 << 20
_TAIL = 1 << 16
_HEAD = 1 << 20
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


_NOT_CP1252 = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D, 0xFF))
"""Bytes that cp1252 does not have, and the one that stands for nothing in most texts."""

_LETTERS = tuple(bytes((code,)) for code in (*range(65, 91), *range(97, 123)))


@dataclass
class TextFacts:
    """What the bytes of a text say about its encoding."""

    utf8: bool = True
    """Every byte so far is UTF-8."""
    beyond_ascii: bool = False
    """Bytes that are UTF-8 and not ASCII were there."""
    high: int = 0
    """Bytes above 127, where not all is UTF-8."""
    letters: int = 0
    odd: bool = False
    """Bytes that cp1252 does not have, or that no text in it holds."""


@dataclass(frozen=True)
class Looked:
    """What one pass over the bytes of a file showed."""

    kind: str
    """As a suffix: ``csv``, ``csv.gz``, ``jsonl.zst``, ``parquet``, ``excel``, …"""
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
    path: Path
    """Where its bytes are: the file itself, or the one file that a zip archive held."""
    head: bytes = b""
    """The first megabyte of a text, decompressed."""
    text: TextFacts = field(default_factory=TextFacts)

    @property
    def format(self) -> str:
        """What is inside: ``csv``, ``jsonl``, ``parquet``, ``feather`` or ``excel``."""
        return self.kind.partition(".")[0]

    @property
    def packing(self) -> str:
        """How the bytes at ``path`` are compressed: ``gz``, ``bz2``, ``zst`` or nothing."""
        return "" if self.kind.endswith(".zip") else self.kind.partition(".")[2]


def look(path: Path, ref: SpanRef, source: SourceSpec, scratch: Path) -> Looked:
    """Read a file once: digest, kind and wholeness.

    Parameters
    ----------
    scratch : Path
        A folder for what is unpacked.

    Raises
    ------
    SpanRefused
        If it is empty, truncated, or not what its suffix says.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise SpanRefused(
            "SPAN-EMPTY",
            ref,
            "a span must hold rows",
            "the file is empty (0 bytes)",
            "Write the file again, or remove it",
        )
    kind = kind_of(ref, source)
    _check_magic(kind.packing or kind.format, head, ref)
    if kind.packing == "zip":
        inner, unpacked = packed.unzip(path, ref, kind, scratch)
        looked = look_inside(unpacked, ref, inner, source)
        return replace(
            looked, kind=f"{inner.format}.zip", raw=_digest_of(path), size=path.stat().st_size
        )
    return look_inside(path, ref, kind, source)


def look_inside(path: Path, ref: SpanRef, kind: Kind, source: SourceSpec) -> Looked:
    """Look at a file that is no archive."""
    if kind.format in packed.BINARY:
        with path.open("rb") as file:
            _check_magic(kind.format, file.read(512), ref)
        if kind.format == "parquet":
            return _look_at_parquet(path, ref)
        size = path.stat().st_size
        return Looked(kind.format, _digest_of(path), size, size, 0, b"", path)
    return _look_at_text(path, ref, kind, source.csv.encoding)


def kind_of(ref: SpanRef, source: SourceSpec) -> Kind:
    """The kind a span's name and the spec say it is.

    Raises
    ------
    SpanRefused
        If neither says.
    """
    kind = packed.kind_of_name(ref.name)
    if source.format != "auto":
        packing = (
            kind.packing if source.format not in packed.BINARY or kind.packing == "zip" else ""
        )
        return Kind(source.format, packing)
    if kind.format or kind.packing == "zip":
        return kind
    raise SpanRefused(
        "SPAN-FORMAT",
        ref,
        f"a suffix must say what is inside ({', '.join(FORMATS)})",
        f"it is {Path(ref.name).suffix or 'absent'}",
        "Set source.format to csv, jsonl or parquet, say",
    )


def encoding_of(looked: Looked, ref: SpanRef, options: CsvOptions) -> tuple[str, list[str]]:
    """The encoding of a text, and what was found out about it.

    Raises
    ------
    SpanRefused
        If the spec does not say, and its bytes do not either.
    """
    if options.encoding is not None:
        return options.encoding, []
    wide = _wide(looked.head)
    if wide is not None:
        return wide, [f"its encoding is {wide.upper()}"]
    facts = looked.text
    if facts.utf8:
        return "utf-8", []
    if facts.beyond_ascii or facts.odd or facts.high * 4 > facts.letters:
        raise SpanRefused(
            "SPAN-ENCODING",
            ref,
            "a text must be UTF-8, or source.csv.encoding must say what it is",
            "some of its bytes are not UTF-8"
            + (", others are" if facts.beyond_ascii else ", nor surely cp1252"),
            "Set source.csv.encoding (latin-1, cp1251 or shift_jis, perhaps), or write it as UTF-8",
        )
    return "cp1252", ["its bytes are not UTF-8: read as cp1252 (Western European)"]


def no_rows(ref: SpanRef, seen: int, kind: str) -> SpanRefused:
    """A span that has columns and not one row to train on."""
    if seen:
        return SpanRefused(
            "SPAN-NO-ROWS",
            ref,
            "a span must hold rows",
            f"source.where is true for none of its {seen}",
            "Correct source.where",
        )
    code = "SPAN-HEADER-ONLY" if kind.startswith("csv") else "SPAN-NO-ROWS"
    found = "there is only a header" if kind.startswith("csv") else "there are none"
    return SpanRefused(
        code, ref, "a span must hold rows", found, "Write the file again, or remove it"
    )


def _check_magic(kind: str, head: bytes, ref: SpanRef) -> None:
    begins = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if kind in packed.BEGINS:
        name, magic = packed.BEGINS[kind]
        if not head.startswith(magic):
            raise mismatch(ref, name, begins or f"text or something else, not {name.split()[0]}")
        return
    text = "CSV" if kind == "csv" else "JSON Lines"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if begins:
        raise mismatch(ref, text, begins)
    if start[:20].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise mismatch(ref, text, "a web page or XML; an error page, perhaps")
    if kind == "csv" and start.startswith((b'{"', b'[{"', b"{\n")):
        raise mismatch(ref, text, "JSON")


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
    return Looked("parquet", digest.hexdigest(), size, size, 0, b"", path)


def _look_at_text(path: Path, ref: SpanRef, kind: Kind, encoding: str | None) -> Looked:
    digest = hashlib.sha256()
    text_size = quotes = 0
    head, tail, blank = b"", b"", True
    facts = TextFacts()
    wide = (encoding or "").lower().replace("_", "").replace("-", "").startswith(("utf16", "utf32"))
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as raw:
        watched = _Watched(raw, digest)
        with packed.reading(cast("IO[bytes]", watched), ref, kind.packing) as opened:
            while piece := opened.read(_PIECE):
                if not text_size:
                    _check_magic(kind.format, piece[:512], ref)
                    if encoding is None and _wide(piece) is not None:
                        wide = True
                    elif not wide:
                        _check_text(piece, ref)
                if not wide:
                    if b"\0" in piece:
                        raise mismatch(ref, "CSV", "bytes that are no text (NUL)")
                    if encoding is None:
                        _judge_bytes(piece, decoder, facts)
                text_size += len(piece)
                packed.check_unpacked(text_size, watched.count, ref)
                quotes += piece.count(b'"')
                blank = blank and not piece.strip(_BLANK)
                if len(head) < _HEAD:
                    head += piece
                tail = (tail + piece)[-_TAIL:]
        while watched.read(_PIECE):
            pass  # what follows the end of the compressed text is a part of the file, too
        size = watched.count
    if blank:
        raise SpanRefused(
            "SPAN-EMPTY",
            ref,
            "a span must hold rows",
            "there is nothing but white space in it",
            "Write the file again, or remove it",
        )
    if facts.utf8 and encoding is None and not wide:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            facts.utf8, facts.high = False, facts.high + 1
    return Looked(
        kind.text, digest.hexdigest(), size, text_size, quotes, tail, path, head[:_HEAD], facts
    )


def _judge_bytes(piece: bytes, decoder: codecs.IncrementalDecoder, facts: TextFacts) -> None:
    """Add to what is known of a text's encoding."""
    if facts.utf8 and piece.isascii():
        pending, _ = decoder.getstate()
        if not pending:
            return
    if facts.utf8:
        try:
            # ASCII comes back as it was; what is more is UTF-8 of several bytes.
            facts.beyond_ascii |= not decoder.decode(piece).isascii()
            return
        except UnicodeDecodeError as error:
            facts.utf8 = False
            facts.beyond_ascii |= not piece[: max(error.start, 0)].isascii()
    high = piece.translate(None, delete=bytes(range(128)))
    facts.high += len(high)
    facts.odd |= bool(set(high) & _NOT_CP1252)
    facts.letters += len(high) + sum(map(piece.count, _LETTERS))


def _wide(head: bytes) -> str | None:
    """UTF-16 by its byte order mark, or by every second byte of an ASCII text in it."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    start = head[:512]
    half = len(start) // 2
    if half >= 4 and start[1::2].count(0) > 0.9 * half and not start[::2].count(0):
        return "utf-16-le"
    if half >= 4 and start[::2].count(0) > 0.9 * half and not start[1::2].count(0):
        return "utf-16-be"
    return None


def _check_text(piece: bytes, ref: SpanRef) -> None:
    if piece.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpanRefused(
            "SPAN-ENCODING",
            ref,
            "a CSV must be in the encoding source.csv.encoding names",
            "it begins like UTF-16",
            "Set source.csv.encoding to utf-16, or write it as UTF-8",
        )


def _digest_of(path: Path) -> Digest:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Watched:
    """A file that keeps the digest of everything read from it."""

    def __init__(self, file: IO[bytes], digest: hashlib._Hash) -> None:
        self._file, self._digest, self.count = file, digest, 0

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._digest.update(piece)
        self.count += len(piece)
        return piece
