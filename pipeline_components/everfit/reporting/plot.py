"""Axes, ticks, curves and legends within a drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from everfit.contracts import wording
from everfit.reporting.svg import FONT_SIZE, Drawing, clipped, fixed, text_width

NARROW = 340.0
"""Width of a drawing that fits a phone, or half of a page, at its natural size."""

WIDE = 860.0
"""Width of a drawing that fills a page."""

LINE_HEIGHT = 17.0


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Between three and so many round numbers from ``low`` to ``high``, both finite, low < high."""
    raw = (high - low) / (most - 2)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12 - math.floor(math.log10(step))) for k in range(first, last + 1)]


def room_around(values: Sequence[float], share: float = 0.08) -> tuple[float, float]:
    """The least and the greatest value, with some room on both sides; never one and the same."""
    low, high = min(values), max(values)
    room = (high - low) * share or max(abs(high) * 0.1, 1e-9)
    return low - room, high + room


@dataclass(frozen=True)
class Plot:
    """A field of a drawing where values have their places.

    Attributes
    ----------
    x, y : tuple of float
        The values at its left and right, and at its bottom and top.
    left, top, right, bottom : float
        Its edges in the drawing.
    """

    drawing: Drawing
    x: tuple[float, float]
    y: tuple[float, float]
    left: float
    top: float
    right: float
    bottom: float

    def at_x(self, value: float) -> float:
        """The place of a value across."""
        share = (value - self.x[0]) / (self.x[1] - self.x[0])
        return self.left + share * (self.right - self.left)

    def at_y(self, value: float) -> float:
        """The place of a value upwards."""
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return self.bottom - share * (self.bottom - self.top)

    def scale_y(self, unit: str | None = None, *, percent: bool = False, most: int = 6) -> None:
        """Lines across with their values at the left."""
        values = ticks(*self.y, most)
        for value, text in zip(values, _texts(values, unit, percent), strict=True):
            place = self.at_y(value)
            self.drawing.line(self.left, place, self.right, place, "var(--line)")
            self.drawing.text(self.left - 7, place + 4, text, "end", faint=True)

    def scale_x(self, unit: str | None = None, *, percent: bool = False, most: int = 5) -> None:
        """Short lines at the bottom with their values, as many as have room."""
        values = ticks(*self.x, most)
        texts = _texts(values, unit, percent)
        ends: list[float] = []
        for value, text in zip(values, texts, strict=True):
            place, half = self.at_x(value), text_width(text) / 2
            begin = min(max(place - half, 0), self.drawing.width - 2 * half)
            if ends and begin < ends[-1] + 6:
                continue
            ends.append(begin + 2 * half)
            self.drawing.line(place, self.bottom, place, self.bottom + 4, "var(--soft)")
            self.drawing.text(begin + half, self.bottom + 17, text, "middle", faint=True)

    def floor(self) -> None:
        """The line at the bottom."""
        self.drawing.line(self.left, self.bottom, self.right, self.bottom, "var(--line)")

    def name_x(self, text: str) -> None:
        """Say below the scale what goes across."""
        self.drawing.text(
            (self.left + self.right) / 2,
            self.bottom + 36,
            clipped(text, self.drawing.width),
            "middle",
            faint=True,
        )

    def name_y(self, text: str) -> None:
        """Say above the field what goes upwards."""
        self.drawing.text(0, self.top - 10, clipped(text, self.drawing.width), faint=True)

    def curve(
        self,
        points: Sequence[tuple[float, float]],
        stroke: str,
        *,
        dash: str | None = None,
        width: float = 1.8,
    ) -> None:
        """A line through points."""
        if points:
            self.drawing.add(
                "path",
                d=path((self.at_x(x), self.at_y(y)) for x, y in points),
                fill="none",
                stroke=stroke,
                stroke_width=width,
                stroke_dasharray=dash,
                stroke_linejoin="round",
            )

    def dot(self, x: float, y: float, fill: str, tip: str | None = None, r: float = 3.6) -> None:
        """A point that may say something."""
        at_x, at_y = self.at_x(x), self.at_y(y)
        self.drawing.add("circle", cx=at_x, cy=at_y, r=r, fill=fill)
        if tip:
            self.drawing.hit(at_x - 9, at_y - 9, 18, 18, tip)


def path(points: Iterable[tuple[float, float]]) -> str:
    """Points as the data of an SVG path."""
    places = list(points)
    return "".join(
        f"{'L' if index else 'M'}{fixed(x)} {fixed(y)}" for index, (x, y) in enumerate(places)
    )


def legend(
    drawing: Drawing, top: float, entries: Sequence[tuple[str, str]], left: float = 0.0
) -> float:
    """Swatches with words, in as many lines as they take; the y below them.

    Parameters
    ----------
    entries : sequence of (colour, word)
    """
    x, y = left, top
    for colour, said in entries:
        word = clipped(said, drawing.width - left - 22)
        width = 18 + text_width(word) + 16
        if x > left and x + width - 16 > drawing.width:
            x, y = left, y + LINE_HEIGHT
        drawing.add("rect", x=x, y=y - 9, width=12, height=10, rx=2, fill=colour)
        drawing.text(x + 18, y, word)
        x += width
    return y + LINE_HEIGHT


def title(drawing: Drawing, text: str) -> None:
    """What the drawing shows, in its first line."""
    drawing.text(0, FONT_SIZE, clipped(text, drawing.width), strong=True)


def _texts(values: Sequence[float], unit: str | None, percent: bool) -> tuple[str, ...]:
    if percent:
        return wording.on_axis([100 * value for value in values], "%")
    return wording.on_axis(values, unit)
