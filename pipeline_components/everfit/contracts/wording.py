"""Numbers, units, counts and times as people read them: the one formatter of the whole product.

The command line, messages, reports and Airflow's pages all write numbers by these functions, so
that a value reads the same wherever it is met. Three rules hold everywhere: three significant
digits, the whole part of a number never rounded away; one minus sign, ``−`` (U+2212); a space
before ``%``. Nothing here is for machines: JSON, SQL and file names keep Python's own numbers.

Examples
--------
>>> number(4.1178), number(-0.03), number(12345.6), number(7)
('4.12', '−0.0300', '12,346', '7')
>>> amount(4.1178, "$"), amount(12.34, "min"), percent(0.1234)
('$4.12', '12.3 min', '12.3 %')
>>> count(1, "evaluation"), count(2, "evaluation"), p_value(0.03), p_value(1e-7)
('1 evaluation', '2 evaluations', 'p-value 0.03', 'p-value < 0.001')
>>> confidence(1 / 580), duration(125), size(12_345_678)
('99.8 % one-sided confidence', '2 min 5 s', '12.3 MB')
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from itertools import pairwise

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""

DIGITS = 3
"""Significant digits of a measured number."""

_LARGEST, _SMALLEST = 1e9, 1e-4
"""Beyond these a number is written with a power of ten."""
_MOST_DIGITS = 9
_LEAST_P = 0.001
_LEVELS = (0.01, 0.05)
"""Levels that p-values are commonly compared with."""


def number(value: float | None, *, signed: bool = False, digits: int = DIGITS) -> str:
    """A measured number: three significant digits, thousands grouped.

    Parameters
    ----------
    value : float or None
        A whole number (``int``) is written in full.
    signed : bool
        Write a ``+`` before what is positive, as for a difference.
    digits : int
        Significant digits; the whole part is always written in full.

    Returns
    -------
    str
        ``–`` for None, ``NaN``, ``∞``.

    Examples
    --------
    >>> number(0.98765), number(1_234_567), number(0.1, signed=True), number(2e-7)
    ('0.988', '1,234,567', '+0.100', '2.00e−7')
    """
    if value is None:
        return NOTHING
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    text = _size(value, digits)
    return f"{_sign(value, text, signed)}{text}"


def plain(value: float | None, *, signed: bool = False) -> str:
    """A number as a person writes it, without zeros at its end: a setting, a limit, a tick.

    Examples
    --------
    >>> plain(0.05), plain(5.0), plain(1200.0), plain(0.12345)
    ('0.05', '5', '1,200', '0.123')
    """
    return _without_zeros(number(value, signed=signed))


def apart(*values: float | None, unit: str | None = None) -> tuple[str, ...]:
    """Numbers beside each other, with so many digits that different values read differently.

    Parameters
    ----------
    values : float or None
        Such as two scores, or a score and its limit.
    unit : str, optional
        As for ``amount``.

    Examples
    --------
    >>> apart(0.9512, 0.9518)
    ('0.951', '0.952')
    >>> apart(0.89996, 0.9)
    ('0.89996', '0.90000')
    """
    known = {value for value in values if value is not None and math.isfinite(value)}
    digits = DIGITS
    while digits < _MOST_DIGITS and len({number(v, digits=digits) for v in known}) < len(known):
        digits += 1
    return tuple(amount(value, unit, digits=digits) for value in values)


def amount(
    value: float | None, unit: str | None = None, *, signed: bool = False, digits: int = DIGITS
) -> str:
    """A measured number with its unit: a currency sign stands before it, any other unit after it.

    Parameters
    ----------
    value : float or None
    unit : str, optional
        As a spec's ``target.unit`` writes it: ``$``, ``min``, ``kWh``. None: a number without one.
    signed, digits
        As for ``number``.

    Examples
    --------
    >>> amount(-0.5, "$"), amount(3.25, "min", signed=True), amount(0.5), amount(None, "$")
    ('−$0.500', '+3.25 min', '0.500', '–')
    """
    if value is None or not unit:
        return number(value, signed=signed, digits=digits)
    return _with_unit(value, unit, signed, digits, zeros=True)


def setting(value: float | None, unit: str | None = None) -> str:
    """A number that a person set, with its unit and without zeros at its end: ``$5``, ``0.5 min``.

    Examples
    --------
    >>> setting(5.0, "$"), setting(0.05), setting(2.5, "min")
    ('$5', '0.05', '2.5 min')
    """
    if value is None or not unit:
        return plain(value)
    return _with_unit(value, unit, False, DIGITS, zeros=False)


def on_axis(values: Sequence[float], unit: str | None = None) -> tuple[str, ...]:
    """The ticks of one axis, evenly spaced, with as many decimals as the longest of them needs.

    Examples
    --------
    >>> on_axis([0.3, 0.32, 0.34], "$"), on_axis([-0.5, 0.0, 0.5])
    (('$0.30', '$0.32', '$0.34'), ('−0.5', '0', '0.5'))
    """
    if not values:
        return ()
    step = min((b - a for a, b in pairwise(values)), default=abs(values[0])) or 1.0
    largest = max(map(abs, values))
    if largest >= _LARGEST or step < _SMALLEST / 10:
        return tuple(setting(value, unit) for value in values)
    decimals = next(
        (d for d in range(8) if all(abs(round(v, d) - v) <= step * 1e-6 for v in values)), 8
    )
    texts = [f"{abs(value):,.{decimals if value else 0}f}" for value in values]
    return tuple(
        _joined(MINUS if value < 0 and float(text.replace(",", "")) else "", text, unit)
        for value, text in zip(values, texts, strict=True)
    )


def interval(low: float, high: float, unit: str | None = None) -> str:
    """Both ends of an interval: ``4.05 to 4.19``, ``−$0.10 to $0.30``.

    Examples
    --------
    >>> interval(4.05, 4.19), interval(-0.1, 0.3, "$")
    ('4.05 to 4.19', '−$0.100 to $0.300')
    """
    return " to ".join(apart(low, high, unit=unit))


def percent(share: float | None, *, signed: bool = False) -> str:
    """A share of one as a percentage: never ``0 %`` or ``100 %`` unless it is.

    Examples
    --------
    >>> percent(0.1234), percent(0.5), percent(0.99996), percent(0.000004), percent(None)
    ('12.3 %', '50 %', '> 99.9 %', '< 0.001 %', '–')
    """
    if share is None:
        return NOTHING
    if not math.isfinite(share):
        return f"{number(share, signed=signed)} %"
    value = Decimal(repr(float(share))) * 100
    if 0 < abs(value) < Decimal("0.001"):
        text = "0.001"
        return f"{'> ' if value < 0 else '< '}{_sign(share, text, signed)}{text} %"
    if Decimal("99.95") <= value < 100:
        return f"> {_sign(share, '99.9', signed)}99.9 %"
    text = _without_zeros(_size(float(value), DIGITS))
    return f"{_sign(share, text, signed)}{text} %"


def p_value(value: float) -> str:
    """A p-value with its name, for a sentence: ``p-value 0.03``, ``p-value < 0.001``."""
    return f"p-value {p_number(value)}"


def p_number(value: float) -> str:
    """A p-value alone, for a column under that heading.

    Two decimals from 0.1 on; three below, where a decision may hang on them.

    Examples
    --------
    >>> p_number(1.0), p_number(0.034), p_number(0.03), p_number(0.0496), p_number(0.0002)
    ('1.00', '0.034', '0.03', '0.0496', '< 0.001')
    """
    if math.isnan(value):
        return "NaN"
    if value < _LEAST_P:
        return f"< {_LEAST_P}"
    if value >= 0.995:  # never rounded up to a certainty, unless it is one
        return "1.00" if value >= 1 else "> 0.99"
    if value >= 0.0995:
        return f"{value:.2f}"
    text, decimals = f"{value:.3f}", 3
    while float(text) in _LEVELS and float(text) > value:  # never rounded up to a common level
        decimals += 1
        text = f"{value:.{decimals}f}"
    return text[:-1] if text.endswith("0") and len(text) > len("0.00") else text


def confidence(alpha: float, *, one_sided: bool = True) -> str:
    """The confidence that an error rate leaves, rounded down: no more is claimed than holds.

    Parameters
    ----------
    alpha : float
        Chance of an error, in [0, 1].
    one_sided : bool
        Say so: ``99.8 % one-sided confidence``.

    Examples
    --------
    >>> confidence(0.05), confidence(0.05, one_sided=False), confidence(0.00004)
    ('95 % one-sided confidence', '95 % confidence', '99.996 % one-sided confidence')
    """
    return f"{level(alpha)} {'one-sided ' if one_sided else ''}confidence"


def level(alpha: float) -> str:
    """The confidence level that an error rate leaves, rounded down: ``99.8 %``.

    Examples
    --------
    >>> level(1 / 580), level(0.05), level(0.0)
    ('99.8 %', '95 %', '100 %')
    """
    wrong = Decimal(repr(float(alpha))) * 100
    decimals = max(1, -wrong.adjusted()) if wrong > 0 else 0
    held = (100 - wrong).quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN)
    return f"{_without_zeros(f'{held:f}')} %"


def count(how_many: int, noun: str, plural: str | None = None) -> str:
    """A number of things with the right plural.

    Parameters
    ----------
    how_many : int
    noun : str
        In the singular; the last of several words is put into the plural.
    plural : str, optional
        Where it is not formed in a regular way.

    Examples
    --------
    >>> count(1, "span"), count(12_000, "row"), count(0, "entry"), count(2, "class")
    ('1 span', '12,000 rows', '0 entries', '2 classes')
    """
    return f"{number(how_many)} {noun if how_many == 1 else plural or _plural(noun)}"


def about(how_many: float) -> str:
    """An estimated number of things: two significant digits, rounded up, for it is no better known.

    Examples
    --------
    >>> about(1234.2), about(7.1), about(99.5)
    ('1,300', '8', '100')
    """
    return number(rounded_up(how_many))


def rounded_up(how_many: float) -> int:
    """A number to two significant digits, upwards."""
    whole = math.ceil(how_many)
    step = int(10 ** max(len(str(abs(whole))) - 2, 0))
    return -(-whole // step) * step


def duration(seconds: float) -> str:
    """A length of time in the units that suit it.

    Examples
    --------
    >>> duration(0.0123), duration(4.56), duration(125), duration(3 * 3600), duration(40 * 86400)
    ('12.3 ms', '4.56 s', '2 min 5 s', '3 h', '40 days')
    """
    if not math.isfinite(seconds) or seconds < 0:
        return f"{number(seconds)} s"
    if 0 < seconds < 0.9995:
        return f"{number(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{_without_zeros(number(float(seconds)))} s"
    if (whole := round(seconds)) < 3600:
        return _two(whole, 60, "min", "s")
    if (minutes := round(seconds / 60)) < 48 * 60:
        return _two(minutes, 60, "h", "min")
    hours = round(seconds / 3600)
    return count(hours // 24, "day") if hours >= 10 * 24 else _two(hours, 24, "day", "h")


def cpu_time(seconds: float) -> str:
    """Work of processors in CPU hours, or in CPU seconds where that is less than 36 of them.

    Examples
    --------
    >>> cpu_time(5400), cpu_time(12.3)
    ('1.5 CPU hours', '12.3 CPU s')
    """
    if seconds < 36:
        return f"{_without_zeros(number(float(seconds)))} CPU s"
    hours = _without_zeros(number(seconds / 3600))
    return f"{hours} CPU {'hour' if hours == '1' else 'hours'}"


def size(octets: float) -> str:
    """Bytes in decimal units: ``512 bytes``, ``4.4 MB``.

    Examples
    --------
    >>> size(1), size(999), size(4_400_000), size(1.5e13)
    ('1 byte', '999 bytes', '4.4 MB', '15 TB')
    """
    if octets < 999.5:
        return count(round(octets), "byte")
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if octets / factor < 999.5:
            return f"{_without_zeros(number(octets / factor))} {unit}"
    return f"{_without_zeros(number(octets / 1e12))} TB"


def moment(time: datetime, zone: tzinfo = UTC) -> str:
    """A point in time: ``2026-11-21 14:05 UTC``, or the local time with the zone's name."""
    local = time.astimezone(zone)
    name = "UTC" if zone is UTC or str(zone) == "UTC" else str(zone)
    return f"{local:%Y-%m-%d %H:%M} {name}"


