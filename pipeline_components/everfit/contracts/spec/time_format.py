"""How the texts of a column say a time: a strptime pattern as a regular expression with names.

The language of the machine plays no part: names of months and days are English, as in most files.
"""

from __future__ import annotations

import re

EPOCHS: dict[str, int] = {
    "epoch_s": 1_000_000,
    "epoch_ms": 1_000,
    "epoch_us": 1,
}
"""Format → microseconds in one of its units, since 1970-01-01 UTC."""

YYYYMMDD = "yyyymmdd"

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    r"Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
ZONE = r"Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2}"

_PIECES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "e": r" ?(?P<d>\d{1,2})",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "b": rf"(?P<b>{_MONTH})",
    "B": rf"(?P<b>{_MONTH})",
    "a": _DAY,
    "A": _DAY,
    "z": rf"(?P<z>{ZONE})",
    "%": "%",
}
"""Directive → its expression."""

_SHORT = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}

_CLOCK = (
    r"(?:[ T,]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    rf"(?: ?(?P<p>[AaPp]\.?[Mm]\.?))?(?: ?(?P<z>{ZONE}))?)?"
)

FAMILIES: dict[str, str] = {
    "year-month-day": r"(?P<Y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})" + _CLOCK,
    "day.month.year": r"(?P<d>\d{1,2})[.](?P<m>\d{1,2})[.](?P<Y>\d{4})" + _CLOCK,
    "day/month/year": r"(?P<d>\d{1,2})[-/](?P<m>\d{1,2})[-/](?P<Y>\d{4})" + _CLOCK,
    "month/day/year": r"(?P<m>\d{1,2})[-/](?P<d>\d{1,2})[-/](?P<Y>\d{4})" + _CLOCK,
    "day month-name year": rf"(?:{_DAY},? )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[ -]"
    rf"(?P<b>{_MONTH})[.,]?[ -](?P<Y>\d{{4}})" + _CLOCK,
    "month-name day year": rf"(?:{_DAY},? )?(?P<b>{_MONTH})\.? "
    r"(?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<Y>\d{4})" + _CLOCK,
    "basic ISO 8601": r"(?P<Y>\d{4})(?P<m>\d{2})(?P<d>\d{2})T(?P<H>\d{2})(?P<M>\d{2})"
    rf"(?:(?P<S>\d{{2}})(?:[.,](?P<f>\d{{1,9}}))?)?(?P<z>{ZONE})?",
}
"""Name → expression of the forms that are found without being named."""

DAY_FIRST, MONTH_FIRST = "day/month/year", "month/day/year"

TWO_DIGIT_YEAR = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?:[ T].*)?"
"""Texts that look like dates and cannot be read without being told."""


def time_expression(form: str) -> str:
    r"""The regular expression of a strptime pattern, of a text from its first to its last mark.

    Parameters
    ----------
    form : str
        Such as ``%d.%m.%Y %H:%M``, or one of ``FAMILIES``.

    Returns
    -------
    str
        With groups named Y, y, m, b, d, H, I, M, S, f, p and z, each at most once.

    Raises
    ------
    ValueError
        If a directive is unknown or stands there twice, or it names no day.

    Examples
    --------
    >>> time_expression("%d.%m.%Y")
    '(?P<d>\\d{1,2})\\.(?P<m>\\d{1,2})\\.(?P<Y>\\d{4})'
    """
    if form in FAMILIES:
        return FAMILIES[form]
    for short, long in _SHORT.items():
        form = form.replace(f"%{short}", long)
    pieces: list[str] = []
    place = 0
    while place < len(form):
        mark = form[place]
        if mark == "%":
            place += 1
            directive = form[place : place + 1]
            if directive not in _PIECES:
                raise ValueError(
                    f"%{directive} is no directive that is read; known: "
                    f"{' '.join('%' + name for name in _PIECES if name != '%')}"
                )
            piece = _PIECES[directive]
            group = re.search(r"\?P<(\w)>", piece)
            if group and any(group.group(0) in other for other in pieces):
                raise ValueError(f"%{directive} stands there twice")
            pieces.append(piece)
        else:
            pieces.append(r"\s+" if mark.isspace() else re.escape(mark))
        place += 1
    named = set(re.findall(r"\?P<(\w)>", "".join(pieces)))
    if not ({"Y", "y"} & named and {"m", "b"} & named and "d" in named):
        raise ValueError("a format names a year, a month and a day, such as %d.%m.%Y")
    return "".join(pieces)


def known_format(form: str) -> str:
    """The format itself, if it can be read by.

    Raises
    ------
    ValueError
        If it is neither a pattern nor one of the words.
    """
    if form in EPOCHS or form == YYYYMMDD:
        return form
    if "%" not in form:
        raise ValueError(
            f"{form!r} is no format: write a strptime pattern such as %d.%m.%Y %H:%M, or "
            f"{', '.join(EPOCHS)} or {YYYYMMDD}"
        )
    time_expression(form)
    return form
