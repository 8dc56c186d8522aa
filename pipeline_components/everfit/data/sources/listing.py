"""Which names are spans, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from everfit.contracts.errors import SourceError, shortlist
from everfit.contracts.messages.spans import RowTimes, SpanRef, by_rows
from everfit.data.sources.periods import period_of
from everfit.data.sources.source import Listing

FORMATS: dict[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
"""Suffix → what ``format: auto`` reads such a file as."""

PACKINGS = ("gz", "bz2", "zst", "zip")
"""Suffixes that say how a text is packed; a zip archive holds one file of any format."""

_BARE = (".csv", ".tsv", ".jsonl", ".ndjson")
_NAMED = (".txt", ".arrow", ".zip", ".xlsx", ".xlsm")
"""Suffixes that other files have, too: such files are spans where the address names the suffix."""

UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".swp", "~")
"""Endings of names that writers use before a file is whole."""


_OF_DISKS = ("lost+found",)
"""Folders that a file system brings along, which only root may read."""


def is_candidate(name: str) -> bool:
    """Whether a name below the source's fixed part could be a span: not hidden, not unfinished."""
    hidden = any(part.startswith((".", "_")) or part in _OF_DISKS for part in name.split("/"))
    return not hidden and not name.lower().endswith(UNFINISHED)


def has_known_suffix(name: str, uri: str = "") -> bool:
    """Whether ``format: auto`` knows what is inside, given the address that the file lies at.

    Examples
    --------
    >>> has_known_suffix("a.csv.bz2"), has_known_suffix("README.txt")
    (True, False)
    >>> has_known_suffix("a.txt", uri="data/*.txt")
    True
    """
    lower = name.lower()
    stem, _, packing = lower.rpartition(".")
    text = stem if packing in PACKINGS and stem else lower
    if text.endswith(_BARE) or lower.endswith((".parquet", ".pq", ".feather")):
        return True
    named = next((suffix for suffix in _NAMED if text.endswith(suffix)), None)
    if named is None and lower.endswith(".zip"):
        named = ".zip"
    return named is not None and named in uri.lower()


def natural(name: str) -> list[Any]:
    """Sorting key in which ``part-9`` comes before ``part-10``."""
    pieces: list[Any] = re.split(r"(\d+)", name)
    pieces[1::2] = [(int(piece), piece) for piece in pieces[1::2]]
    return pieces


def in_order_of_rows(
    listing: Listing, snapshots: Iterable[tuple[str, str, Mapping[str, Any] | None]]
) -> Listing:
    """The listing in the order of its spans' rows, where their names say another; else itself.

    Parameters
    ----------
    listing : Listing
        In the order of names or periods.
    snapshots : iterable
        Name, fingerprint and snapshot, as JSON, of the spans that were read or refused before.
    """
    known = {
        (name, fingerprint): snapshot["times"]
        for name, fingerprint, snapshot in snapshots
        if snapshot and snapshot.get("times")
    }
    times = {
        ref.name: RowTimes.model_validate(known[ref.name, ref.fingerprint])
        for ref in listing.spans
        if (ref.name, ref.fingerprint) in known
    }
    ordered = by_rows(listing.spans, times)
    return listing if ordered == listing.spans else replace(listing, spans=ordered)


def order(
    spans: Iterable[SpanRef],
    pattern: str | None,
    where: str,
    span: str | None = None,
    top: str = "",
) -> Listing:
    """Put files together into spans, and spans in the source's order.

    Parameters
    ----------
    pattern, span : str, optional
        ``source.period`` and ``source.span``.
    where : str
        The address, for messages.
    top : str
        Its fixed part.

    Raises
    ------
    SourceError
        If the pattern is not one, or no name holds such a period.
    """
    from everfit.data.sources.grouping import group, unfit

    by_name = sorted(spans, key=lambda ref: natural(ref.name))
    field = "source.span" if span is not None else "source.period"
    try:
        grouped, pattern = group(by_name, span, pattern, top)
        periods = [period_of(ref.name, pattern) if pattern else None for ref in grouped]
    except ValueError as error:
        raise SourceError(
            "SOURCE-PERIOD",
            field,
            "a period is a strptime pattern",
            str(error),
            "Write it like %Y-%m",
        ) from None
    if pattern is None or not grouped:
        return Listing(tuple(sorted(grouped, key=lambda ref: natural(ref.name))))
    dated = []
    for ref, period in zip(grouped, periods, strict=True):
        if period is not None:
            start, end = (moment.isoformat() for moment in period)
            dated.append(ref.model_copy(update={"period_start": start, "period_end": end}))
    unfitting = [ref.name for ref, period in zip(grouped, periods, strict=True) if period is None]
    notes = [unfit(unfitting, len(by_name), pattern)] if unfitting else []
    if not dated:
        raise SourceError(
            "SOURCE-PERIOD",
            where,
            f"file names must hold a period like {pattern}",
            f"none of {len(by_name)} does, the first is {by_name[0].name!r}",
            f"Correct {field}, or remove it to order spans by name",
        )
    dated.sort(key=lambda ref: ref.period_start or "")
    today = (datetime.now(UTC) + timedelta(days=1)).replace(tzinfo=None).isoformat()
    coming = [ref.name for ref in dated if (ref.period_start or "") > today]
    if coming:
        notes.append(
            f"of a period that has not begun yet: {shortlist(coming)}; correct the name, or "
            f"{field}, if it should have"
        )
    return Listing(tuple(dated), tuple(notes))
