"""How a CSV is written: what the spec leaves open is found in its first megabyte, and told.

Nothing is guessed where two answers are likely: a first line that looks like data, or columns whose
names do not fit, are refused by name, with the setting that says what is right.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.source import CsvOptions
from everfit.contracts.wording import count
from everfit.data.sources.refused import SpanRefused
from everfit.steps.extract.inspect_bytes import Looked, encoding_of

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
"""What may divide fields without being named in the spec."""

_SAMPLE = 2_000
_MOST_TITLES = 50
_SEP = re.compile(r'^"?sep=(.)"?\r?\n?$')
_INTEGER = re.compile(r"[+-]?\d+$")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?$")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+$")

Row = tuple[int, list[str]]
"""How many lines end with it, and its fields."""


@dataclass(frozen=True)
class Dialect:
    """How one file is written.

    Attributes
    ----------
    encoding, delimiter, quote : str
        An empty quote: nothing is quoted.
    skip : int
        Lines before the first row that is data.
    names : tuple of str
        Of every field of a row, each unique; what stands for a nameless one is in ``nameless``.
    nameless : dict
        Stand-in → why it has no name of its own, as a refusal says it.
    blank : tuple of str
        Stand-ins of columns that must hold nothing at all: what trailing delimiters leave.
    index : str, optional
        Stand-in of a nameless first column of running numbers or other distinct values.
    notes : tuple of str
        What was found, a phrase each.
    """

    encoding: str
    delimiter: str
    quote: str
    skip: int
    names: tuple[str, ...]
    nameless: dict[str, str] = field(default_factory=dict)
    blank: tuple[str, ...] = ()
    index: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that have a name of their own."""
        return [name for name in self.names if name not in self.nameless]


def find_dialect(looked: Looked, ref: SpanRef, options: CsvOptions) -> Dialect:
    """How a file is written, by the spec and by its first megabyte.

    Raises
    ------
    SpanRefused
        ``SPAN-HEADER`` where the first line cannot name the columns; ``SPAN-ENCODING``.
    """
    encoding, notes = encoding_of(looked, ref, options)
    text = _decoded(looked, encoding)
    skip = options.skip_rows or 0
    for _ in range(skip):
        text = text[_line_end(text) :]
    delimiter = options.delimiter
    if (sep := _SEP.match(text[: _line_end(text)])) is not None:
        skip, text = skip + 1, text[_line_end(text) :]
        notes.append(f"its first line says sep={sep.group(1)}")
        delimiter = delimiter or sep.group(1)
    if delimiter is None:
        delimiter = _delimiter(text, options.quote)
        if delimiter != ",":
            notes.append(f"fields end at a {DELIMITERS[delimiter]}")
    rows = _rows(text, delimiter, options.quote)
    if options.names is not None:
        return _with_names(
            ref, options, Dialect(encoding, delimiter, options.quote, skip, ()), rows, notes
        )
    first = _titles(rows) if options.skip_rows is None else 0
    if first:
        notes.append(
            f"{count(first, 'line')} above the header {'is' if first == 1 else 'are'} left out"
        )
    return _with_header(
        ref, Dialect(encoding, delimiter, options.quote, skip, ()), rows[first:], notes
    )


def _with_names(
    ref: SpanRef, options: CsvOptions, so_far: Dialect, rows: list[Row], notes: list[str]
) -> Dialect:
    names = tuple(options.names or ())
    skip = so_far.skip
    if options.skip_rows is None and len(rows) > 1 and _is_header(rows, names):
        skip += rows[0][0]
        notes.append("its header is replaced by csv.names")
        rows = rows[1:]
    width = _width(rows)
    if width == len(names) + 1 and all(not row[-1].strip() for _, row in rows if len(row) == width):
        return Dialect(
            so_far.encoding,
            so_far.delimiter,
            so_far.quote,
            skip,
            (*names, _stand_in(names)),
            {_stand_in(names): "it has no name"},
            (_stand_in(names),),
            None,
            tuple(notes),
        )
    if width and width != len(names):
        raise _header(
            ref,
            f"csv.names has {count(len(names), 'name')} and a row {count(width, 'field')}",
            "Name every column, in order",
        )
    return Dialect(so_far.encoding, so_far.delimiter, so_far.quote, skip, names, notes=tuple(notes))


