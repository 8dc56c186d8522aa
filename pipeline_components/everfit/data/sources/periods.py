"""The period a span's name speaks of: ``%Y-%m`` in ``2018-01.csv`` is January 2018."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

Length = Literal["year", "month", "week", "day", "hour", "minute", "second"]

_DIRECTIVES: dict[str, tuple[str, Length]] = {
    "Y": (r"\d{4}", "year"),
    "y": (r"\d{2}", "year"),
    "G": (r"\d{4}", "year"),
    "m": (r"(?:0?[1-9]|1[0-2])", "month"),
    "b": (r"[A-Za-z]{3}", "month"),
    "B": (r"[A-Za-z]{3,9}", "month"),
    "V": (r"\d{2}", "week"),
    "d": (r"(?:0?[1-9]|[12]\d|3[01])", "day"),
    "j": (r"\d{3}", "day"),
    "H": (r"(?:[01]?\d|2[0-3])", "hour"),
    "M": (r"[0-5]?\d", "minute"),
    "S": (r"[0-5]?\d", "second"),
}
"""strptime directive → what it looks like, and the length of the period it names."""

_FIXED = {
    "m": r"(?:0[1-9]|1[0-2])",
    "d": r"(?:0[1-9]|[12]\d|3[01])",
    "H": r"(?:[01]\d|2[0-3])",
    "M": r"[0-5]\d",
    "S": r"[0-5]\d",
}
"""Two digits exactly, tried before the looser form."""

_ORDER: tuple[Length, ...] = ("year", "month", "week", "day", "hour", "minute", "second")


def period_of(name: str, pattern: str) -> tuple[datetime, datetime] | None:
    """The period that ``name`` speaks of.

    Parameters
    ----------
    name : str
        A span's name.
    pattern : str
        strptime directives and literal text, searched for anywhere in the name, the last place
        first (a folder ``2017`` above ``2018-01.csv`` does not mislead).

    Returns
    -------
    (start, end) or None
        ``end`` is exclusive: start plus the smallest directive's length. None where the name
        holds no such period.

    Raises
    ------
    ValueError
        If the pattern uses a directive that names no period.
    """
    for looks, length in _compiled(pattern):
        for match in reversed(list(looks.finditer(name))):
            try:
                start = _parse(match.group(0), pattern)
                return start, end_of(start, length)
            except (ValueError, OverflowError):
                continue
    return None


def matched(name: str, pattern: str) -> str | None:
    """The part of ``name`` that holds the period; None where it holds none.

    Examples
    --------
    >>> matched("region=EU/month=2024-01/a.csv", "month=%Y-%m")
    'month=2024-01'
    """
    for looks, _ in _compiled(pattern):
        for match in reversed(list(looks.finditer(name))):
            try:
                _parse(match.group(0), pattern)
            except (ValueError, OverflowError):
                continue
            return match.group(0)
    return None


def end_of(start: datetime, length: Length) -> datetime:
    """Where the period of that length which begins at ``start`` ends, exclusive."""
    if length == "year":
        return start.replace(year=start.year + 1)
    if length == "month":
        years, month = divmod(start.month, 12)
        return start.replace(year=start.year + years, month=month + 1)
    seconds = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}[length]
    return start + timedelta(seconds=seconds)


def start_of(moment: datetime, length: Length) -> datetime:
    """Where the calendar period that holds ``moment`` begins; weeks begin on Monday."""
    fields: dict[Length, dict[str, int]] = {
        "second": {"microsecond": 0},
        "minute": {"microsecond": 0, "second": 0},
        "hour": {"microsecond": 0, "second": 0, "minute": 0},
        "day": {"microsecond": 0, "second": 0, "minute": 0, "hour": 0},
    }
    if length in fields:
        return moment.replace(**fields[length])  # type: ignore[arg-type]
    day = moment.replace(**fields["day"])  # type: ignore[arg-type]
    if length == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if length == "month" else day.replace(day=1, month=1)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> tuple[tuple[re.Pattern[str], Length], ...]:
    strict, loose, lengths = "", "", []
    pieces = re.split(r"%(.)", pattern)
    for text, letter in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        strict += re.escape(text)
        loose += re.escape(text)
        if letter == "%":
            strict += "%"
            loose += "%"
        elif letter:
            if letter not in _DIRECTIVES:
                raise ValueError(
                    f"%{letter} names no period; use {', '.join('%' + d for d in _DIRECTIVES)}"
                )
            looks, length = _DIRECTIVES[letter]
            strict += _FIXED.get(letter, looks)
            loose += looks
            lengths.append(length)
    if not lengths or pattern.endswith("%"):
        raise ValueError(f"{pattern!r} holds no directive such as %Y")
    smallest = max(lengths, key=_ORDER.index)
    edges = r"(?<!\d){}(?!\d)"
    return tuple((re.compile(edges.format(looks)), smallest) for looks in (strict, loose))


def _parse(text: str, pattern: str) -> datetime:
    if "%V" in pattern:  # strptime wants a weekday beside an ISO week
        return datetime.strptime(text + " 1", pattern + " %u")
    return datetime.strptime(text, pattern)
