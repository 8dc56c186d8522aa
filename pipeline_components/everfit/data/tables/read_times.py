"""Texts and numbers as times, by a format that is known: what cannot be one is missing."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everfit.contracts.spec.time_format import EPOCHS, MONTHS, YYYYMMDD, ZONE, time_expression

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Truths = np.ndarray[Any, np.dtype[np.bool_]]

_DAY_US = 86_400_000_000
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds of the years 1 and 9999."""


def parse_times(column: Any, form: str, zone: str | None = None) -> Any:
    """A column as ``timestamp[us]`` in UTC where it says a zone, else as it is written.

    Parameters
    ----------
    column : pyarrow.Array
        Texts or numbers.
    form : str
        A strptime pattern, one of ``FAMILIES``, ``epoch_s``, ``epoch_ms``, ``epoch_us`` or
        ``yyyymmdd``.
    zone : str, optional
        Zone of the times that are written without one; these too are then in UTC.

    Returns
    -------
    pyarrow.Array
        Null where there is no such time.
    """
    if form in EPOCHS:
        return _epochs(column, EPOCHS[form])
    if form == YYYYMMDD:
        return _parsed(_whole_texts(column), r"(?P<Y>\d{4})(?P<m>\d{2})(?P<d>\d{2})", zone)
    return _parsed(_as_text(column), time_expression(form), zone)


def says_zone(column: Any, form: str) -> Truths:
    """Which of the texts name a zone of their own. Shape (n,)."""
    if form in EPOCHS or form == YYYYMMDD or "?P<z>" not in time_expression(form):
        return np.zeros(len(column), dtype=bool)
    found = pc.match_substring_regex(pc.utf8_trim_whitespace(column), rf"\d ?({ZONE})$")
    truths: Truths = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    dates = pc.match_substring_regex(pc.utf8_trim_whitespace(column), r":\d|\d{8}T\d")
    clock: Truths = pc.fill_null(dates, False).to_numpy(zero_copy_only=False)
    return truths & clock


def in_utc(column: Any, zone: str) -> Any:
    """``timestamp[us]`` without a zone, written in ``zone``, as UTC.

    An hour that comes twice is taken as the first; one that does not exist as the next that does.
    """
    aware = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="latest")
    return aware.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))


def _as_text(column: Any) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _whole_texts(column: Any) -> Any:
    """Numbers without a point: a column with gaps may come as floats."""
    text = pc.utf8_trim_whitespace(_as_text(column))
    return pc.replace_substring_regex(text, r"\.0*$", "")