def _with_header(ref: SpanRef, so_far: Dialect, rows: list[Row], notes: list[str]) -> Dialect:
    if not rows:
        raise _header(ref, "there is none", "Write the file again, with a header")
    lines, header = rows[0]
    body = rows[1:]
    width = _width(body) or len(header)
    if len(header) > width and not any(name.strip() for name in header[width:]):
        header = header[:width]  # trailing delimiters that only the header has
    if _looks_like_data(header, body):
        shown = so_far.delimiter.join(header)[:60]
        raise _header(
            ref,
            f"it looks like data: {shown!r}",
            f"Set source.csv.names to the names of its {count(len(header), 'column')}, or "
            "source.csv.skip_rows where lines stand above the header",
        )
    if len(header) == 1 and so_far.delimiter not in header[0]:
        other = next((mark for mark in ";\t|," if mark in header[0]), None)
        if other and width == 1:
            raise _header(
                ref,
                f"there is one column named {header[0][:60]!r}",
                f"Set source.csv.delimiter to {other!r}",
            )
    names: list[str] = []
    nameless: dict[str, str] = {}
    times = Counter(header)
    repeated = {name for name in header if times[name] > 1 and name.strip()}
    taken = set(header)
    for number, name in enumerate(header, 1):
        if name.strip() and name not in repeated:
            names.append(name)
            continue
        names.append(_stand_in(taken, len(nameless)))
        taken.add(names[-1])
        nameless[names[-1]] = (
            f"{name!r} is there {_times(times[name])}"
            if name.strip()
            else f"column {number} of {len(header)} has none"
        )
    if len(header) == width - 1 and _blank(body, width - 1, width):
        names.append(_stand_in(taken, len(nameless)))
        nameless[names[-1]] = f"column {width} of {width} has none"
    blank = tuple(
        name
        for number, name in enumerate(names)
        if name in nameless
        and (number >= len(header) or not header[number].strip())
        and number
        and _blank(body, number, len(names))
    )
    index = names[0] if not header[0].strip() and _distinct(body, len(names)) else None
    if index is not None and len(names) > 1:
        notes.append("its first column has no name and numbers the rows: it is left out")
    else:
        index = None
    return Dialect(
        so_far.encoding,
        so_far.delimiter,
        so_far.quote,
        so_far.skip + lines,
        tuple(names),
        nameless,
        blank,
        index,
        tuple(notes),
    )


def _decoded(looked: Looked, encoding: str) -> str:
    text = looked.head.decode(encoding, "replace").removeprefix("\ufeff")
    if len(looked.head) >= looked.text_size:
        return text
    cut = max(text.rfind("\n"), text.rfind("\r"))  # the last line may be cut off
    return text[: cut + 1] if cut >= 0 else text


def _line_end(text: str) -> int:
    match = re.search(r"\r\n|\n|\r", text)
    return match.end() if match else len(text)


