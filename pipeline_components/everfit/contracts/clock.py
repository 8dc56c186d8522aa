"""What the time is; a replay has a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time, UTC."""


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """As the ledger writes it: UTC, milliseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_iso(text: str) -> datetime:
    """An ISO time; one without a zone is UTC.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def moment(text: str | None) -> datetime | None:
    """The same; None where there is none."""
    try:
        return read_iso(text or "")
    except ValueError:
        return None
