"""Quiet times: days of the week, hours of the day, or hours of days, in which nothing trains."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_SPAN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")
_HELP = "quiet times are days, hours or both, such as Sat-Sun, 22:00-06:00 or Mon-Fri 08:00-18:00"


@dataclass(frozen=True)
class QuietTime:
    """One part of ``quiet``."""

    days: frozenset[int]
    """0 is Monday; of a night, the day it begins on."""
    start: int
    """Minutes after midnight, inclusive."""
    end: int
    """Exclusive; not after ``start``: it ends on the next day."""

    def holds(self, moment: datetime) -> bool:
        """Whether a local time falls in it."""
        minute, day = moment.hour * 60 + moment.minute, moment.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        began = minute >= self.start and day in self.days
        goes_on = minute < self.end and (day - 1) % 7 in self.days
        return began or goes_on


def read_quiet(text: str) -> tuple[QuietTime, ...]:
    """Read ``Sat-Sun`` or ``Mon-Fri 08:00-18:00, Sun``.

    Raises
    ------
    ValueError
        If a part is no quiet time.
    """
    return tuple(_read_part(part.strip()) for part in text.split(","))


def _read_part(text: str) -> QuietTime:
    days, hours = frozenset(range(7)), (0, 24 * 60)
    words = text.lower().split()
    if not 1 <= len(words) <= 2:
        raise ValueError(_HELP)
    if words and (match := _HOURS.fullmatch(words[-1])):
        numbers = [int(number) for number in match.groups()]
        if max(numbers[0], numbers[2]) > 24 or max(numbers[1], numbers[3]) > 59:
            raise ValueError(_HELP)
        hours = (numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3])
        if max(hours) > 24 * 60 or hours[0] == hours[1]:
            raise ValueError(_HELP)
        words = words[:-1]
    if len(words) > 1:
        raise ValueError(_HELP)
    if words:
        match = _SPAN.fullmatch(words[0])
        if match is None or match[1] not in DAYS or (match[2] or match[1]) not in DAYS:
            raise ValueError(_HELP)
        first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
        days = frozenset((first + i) % 7 for i in range((last - first) % 7 + 1))
    return QuietTime(days, *hours)
