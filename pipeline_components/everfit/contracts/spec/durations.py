"""Lengths of time as a spec writes them: ``30m``, ``6h``, ``30d``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from everfit.contracts.wording import count

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,5})([mhdw])")


def duration(text: str) -> timedelta:
    """Read ``6h``.

    Raises
    ------
    ValueError
        If it is none.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("a length of time is a whole number with m, h, d or w, such as 6h or 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _checked(text: str) -> str:
    if not duration(text):
        raise ValueError("a length of time is more than 0")
    return text


Duration = Annotated[str, AfterValidator(_checked)]
"""The text of a length of time; ``duration`` reads it."""


def duration_text(text: str) -> str:
    """A length of time in words.

    Examples
    --------
    >>> duration_text("6h"), duration_text("30d"), duration_text("1w"), duration_text("90m")
    ('6 hours', '30 days', '1 week', '90 minutes')
    """
    seconds = int(duration(text).total_seconds())
    sizes = (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60))
    unit, size = next(one for one in sizes if seconds % one[1] == 0)
    return count(seconds // size, unit)
