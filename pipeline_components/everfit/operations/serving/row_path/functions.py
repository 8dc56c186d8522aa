"""The functions of the expression language, on the values of one row."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np

Row = dict[str, Any]
Get = Callable[[Row], Any]

NAN = math.nan
EPOCH = datetime(1970, 1, 1)


class NotCompiled(Exception):
    """Why rows must go through a frame."""


def finite(number: float) -> float:
    """The number; missing where it is infinite."""
    return number if math.isfinite(number) else NAN


def is_missing(value: Any) -> bool:
    """Whether a value is None or NaN."""
    return value is None or (type(value) is float and math.isnan(value))


def whole_microseconds(span: timedelta) -> int:
    """A span in microseconds, exactly."""
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def is_null(get: Get) -> Get:
    """Whether it is missing."""
    return lambda row: is_missing(get(row))


def _epoch(moment: datetime) -> float:
    nanoseconds = whole_microseconds(moment - EPOCH) * 1000
    if not -(1 << 63) < nanoseconds < 1 << 63:
        raise NotCompiled("a time beyond those that 64 bits of nanoseconds can hold")
    return float(nanoseconds) / 1_000_000_000


TIME_PARTS: dict[str, Callable[[datetime], float]] = {
    "hour": lambda moment: float(moment.hour),
    "weekday": lambda moment: float(moment.weekday()),
    "day": lambda moment: float(moment.day),
    "month": lambda moment: float(moment.month),
    "epoch": _epoch,
}
"""Function → what it gives of a time."""


def time_part(name: str, times: list[Get]) -> Get:
    """``minutes`` of two times, or a part of one."""
    if name == "minutes":
        first, second = times

        def minutes(row: Row) -> float:
            begin, end = first(row), second(row)
            if begin is None or end is None:
                return NAN
            return float(whole_microseconds(end - begin)) / 1_000_000 / 60

        return minutes
    (get,), part = times, TIME_PARTS[name]

    def of(row: Row) -> float:
        moment = get(row)
        return NAN if moment is None else part(moment)

    return of


def choice(truth: Get, yes: Get, no: Get) -> Get:
    """``where``."""

    def get(row: Row) -> float:
        value = truth(row)
        if value is None:
            return NAN
        found: float = yes(row) if value else no(row)
        return found

    return get


def extreme(smaller: bool, a: Get, b: Get) -> Get:
    """``min`` or ``max``."""

    def get(row: Row) -> float:
        one, other = a(row), b(row)
        if math.isnan(one) or math.isnan(other):
            return NAN
        found: float = one if (one <= other if smaller else one >= other) else other
        return found

    return get


def function(name: str, get: Get) -> Get:
    """``abs``, ``sqrt`` or ``log1p``."""
    # numpy's own ``log1p``: the C library's may round otherwise.
    functions: dict[str, Callable[[float], Any]] = {
        "abs": abs,
        "sqrt": np.sqrt,
        "log1p": np.log1p,
    }
    compute = functions[name]

    def of(row: Row) -> float:
        with np.errstate(all="ignore"):
            return finite(float(compute(get(row))))

    return of