def _rows(text: str, delimiter: str, quote: str) -> list[Row]:
    """The first rows, each with the number of lines up to its end; no blank lines."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    rows: list[Row] = []
    try:
        for row in reader:
            if row:
                rows.append((reader.line_num, row))
            if len(rows) >= _SAMPLE:
                break
    except csv.Error:  # a field that never ends, a NUL: what reads the file says so
        pass
    return rows


def _delimiter(text: str, quote: str) -> str:
    """The mark that divides most rows into the same number of fields."""
    best, chosen = (False, 0.0, False, 1), ","
    for mark in DELIMITERS:
        rows = _rows(text, mark, quote)[:200]
        width = _width(rows)
        if width < 2:
            continue
        share = sum(len(row) == width for _, row in rows) / len(rows)
        decimals = [cell for _, row in rows for cell in row if "," in cell]
        commas = mark != "," and bool(decimals) and all(map(_DECIMAL_COMMA.match, decimals))
        score = (len(rows[0][1]) == width, share, commas, width)
        if share >= 0.5 and score > best:
            best, chosen = score, mark
    return chosen


def _width(rows: Sequence[Row]) -> int:
    """How many fields most rows have; 0 without rows."""
    counted = Counter(len(row) for _, row in rows)
    return max(counted, key=lambda width: (counted[width], width), default=0)


def _titles(rows: list[Row]) -> int:
    """How many rows at the top are titles and no header: one text where others have several."""
    width = _width(rows)
    number = 0
    while number < min(len(rows) - 1, _MOST_TITLES) and _is_title(rows[number][1], width):
        number += 1
    below = rows[number][1] if number < len(rows) else []
    whole = len(below) == width and not any(_NUMBER.match(cell.strip()) for cell in below)
    return number if number and whole else 0


def _is_title(row: list[str], width: int) -> bool:
    filled = sum(bool(cell.strip()) for cell in row)
    return width > 1 and filled <= 1 and (len(row) == 1 or (len(row) == width and width > 3))


def _is_header(rows: list[Row], names: Sequence[str]) -> bool:
    """Whether the first row names what ``names`` names anew: the same words, or above numbers."""
    first, body = rows[0][1], rows[1:]
    if [cell.strip().lower() for cell in first] == [name.lower() for name in names]:
        return True
    if any(not cell.strip() or _NUMBER.match(cell.strip()) for cell in first):
        return False
    return any(
        all(_NUMBER.match(row[place].strip()) for _, row in body if len(row) > place and row[place])
        and any(len(row) > place and row[place] for _, row in body)
        for place in range(len(first))
    )


def _looks_like_data(header: list[str], body: Sequence[Row]) -> bool:
    cells = [cell.strip() for cell in header]
    numbers = [cell for cell in cells if _NUMBER.match(cell)]
    integers = [cell for cell in numbers if _INTEGER.match(cell)]
    if len(integers) < len(numbers) or any(cell.startswith("-") for cell in integers):
        return True
    values = [int(cell) for cell in integers]
    named = all(1900 <= value <= 2100 for value in values) or (
        len(values) > 1 and values == list(range(values[0], values[0] + len(values)))
    )
    if values and (len(set(values)) < len(values) or not (named or len(values) == 1)):
        return True
    whole = set(integers)
    texts = [(place, cell) for place, cell in enumerate(cells) if cell and cell not in whole]
    others = [row for _, row in body if row != header]
    again = sum(
        any(len(row) > at and row[at].strip() == cell for row in others) for at, cell in texts
    )
    return bool(texts) and again * 2 >= len(texts)


def _blank(rows: Sequence[Row], place: int, width: int) -> bool:
    cells = [row[place] for _, row in rows if len(row) == width]
    return not any(cell.strip() for cell in cells)


def _distinct(rows: Sequence[Row], width: int) -> bool:
    cells = [row[0] for _, row in rows if len(row) == width]
    return len(set(cells)) == len(cells) and all(cell.strip() for cell in cells)


def _stand_in(taken: Collection[str], given: int = 0) -> str:
    """A name that is not taken; ``given``: how many were given before."""
    number = 1 + given
    while f"unnamed {number}" in taken:
        number += 1
    return f"unnamed {number}"


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def _header(ref: SpanRef, found: str, todo: str) -> SpanRefused:
    return SpanRefused("SPAN-HEADER", ref, "the first line must name every column", found, todo)


def check_names(dialect: Dialect, ref: SpanRef, wanted: Sequence[str] | None) -> None:
    """Refuse columns without a name of their own, save where the spec leaves them unread.

    Parameters
    ----------
    wanted : sequence of str, optional
        The columns that are read; None: all.

    Raises
    ------
    SpanRefused
        ``SPAN-HEADER``.
    """
    for name, why in dialect.nameless.items():
        twice = re.match(r"'(.*)' is there", why)
        if wanted is not None and not (twice and twice.group(1) in wanted):
            continue
        if name in dialect.blank or name == dialect.index:
            continue
        raise _header(
            ref,
            why,
            "Give each column a name of its own, set source.csv.names, or list the columns to read "
            f"in source.columns ({shortlist(dialect.columns)})",
        )
    if not dialect.columns:
        raise _header(ref, "none of its fields is a name", "Set source.csv.names")