def listed(names: Sequence[str], word: str = "and") -> str:
    """Names in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def sentence(text: str) -> str:
    """A text with a capital and a full stop; a text that has them is returned as it is."""
    text = text.strip()
    if not text:
        return ""
    return capital(text) + ("" if text[-1] in ".!?…" else ".")


def capital(text: str) -> str:
    """A text with a capital, as for a heading: ``Log loss``."""
    return text[:1].upper() + text[1:]


def _size(value: float, digits: int) -> str:
    """The value without its sign."""
    if isinstance(value, int):
        return f"{abs(value):,}"
    if math.isinf(value):
        return "∞"
    exact = abs(Decimal(repr(float(value))))
    if not exact:
        return "0"
    rounded = _to_digits(exact, digits)
    if rounded >= Decimal(_LARGEST) or rounded < Decimal(repr(_SMALLEST)):
        mantissa = rounded.scaleb(-rounded.adjusted())
        power = str(rounded.adjusted()).replace("-", MINUS)
        return f"{mantissa:.{digits - 1}f}e{power}"
    decimals = max(digits - 1 - rounded.adjusted(), 0)
    return f"{exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN):,f}"


def _to_digits(exact: Decimal, digits: int) -> Decimal:
    return exact.quantize(Decimal(1).scaleb(exact.adjusted() - digits + 1), ROUND_HALF_EVEN)


def _sign(value: float, text: str, signed: bool) -> str:
    if text == "0":
        return ""
    return MINUS if value < 0 else "+" if signed and value > 0 else ""


def _with_unit(value: float, unit: str, signed: bool, digits: int, *, zeros: bool) -> str:
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    text = _size(value, digits)
    text = text if zeros else _without_zeros(text)
    return _joined(_sign(value, text, signed), text, unit)


def _joined(sign: str, text: str, unit: str | None) -> str:
    if unit and unicodedata.category(unit[0]) == "Sc":
        return f"{sign}{unit}{text}"
    return f"{sign}{text} {unit}" if unit else f"{sign}{text}"


def _without_zeros(text: str) -> str:
    mantissa, mark, power = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}{mark}{power}"


def _two(total: int, larger: int, name: str, smaller: str) -> str:
    many, few = divmod(total, larger)
    head = count(many, name) if name == "day" else f"{many} {name}"
    return f"{head} {few} {smaller}" if few else head


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
