"""What may wake a pipeline, as a spec says it."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from .base import Frozen


class TriggerSpec(Frozen):
    """What wakes the pipeline; plan decides whether there is work."""

    schedule: str | None = Field(None, description="cron expression; none: by hand only")
    timezone: str = Field("UTC", description="IANA name, of the schedule")

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, text: str | None) -> str | None:
        if text is not None and not is_cron(text):
            raise ValueError(
                "a schedule is five cron fields: minute hour day month weekday, as in 0 3 * * 1"
            )
        return text

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("a timezone is an IANA name such as Europe/Berlin") from None
        return name


_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$")


def is_cron(text: str) -> bool:
    """Whether ``text`` is five numeric cron fields, each within its range."""
    fields = text.split()
    if len(fields) != len(_CRON_RANGES):
        return False
    for field, (low, high) in zip(fields, _CRON_RANGES, strict=True):
        for part in field.split(","):
            match = _CRON_PART.match(part)
            if match is None or (match[3] is not None and int(match[3]) == 0):
                return False
            bounds = [int(number) for number in match.groups()[:2] if number is not None]
            if bounds != sorted(bounds) or any(not low <= number <= high for number in bounds):
                return False
    return True
