"""Manifests: a JSON, CSV or text file that names the files of a batch once all are written."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST = 64 << 20
"""Bytes; a larger file is no manifest."""

_NAMES = ("name", "path", "key", "url", "uri", "file")
_SIZES = ("size", "content_length", "bytes")
_LISTS = ("files", "entries")


@dataclass(frozen=True)
class Entry:
    """A file as its manifest states it."""

    name: str
    """As written: below the manifest's folder, or a whole address."""
    size: int | None = None
    etag: str | None = None
    sha256: str | None = None


def parse_manifest(name: str, data: bytes) -> tuple[Entry, ...]:
    """The files a manifest names.

    ``.json`` is a list of names or objects, or an object with such a list under ``files`` or
    ``entries`` (as Redshift writes it); ``.csv`` has a header; anything else is a name a line,
    with ``#`` before a remark. Keys and columns are ``name`` (or path, key, url, uri, file),
    ``size`` (or content_length, bytes), ``etag`` and ``sha256``; only the first must be there.

    Raises
    ------
    ValueError
        With a few words on what is wrong; never with a part of the content.
    """
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    lower = name.lower()
    if lower.endswith(".json"):
        return _from_json(text)
    if lower.endswith(".csv"):
        return _from_csv(text)
    lines = (line.strip() for line in text.splitlines())
    return tuple(Entry(_name(line)) for line in lines if line and not line.startswith("#"))


def _from_json(text: str) -> tuple[Entry, ...]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON, or not whole yet") from None
    if isinstance(value, dict):
        value = next((value[key] for key in _LISTS if key in value), None)
    if not isinstance(value, list):
        raise ValueError("it holds no list of files")
    return tuple(Entry(_name(item)) if isinstance(item, str) else _entry(item) for item in value)


def _from_csv(text: str) -> tuple[Entry, ...]:
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error:
        raise ValueError("it is not CSV, or not whole yet") from None
    return tuple(
        _entry({str(key).strip().lower(): (value or None) for key, value in row.items()})
        for row in rows
    )


def _entry(item: Any) -> Entry:
    if not isinstance(item, Mapping):
        raise ValueError("a file is a name, or an object with one")
    meta = item.get("meta")
    told = {**(meta if isinstance(meta, Mapping) else {}), **item}
    name = next((told[key] for key in _NAMES if told.get(key)), None)
    size = next((told[key] for key in _SIZES if told.get(key) is not None), None)
    etag = told.get("etag") or told.get("ETag")
    return Entry(
        _name(name),
        None if size is None else _size(size),
        None if etag is None else str(etag).strip('"'),
        None if told.get("sha256") is None else _sha256(told["sha256"]),
    )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError(f"a file has no name (one of {', '.join(_NAMES)})")
    return value.strip()


def _size(value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError("a size is a number of bytes")
    return int(text)


def _sha256(value: Any) -> str:
    text = str(value).strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("a sha256 is 64 hexadecimal digits")
    return text
