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
    """A time the ledger wrote."""
    return datetime.fromisoformat(text)
