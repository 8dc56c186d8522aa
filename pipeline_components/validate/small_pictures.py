"""Small pictures of a column, one per span, drawn as plain SVG paths in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline_components.contracts.statistics import QUANTILES, ColumnStatistics
from pipeline_components.report.page import Html, escape
from pipeline_components.statistics.bins import equal_width

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


def bars(shares: Sequence[float], title: str, tone: str = "") -> Html:
    """A histogram without labels; ``title`` is read aloud and shown on hovering.

    Heights are relative to the tallest bar, so that a shape is seen whatever the missing share.
    """
    top = max(shares, default=0.0)
    path = ""
    if top > 0:
        width = _WIDTH / len(shares)
        for index, share in enumerate(shares):
            if share > 0:
                height = max(share / top * _HEIGHT, 1.0)
                path += (
                    f"M{_short(index * width + 0.3)} {_HEIGHT}v-{_short(height)}"
                    f"h{_short(width - 0.6)}v{_short(height)}z"
                )
    colour = f"var(--{tone})" if tone else "var(--accent)"
    return Html(
        f'<svg role="img" width="{_WIDTH}" height="{_HEIGHT + 1}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT + 1}"><title>{escape(title)}</title>'
        f'<path d="{path}" fill="{colour}"/>'
        f'<path d="M0 {_HEIGHT + 0.5}H{_WIDTH}" stroke="var(--line)"/></svg>'
    )


def line(values: Sequence[float | None], bad: Sequence[bool], title: str) -> Html:
    """A line over the spans, with a dot where a span was quarantined; gaps where unknown."""
    known = [value for value in values if value is not None]
    if not known:
        return Html("–")
    low, high = min(known), max(known)
    # The full height stands for half of the value at least.
    room = max(abs(low), abs(high)) / 4 - (high / 2 - low / 2)
    if room > 0:
        low, high = low - room, high + room
    step = _WIDTH * 2 / max(len(values) - 1, 1)
    path, dots, pen = "", "", "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        share = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        x, y = _short(index * step), _short(_HEIGHT - 3 - share * (_HEIGHT - 6))
        path += f"{pen}{x} {y}"
        pen = "L"
        if bad[index]:
            dots += f'<circle cx="{x}" cy="{y}" r="2.6" fill="var(--bad)"/>'
        elif len(known) == 1:
            dots += f'<circle cx="{x}" cy="{y}" r="2" fill="var(--accent)"/>'
    return Html(
        f'<svg role="img" width="{2 * _WIDTH + 6}" height="{_HEIGHT}" '
        f'viewBox="-3 0 {2 * _WIDTH + 6} {_HEIGHT}"><title>{escape(title)}</title>'
        f'<path d="{path}" fill="none" stroke="var(--accent)" stroke-width="1.4"/>{dots}</svg>'
    )


def median_of(column: ColumnStatistics | None) -> float | None:
    """The median, where the column has one."""
    if column is None or column.quantiles is None:
        return None
    return column.quantiles[QUANTILES.index(0.5)]


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
