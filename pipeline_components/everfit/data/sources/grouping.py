"""Spans that are more than one file: a folder, a period, a data set that Spark wrote."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from urllib.parse import unquote

from everfit.contracts.base import digest_of
from everfit.contracts.errors import SourceError, shortlist
from everfit.contracts.messages.spans import SpanPart, SpanRef
from everfit.contracts.wording import count
from everfit.data.sources.listing import has_known_suffix
from everfit.data.sources.periods import matched, period_of

FOLDER = "folder"
"""What ``source.span`` says where each folder is a span."""

_LOGS = {"_delta_log": "a Delta Lake table", ".hoodie": "a Hudi table"}
_NULL = "__HIVE_DEFAULT_PARTITION__"
_HIVE = re.compile(r"([^=/]+)=([^/]*)")
_SPARK = re.compile(r"part-(r-|m-)?\d{5}")
_PARTS = (("year", "%Y"), ("month", "%m"), ("day", "%d"), ("hour", "%H"))
_WHOLE = ("%Y-%m-%d", "%Y%m%d", "%Y-%m", "%Y%m", "%Y-%m-%d-%H", "%Y-%m-%dT%H")


def partitions(name: str) -> dict[str, str | None]:
    """The columns that the folders of a span's file say: ``region=EU/month=2024-01/a.parquet``.

    Examples
    --------
    >>> partitions("region=EU/month=2024-01/a.parquet")
    {'region': 'EU', 'month': '2024-01'}
    >>> partitions("a=b.csv")
    {}
    """
    found: dict[str, str | None] = {}
    for folder in name.split("/")[:-1]:
        match = _HIVE.fullmatch(folder)
        if match:
            value = unquote(match.group(2))
            found[unquote(match.group(1))] = None if value == _NULL else value
    return found


def group(
    refs: Sequence[SpanRef], span: str | None, period: str | None, top: str
) -> tuple[list[SpanRef], str | None]:
    """Put the files of a folder, of a period or of a data set together into one span.

    Parameters
    ----------
    refs : sequence of SpanRef
        The files that count, each as a span of its own.
    span, period : str, optional
        ``source.span`` and ``source.period``.
    top : str
        The address's fixed part, which names a data set that lies at its top.

    Returns
    -------
    spans, pattern
        The pattern of the period in their names; it is a found one where neither was given.

    Raises
    ------
    ValueError
        If a pattern is none.
    """
    if span == FOLDER:
        keys = {ref.name: posixpath.dirname(ref.name) or _base(top) for ref in refs}
        return _grouped(refs, keys), period
    pattern = span or period or _found(refs)
    if pattern is not None and (span is not None or period is None or _in_folders(refs, pattern)):
        keys = {ref.name: matched(ref.name, pattern) or ref.name for ref in refs}
        return _grouped(refs, keys), pattern
    keys = {ref.name: _data_set(ref.name, top) or ref.name for ref in refs}
    return _grouped(refs, keys), pattern


def refuse_tables(names: Sequence[str], where: str) -> None:
    """Refuse a folder whose own log, and nothing else, says which of its files count.

    Parameters
    ----------
    names : sequence of str
        Of files and folders below the address.

    Raises
    ------
    SourceError
        ``SOURCE-TABLE``.
    """
    for name in names:
        parts = name.split("/")
        kind = next((_LOGS[part] for part in parts if part in _LOGS), None)
        if kind is None and len(parts) > 1 and parts[-2] == "metadata":
            kind = "an Iceberg table" if name.endswith(".metadata.json") else None
        if kind is not None:
            raise SourceError(
                "SOURCE-TABLE",
                where,
                "the files of a folder must all count",
                f"it is {kind}: its log ({name}) says which of them do, and others are of the past",
                "Export the table, or read it by a query (source.query)",
            )


def unfit(names: Sequence[str], of: int, pattern: str) -> str:
    """A sentence on the files whose names hold no such period."""
    return (
        f"{len(names):,} of {count(of, 'file')} "
        f"{'does' if len(names) == 1 else 'do'} not fit {pattern}: {shortlist(names)}"
    )


def _grouped(refs: Sequence[SpanRef], keys: dict[str, str]) -> list[SpanRef]:
    members: dict[str, list[SpanRef]] = {}
    for ref in refs:
        members.setdefault(keys[ref.name], []).append(ref)
    return [_one(key, files) for key, files in members.items()]


def _one(key: str, files: list[SpanRef]) -> SpanRef:
    if len(files) == 1 and files[0].name == key:
        return files[0]
    files = sorted(files, key=lambda ref: ref.name)
    sizes = [ref.size for ref in files]
    evidence = digest_of([[ref.name, ref.fingerprint] for ref in files])
    common = posixpath.commonpath([posixpath.dirname(ref.location) or "." for ref in files])
    if "://" in files[0].location:
        common = common.replace(":/", "://", 1)
    return SpanRef(
        name=key,
        fingerprint=f"files={len(files)} sha256={evidence}",
        location=files[0].location if len(files) == 1 else common,
        size=sum(size or 0 for size in sizes) if all(size is not None for size in sizes) else None,
        parts=tuple(
            SpanPart(
                name=ref.name, fingerprint=ref.fingerprint, location=ref.location, size=ref.size
            )
            for ref in files
        ),
    )


def _in_folders(refs: Sequence[SpanRef], pattern: str) -> bool:
    """Whether a period is said by the folders, and not by the files' own names."""
    if not refs or any("/" not in ref.name for ref in refs):
        return False
    own = any(period_of(ref.name.rpartition("/")[2], pattern) for ref in refs)
    return not own and any(period_of(ref.name, pattern) for ref in refs)


def _found(refs: Sequence[SpanRef]) -> str | None:
    """The pattern of a time in hive folders that every file has."""
    if not refs:
        return None
    every = [partitions(ref.name) for ref in refs]
    keys = [key for key in every[0] if all(key in found for found in every)]
    named = [(key, directive) for key, directive in _PARTS if key in keys]
    pieces = "/".join(f"{key}={directive}" for key, directive in named)
    ours = named and [key for key, _ in named] == [key for key, _ in _PARTS[: len(named)]]
    if ours and all(_fits(ref.name, pieces) for ref in refs):
        return pieces
    for key in keys:
        for directive in _WHOLE:
            if all(_exact(found[key], directive) for found in every):
                return f"{key}={directive}"
    return None


def _fits(name: str, pattern: str) -> bool:
    return period_of(name, pattern) is not None


def _exact(value: str | None, directive: str) -> bool:
    return value is not None and matched(value, directive) == value


def _data_set(name: str, top: str) -> str | None:
    """The folder of a data set, for a part file that Spark or Hadoop wrote, or a table's folder."""
    folders = name.split("/")[:-1]
    for number, folder in enumerate(folders, 1):
        if has_known_suffix(folder):
            return "/".join(folders[:number])
    if not _SPARK.match(name.rpartition("/")[2]):
        return None
    while folders and _HIVE.fullmatch(folders[-1]):
        folders.pop()
    return "/".join(folders) or _base(top)


def _base(top: str) -> str:
    return posixpath.basename(top.rstrip("/")) or "."
