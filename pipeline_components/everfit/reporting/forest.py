"""Intervals below each other on one scale: models, slices, whatever is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from everfit.contracts import wording
from everfit.reporting.plot import NARROW, Plot, room_around
from everfit.reporting.svg import Drawing, clipped, fixed, text_width

_NAMES, _VALUES = 210.0, 190.0
"""Most of the width that names at the left and values at the right take where there is room."""


@dataclass(frozen=True)
class Row:
    """One interval.

    Attributes
    ----------
    name : str
    value, low, high : float
    colour : str
        As CSS says it.
    limit : float, optional
        Where a tick stands on the scale, such as what is allowed.
    """

    name: str
    value: float
    low: float
    high: float
    colour: str = "var(--accent)"
    limit: float | None = None
    tip: str = ""


def forest(
    rows: Sequence[Row],
    label: str,
    *,
    unit: str | None = None,
    width: float = NARROW,
    zero: str | None = None,
    below: str = "",
    heading: str | None = None,
) -> Drawing:
    """Draw the intervals.

    Parameters
    ----------
    rows : sequence of Row
        At least one, all finite.
    label : str
        What a screen reader says.
    unit : str, optional
        Of the values.
    width : float
        ``NARROW``: names and values stand above each bar; wider: beside it.
    zero : str, optional
        Draw a line at zero, and say in a word what it means.
    below : str
        What the scale measures.
    heading : str, optional
        The drawing's first line.

    Notes
    -----
    What lies far off the others is not drawn to scale, for it would leave nothing to see of them:
    an arrow points to it, and its value is told.
    """
    wide = width > NARROW
    low, high = _domain(rows, zero is not None)
    top, step = (30.0 if heading else 8.0), (24.0 if wide else 38.0)
    names = min(max(text_width(row.name) for row in rows) + 14, _NAMES)
    left, right = (names, width - _VALUES) if wide else (6.0, width - 6)
    bottom = top + step * len(rows) + 6
    made = Drawing(width, bottom + (44 if below else 24), label)
    if heading:
        made.text(0, 12, clipped(heading, width), strong=True)
    plot = Plot(made, (low, high), (0, 1), left, top, right, bottom)
    for place, row in enumerate(rows):
        begin = top + step * place
        if zero is not None:  # never across a name
            first = begin if wide else begin + 19
            made.line(plot.at_x(0), first, plot.at_x(0), begin + step, "var(--soft)")
        _draw(plot, row, begin, step, wide, unit)
    plot.floor()
    plot.scale_x(unit)
    if below or zero:
        plot.name_x(below if zero is None else f"{below} (0: {zero})" if below else zero)
    return made


def _draw(plot: Plot, row: Row, top: float, step: float, wide: bool, unit: str | None) -> None:
    made = plot.drawing
    y = top + (step / 2 if wide else step - 11)
    said = f"{wording.amount(row.value, unit)} ({wording.interval(row.low, row.high, unit)})"
    if wide:
        made.text(0, y + 4, clipped(row.name, plot.left - 14))
        made.text(made.width, y + 4, _fitting(row, unit, _VALUES - 14), "end", faint=True)
    else:
        shown = _fitting(row, unit, made.width * 0.7)
        made.text(0, top + 14, clipped(row.name, made.width - text_width(shown) - 10))
        made.text(made.width, top + 14, shown, "end", faint=True)
    begin, end = (min(max(value, plot.x[0]), plot.x[1]) for value in (row.low, row.high))
    x0, x1 = plot.at_x(begin), plot.at_x(end)
    if row.value > plot.x[1] or row.value < plot.x[0]:  # off the scale: an arrow
        way = 1 if row.value > plot.x[1] else -1
        x = plot.right if way > 0 else plot.left
        made.add(
            "path",
            d=f"M{fixed(x - way * 16)} {fixed(y)}H{fixed(x)}m{fixed(-way * 6)} -5l{fixed(way * 6)} "
            f"5l{fixed(-way * 6)} 5",
            fill="none",
            stroke=row.colour,
            stroke_width=2,
        )
    else:
        made.line(x0, y, x1, y, row.colour, stroke_width=5, stroke_linecap="round", opacity="0.4")
        made.add("circle", cx=plot.at_x(row.value), cy=y, r=4.5, fill=row.colour)
    if row.limit is not None and plot.x[0] <= row.limit <= plot.x[1]:
        x = plot.at_x(row.limit)
        made.line(x, y - 8, x, y + 8, "var(--bad)", stroke_width=2)
    made.hit(plot.left, y - 9, plot.right - plot.left, 18, row.tip or f"{row.name}: {said}")


def _fitting(row: Row, unit: str | None, room: float) -> str:
    """Value and interval as fully as there is room for; never cut within a number.

    The unit goes first, which the tip still tells, then the interval, which is drawn.
    """
    value, ends = wording.amount(row.value, unit), wording.interval(row.low, row.high)
    told = (
        f"{value} ({wording.interval(row.low, row.high, unit)})",
        f"{value} ({ends})",
        f"{wording.number(row.value)} ({ends})",
        value,
    )
    return next((text for text in told if text_width(text) <= room), wording.number(row.value))


def _domain(rows: Sequence[Row], zero: bool) -> tuple[float, float]:
    """The scale: of all rows, but for those that lie far off the first one."""
    first = rows[0]
    ends = [first.low, first.high, *([0.0] if zero else [])]
    ends += [first.limit] if first.limit is not None else []
    for row in sorted(rows[1:], key=lambda row: abs(row.value - first.value)):
        span = max(ends) - min(ends)
        reach = max(row.high, *ends) - min(row.low, *ends)
        if span > 0 and reach > 12 * span:
            continue
        ends += [row.low, row.high]
        ends += [row.limit] if row.limit is not None else []
    return room_around(ends, 0.05)
