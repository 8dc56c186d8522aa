"""Small pictures of a column, one per span, drawn as plain SVG paths in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from everfit.contracts.messages.statistics import QUANTILES, ColumnStatistics
from everfit.ml.profiles.bins import equal_width
from everfit.reporting.svg import element, fixed, pointed
from everfit.reporting.templating import visible

BARS = 20
_TEXTS = 9
_WIDTH, _HEIGHT = 60, 26


class Axis(NamedTuple):
    """What the bars of one column stand for, the same in every span."""

    low: float
    high: float
    texts: tuple[str, ...] | None


def common_axis(columns: Sequence[ColumnStatistics]) -> Axis | None:
    """An axis for a column over several spans, or None where there is nothing to draw.

    Numbers: from the lowest 1 % quantile to the highest 99 % quantile among the spans given; the
    outer bars hold what lies beyond. Texts: the most frequent ones, then all the others.
    """
    texts: dict[str, int] = {}
    for column in columns:
        for text, count in column.categories or ():
            texts[text] = texts.get(text, 0) + count
    if texts:
        ranked = sorted(texts.items(), key=lambda item: (-item[1], item[0]))
        return Axis(0.0, 1.0, tuple(text for text, _ in ranked[:_TEXTS]))
    ends = [column.quantiles for column in columns if column.quantiles]
    if not ends:
        return None
    low, high = min(q[0] for q in ends), max(q[-1] for q in ends)
    return Axis(low, high, None)


def heights(column: ColumnStatistics, axis: Axis) -> list[float]:
    """Share of the rows behind each bar; what is missing up to 1 is missing values."""
    if not column.rows:
        return []
    if axis.texts is not None:
        counts = dict(column.categories or ())
        known = [float(counts.get(text, 0)) for text in axis.texts]
        rest = column.rows - column.nulls - sum(known) if column.type == "string" else 0.0
        return [count / column.rows for count in [*known, max(rest, 0.0)]]
    if column.bins is None:
        return []
    if axis.high > axis.low:
        masses = equal_width(column.bins, axis.low, axis.high, BARS)
    else:
        # A constant column: below, at and above its value.
        masses = [0.0] * BARS
        for low, count in zip(column.bins.low, column.bins.count, strict=True):
            place = BARS // 2 if low == axis.low else 0 if low < axis.low else BARS - 1
            masses[place] += count
    return [mass / column.rows for mass in masses]


def bars(shares: Sequence[float], tip: str, tone: str = "", *, stop: bool = False) -> Markup:
    """A histogram without labels; ``tip`` says its numbers.

    Heights are relative to the tallest bar, so that a shape is seen whatever the missing share.

    Parameters
    ----------
    tone : str
        ``bad`` for a span that was quarantined.
    stop : bool
        Whether the keyboard stops at it.
    """
    top = max(shares, default=0.0)
    path = ""
    if top > 0:
        width = _WIDTH / len(shares)
        for index, share in enumerate(shares):
            if share > 0:
                height = max(share / top * _HEIGHT, 1.0)
                path += (
                    f"M{fixed(index * width + 0.3)} {_HEIGHT}v-{fixed(height)}"
                    f"h{fixed(width - 0.6)}v{fixed(height)}z"
                )
    drawn = [
        element("path", d=path, fill=f"var(--{tone})" if tone else "var(--accent)"),
        element("path", d=f"M0 {_HEIGHT + 0.5}H{_WIDTH}", stroke="var(--line)"),
    ]
    return _spark(drawn, _WIDTH, _HEIGHT + 1, tip, stop=stop)


def line(values: Sequence[float | None], bad: Sequence[bool], tip: str) -> Markup:
    """A line over the spans, with a dot where a span was quarantined; gaps where unknown."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup("–")
    low, high = min(known), max(known)
    # The full height stands for half of the value at least.
    room = max(abs(low), abs(high)) / 4 - (high / 2 - low / 2)
    if room > 0:
        low, high = low - room, high + room
    step = _WIDTH * 2 / max(len(values) - 1, 1)
    path, dots, pen = "", [], "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        share = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        x, y = index * step + 3, _HEIGHT - 3 - share * (_HEIGHT - 6)
        path += f"{pen}{fixed(x)} {fixed(y)}"
        pen = "L"
        if bad[index]:
            dots.append(element("circle", cx=x, cy=y, r=2.6, fill="var(--bad)"))
        elif len(known) == 1:
            dots.append(element("circle", cx=x, cy=y, r=2, fill="var(--accent)"))
    drawn = element("path", d=path, fill="none", stroke="var(--accent)", stroke_width=1.4)
    return _spark([drawn, *dots], 2 * _WIDTH + 6, _HEIGHT, tip, stop=True)


def median_of(column: ColumnStatistics | None) -> float | None:
    """The median, where the column has one."""
    if column is None or column.quantiles is None:
        return None
    return column.quantiles[QUANTILES.index(0.5)]


def _spark(drawn: Sequence[Markup], width: int, height: int, tip: str, *, stop: bool) -> Markup:
    svg = Markup(
        '<svg width="{}" height="{}" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>'
    ).format(width, height, width, height, Markup("").join(drawn))
    return pointed(visible(tip), "spark", inner=svg, stop=stop)