def _epochs(column: Any, unit: int) -> Any:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        fine = pc.match_substring_regex(text, r"^[-+]?\d{1,18}(\.\d*)?$")
        whole = pc.match_substring_regex(text, r"^[-+]?\d+$")
        if pc.all(pc.fill_null(whole, True)).as_py():
            text = pc.replace_substring_regex(text, r"^\+", "")
            column = pc.if_else(fine, text, pa.scalar(None, pa.string())).cast(pa.int64())
        else:
            column = pc.if_else(fine, text, pa.scalar(None, pa.string())).cast(pa.float64())
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        values = column.cast(pa.float64(), safe=False).fill_null(0.0)
        raw = values.to_numpy(zero_copy_only=False)
        valid = valid & np.isfinite(raw) & (np.abs(raw) < 1e17 / unit * 10)
        micros = np.round(np.where(valid, raw, 0.0) * unit)
        valid &= (micros >= _FIRST) & (micros <= _LAST)
        return _array(np.where(valid, micros, 0).astype(np.int64), valid)
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    valid = valid & (numbers >= _FIRST // unit) & (numbers <= _LAST // unit)
    return _array(np.where(valid, numbers, 0) * unit, valid)


@lru_cache(maxsize=64)
def _groups(expression: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\?P<(\w)>", expression))


def _parsed(texts: Any, expression: str, zone: str | None) -> Any:
    found = pc.extract_regex(pc.utf8_trim_whitespace(texts), rf"(?i)^(?:{expression})$")
    valid = found.is_valid().to_numpy(zero_copy_only=False)
    parts: dict[str, Any] = {}
    for position, name in enumerate(_groups(expression)):
        parts[name] = pc.struct_field(found, [position]).fill_null("")

    def number(name: str, otherwise: int = 0) -> Numbers:
        if name not in parts:
            return np.full(len(texts), otherwise, dtype=np.int64)
        text = pc.if_else(pc.equal(parts[name], ""), str(otherwise), parts[name])
        values: Numbers = text.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return values

    year = number("Y") if "Y" in parts else _century(number("y"))
    month = _named_months(parts["b"]) if "b" in parts else number("m", 1)
    day, minute, second = number("d", 1), number("M"), number("S")
    hour = number("I") if "I" in parts else number("H")
    if "p" in parts:
        marks = pc.utf8_lower(parts["p"])
        after = pc.starts_with(marks, "p").to_numpy(zero_copy_only=False)
        marked = pc.not_equal(marks, "").to_numpy(zero_copy_only=False)
        valid = valid & (~marked | ((hour >= 1) & (hour <= 12)))
        hour = np.where(marked, hour % 12 + 12 * after, hour)
    micros = _fraction(parts["f"]) if "f" in parts else np.zeros(len(texts), dtype=np.int64)
    valid = valid & (month >= 1) & (month <= 12) & (year >= 1)
    month = np.where(valid, month, 1)
    year = np.where(valid, year, 1970)
    valid = valid & (day >= 1) & (day <= _month_days(year, month))
    valid = valid & (hour < 24) & (minute < 60) & (second < 60)
    days = _days(year, month, np.where(valid, day, 1))
    moment = ((days * 24 + hour) * 60 + minute) * 60 + second
    moment = np.where(valid, moment * 1_000_000 + micros, 0)
    zoned = np.zeros(len(texts), dtype=bool)
    if "z" in parts:
        zoned, offset = _offsets(parts["z"])
        moment = moment - np.where(valid, offset, 0)
    times = _array(moment, valid)
    if zone is None or (zoned | ~valid).all():
        return times
    return pc.if_else(pa.array(zoned), times, in_utc(times, zone))


def _array(micros: Numbers, valid: Truths) -> Any:
    return pa.array(micros, pa.int64(), mask=~valid).cast(pa.timestamp("us"))


def _century(year: Numbers) -> Numbers:
    """As POSIX has it: 69 to 99 are of the last century."""
    return np.where(year < 69, 2000 + year, 1900 + year)


def _named_months(texts: Any) -> Numbers:
    short = pc.utf8_slice_codeunits(pc.utf8_lower(texts), 0, 3)
    place = pc.index_in(short, value_set=pa.array(MONTHS)).fill_null(-1)
    months: Numbers = place.to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return months


def _fraction(texts: Any) -> Numbers:
    """Digits after the point as microseconds; further ones are cut."""
    six = pc.utf8_slice_codeunits(pc.utf8_rpad(texts, 6, "0"), 0, 6)
    micros: Numbers = six.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return micros


def _offsets(texts: Any) -> tuple[Truths, Numbers]:
    """Whether a zone is there, and microseconds east of UTC."""
    zoned: Truths = pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
    kinds = texts.unique().to_pylist()
    of_kind = []
    for kind in kinds:
        digits = re.sub(r"\D", "", kind).ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:4])
        of_kind.append((-minutes if kind.startswith("-") else minutes) * 60_000_000)
    place = pc.index_in(texts, value_set=pa.array(kinds, pa.string())).to_numpy(
        zero_copy_only=False
    )
    offsets: Numbers = np.array(of_kind, dtype=np.int64)[place]
    return zoned, offsets


def _month_days(year: Numbers, month: Numbers) -> Numbers:
    plain = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)[month]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    days: Numbers = plain + ((month == 2) & leap)
    return days


def _days(year: Numbers, month: Numbers, day: Numbers) -> Numbers:
    """Days since 1970-01-01 in the Gregorian calendar."""
    months = (year - 1970) * 12 + month - 1
    first: Numbers = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days: Numbers = first + day - 1
    return days
