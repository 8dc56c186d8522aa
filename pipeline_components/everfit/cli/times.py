"""Times as the command line shows them: UTC, which each output says once."""

from __future__ import annotations

import re

_TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?: UTC|Z)")


def without_zone(text: str) -> str:
    """A text whose times, all UTC, do not say so; for output that has said it.

    Examples
    --------
    >>> without_zone("until 2026-11-30 04:03 UTC, seen 2026-11-29T22:03:12Z")
    'until 2026-11-30 04:03, seen 2026-11-29T22:03:12'
    """
    return _TIME.sub(r"\1", text)


def utc(at: str | None) -> str:
    """A recorded time to the minute: ``2026-03-31 14:00``, or ``–``."""
    return at[:16].replace("T", " ") if at else "–"
