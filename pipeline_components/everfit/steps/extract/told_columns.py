"""What a person is told of a column of texts, and the setting that changes how it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from everfit.contracts.messages.readings import ColumnReading
from everfit.contracts.spec.table_schema import ColumnType
from everfit.contracts.spec.time_format import DAY_FIRST, FAMILIES, TWO_DIGIT_YEAR
from everfit.contracts.visible import visible
from everfit.contracts.wording import count, percent
from everfit.data.tables.read_numbers import NumberStyle

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?)?(Z|[+-].*)?$")
_CURRENCIES = ("$", "€", "£", "¥", "₹", "%", "USD", "EUR", "GBP", "CHF", "kr")
_MOST = 0.5


@dataclass(frozen=True)
class Told:
    """The facts of one column."""

    column: str
    type: ColumnType
    values: int
    blank: int
    examples: tuple[str, ...]
    """Odd texts."""
    texts: tuple[str, ...]
    """Some of all texts."""
    counts: Mapping[str, int]
    """Candidate type → values that are of it."""
    style: NumberStyle
    wished: ColumnType | None = None
    given_form: str | None = None
    odd: int = 0
    form: str | None = None
    ambiguous: bool = False
    zeros: int = 0
    zero_example: str = ""
    beyond: int = 0
    mixed: int = 0
    extra: dict[str, str] = field(default_factory=dict)


def told_of(told: Told) -> ColumnReading | None:
    """The reading to tell, or None where there is nothing to it."""
    if told.type == "string":
        return _of_text(told)
    if told.odd:
        return _unreadable(told)
    if told.type == "timestamp" and told.form in FAMILIES and not told.given_form:
        strange = [text for text in told.texts if not _ISO.match(text)]
        if strange:
            return _reading(
                told,
                "read_as",
                f"read as times, {told.form}, such as {visible(strange[0])}",
                f"source.times: {{{told.column}: FORMAT}} reads them otherwise",
            )
    return None


def _unreadable(told: Told) -> ColumnReading:
    shown = ", ".join(visible(text) for text in _with_blank(told))
    message = f"{told.odd:,} of {count(told.values, 'value')} {_not_of(told)} as missing: {shown}"
    return _reading(told, "unreadable", message, _mend(told))


def _with_blank(told: Told) -> list[str]:
    shown = list(told.examples)
    if told.blank and not any(not text.strip() for text in shown):
        shown = [*shown[:4], " "]
    return shown


def _not_of(told: Told) -> str:
    """``is not a number and counts``, or the same of several."""
    by = f" by {told.given_form}" if told.given_form else ""
    one, many = {
        "timestamp": (f"not a time{by}", f"not times{by}"),
        "boolean": ("neither true nor false", "neither true nor false"),
    }.get(told.type, ("not a number", "not numbers"))
    return f"is {one} and counts" if told.odd == 1 else f"are {many} and count"


def _mend(told: Told) -> str:
    """What reads the odd cells, by what they are."""
    odd = [text for text in told.examples if text.strip()]
    if told.type in ("integer", "float"):
        if style := next(_styles(odd, told.style), None):
            return f"{_setting(style, told.style)} reads them as numbers"
        if odd and all(not re.search(r"\d", text) for text in odd):
            names = ", ".join(repr(text.strip()) for text in odd)
            return (
                f"If that means missing, add {names} to source.csv.null_values; if the column is "
                f"text, say source.types: {{{told.column}: string}}"
            )
    if told.type == "timestamp":
        return f"source.times: {{{told.column}: FORMAT}} names the format"
    return (
        "Correct them at the source; if the column is text, say "
        f"source.types: {{{told.column}: string}}"
    )


def _of_text(told: Told) -> ColumnReading | None:
    if told.wished == "string":
        return None
    if told.zeros:
        return _reading(
            told,
            "exact",
            f"digits with leading zeros, such as {visible(told.zero_example)}: kept as text",
            f"source.types: {{{told.column}: integer}} reads them as numbers",
            odd=told.zeros,
        )
    if told.beyond:
        return _reading(
            told,
            "exact",
            f"{count(told.beyond, 'whole number')} beyond 64 bits: kept as text, digit for digit",
            f"source.types: {{{told.column}: float}} reads them as numbers, rounded",
            odd=told.beyond,
        )
    if told.ambiguous:
        return _reading(
            told,
            "looks_like",
            f"dates such as {visible(told.texts[0])} may be day/month or month/day: kept as text",
            f"Say which: source.times: {{{told.column}: '{_form_like(told.texts[0], True)}'}} or "
            f"'{_form_like(told.texts[0], False)}'",
            odd=told.counts[DAY_FIRST],
        )
    if told.mixed:
        return _reading(
            told,
            "looks_like",
            f"{told.mixed:,} of {count(told.values, 'time')} name a zone and the others do not, "
            f"such as {visible(told.texts[0])}: kept as text",
            "Name the zone of those without one in source.timezone, such as Europe/Berlin",
            odd=told.mixed,
        )
    if told.given_form:
        first = next(iter(told.texts), "")
        return _reading(
            told,
            "looks_like",
            f"no value is a time by {told.given_form}: they are like {visible(first)}: kept as "
            "text",
            f"Correct source.times: {{{told.column}: …}}",
            odd=told.values,
        )
    return _looks_like(told)


def _looks_like(told: Told) -> ColumnReading | None:
    """A column of texts of which most are numbers or times in a form that was not named."""
    texts = [text for text in told.texts if text.strip()]
    if not texts or not told.values:
        return None
    present = max(told.values - told.blank, 1)
    best = max(told.counts, key=lambda name: told.counts[name], default="")
    most = told.counts.get(best, 0)
    if best != "boolean" and most >= _MOST * present:
        what = "numbers" if best == "number" else "times"
        odd = ", ".join(visible(text) for text in told.examples) if best == "number" else ""
        return _reading(
            told,
            "looks_like",
            f"{percent(most / present)} of the values are {what}, the others are not"
            f"{f' ({odd})' if odd else ''}: kept as text",
            f"If the column is {what}, say source.types: {{{told.column}: "
            f"{'float' if best == 'number' else 'timestamp'}}}, or correct the others; if it is "
            f"text, source.types: {{{told.column}: string}}",
            odd=most,
        )
    if style := next(_styles(texts, told.style), None):
        return _reading(
            told,
            "looks_like",
            f"values such as {visible(texts[0])} look like numbers: kept as text",
            f"{_setting(style, told.style)} reads them as numbers",
            odd=told.values,
        )
    dated = [text for text in texts if re.fullmatch(TWO_DIGIT_YEAR, text)]
    if len(dated) >= 0.9 * len(texts):
        return _reading(
            told,
            "looks_like",
            f"values such as {visible(dated[0])} look like dates: kept as text",
            f"source.times: {{{told.column}: '%d.%m.%y'}}, say, names the format",
            odd=told.values,
        )
    return None


def _styles(texts: list[str], now: NumberStyle) -> Iterator[NumberStyle]:
    """Ways to write numbers by which nearly all of some texts are numbers."""
    if not texts:
        return
    import pyarrow as pa

    array = pa.array([text.strip() for text in texts], pa.string())
    marks = [mark for mark in _CURRENCIES if any(mark in text for text in texts)]
    for currency in (now.currency, *marks):
        for decimal, thousands in (
            (now.decimal, now.thousands),
            *((".", ","),) * any(re.search(r",\d{3}\b", text) for text in texts),
            (",", None),
            (",", "."),
            (".", " "),
            (",", " "),
            (".", "'"),
        ):
            style = NumberStyle(decimal, thousands, currency)
            if style != now and style.plainly(array).null_count <= 0.1 * len(texts):
                yield style


def _setting(style: NumberStyle, now: NumberStyle) -> str:
    said = [
        f"{name}: '{value}'"
        for name, value, before in (
            ("decimal", style.decimal, now.decimal),
            ("thousands", style.thousands, now.thousands),
            ("currency", style.currency, now.currency),
        )
        if value != before and value
    ]
    return f"source.csv: {{{', '.join(said)}}}"


def _form_like(text: str, day_first: bool) -> str:
    """A strptime pattern for a text like ``01/02/2024 10:15``."""
    mark = "-" if "-" in text.split(maxsplit=1)[0] else "/"
    date = mark.join(("%d", "%m", "%Y") if day_first else ("%m", "%d", "%Y"))
    clock = re.search(r"([ T,]+)\d{1,2}:\d{2}(:\d{2})?(\.\d+)?( ?[AaPp][Mm])?", text)
    if not clock:
        return date
    hour = "%I" if clock.group(4) else "%H"
    parts = f"{hour}:%M{':%S' if clock.group(2) else ''}{'.%f' if clock.group(3) else ''}"
    return f"{date}{clock.group(1)}{parts}{' %p' if clock.group(4) else ''}"


def _reading(
    told: Told, kind: str, message: str, todo: str, odd: int | None = None
) -> ColumnReading:
    return ColumnReading.model_validate(
        {
            "column": told.column,
            "kind": kind,
            "type": told.type,
            "values": told.values,
            "odd": told.odd if odd is None else odd,
            "blank": told.blank if odd is None else 0,
            "message": message,
            "todo": todo,
        }
    )
