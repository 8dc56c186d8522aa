"""Times, lengths of time and counts in the words of a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo


def at(moment: datetime, zone: tzinfo = UTC) -> str:
    """``2026-11-21 14:05 UTC``, or the local time with the zone's name."""
    local = moment.astimezone(zone)
    name = "UTC" if zone is UTC or str(zone) == "UTC" else str(zone)
    return f"{local:%Y-%m-%d %H:%M} {name}"


def long(length: timedelta) -> str:
    """``40 min``, ``5 h`` or ``12 days``: so exact as a person needs it."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"


def count(number: int, noun: str) -> str:
    """``1 span``, ``2 spans``, ``12,000 rows``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
