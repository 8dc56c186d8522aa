"""The gain of the candidate, as an interval beside what was required."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts import wording
from everfit.contracts.messages.verdicts import Bound, Comparison
from everfit.contracts.spec.metrics import metric_title
from everfit.reporting.plot import Plot, room_around
from everfit.reporting.svg import Drawing, text_width
from everfit.reporting.templating import Tone


def gain_picture(
    found: Comparison, tone: Tone, unit: str | None, width: float, judged: Bound | None = None
) -> Drawing:
    """The interval of the gain on one scale with zero and the margin.

    The acceptable side is shaded.

    Parameters
    ----------
    found : Comparison
        Its interval is the thick one.
    tone : {"good", "warn", "bad", "calm"}
    unit : str, optional
        Of the metric.
    width : float
    judged : Bound, optional
        The interval the decision rests on: thin, with its ends told.
    """
    inner = (found.gain.low, found.gain.high)
    low, high = (judged.low, judged.high) if judged else inner
    value = found.gain.value
    need = found.required.least
    axis, bar, colour = 112.0, 66.0, f"var(--{tone})"
    drawing = Drawing(width, 156, _words(found, unit, judged))
    plot = Plot(
        drawing,
        room_around((0.0, need, low, value, high, *inner), 0.12),
        (0, 1),
        2,
        26,
        width - 2,
        axis,
    )
    edge, zero = plot.at_x(need), plot.at_x(0.0)
    drawing.add(
        "rect",
        x=edge,
        y=26,
        width=max(plot.right - edge, 0),
        height=axis - 26,
        fill="var(--good-tint)",
    )
    plot.floor()
    plot.scale_x(unit, most=5 if width < 500 else 7)
    label = _margin(found, unit)
    drawing.text(_within(edge, text_width(label), width), 13, label, "middle", fill="var(--good)")
    x_low, x_high = plot.at_x(low), plot.at_x(high)
    if judged:
        drawing.line(x_low, bar, x_high, bar, colour, stroke_width=2)
    drawing.line(
        plot.at_x(inner[0]),
        bar,
        plot.at_x(inner[1]),
        bar,
        colour,
        stroke_width=7,
        stroke_linecap="round",
        opacity="0.4",
    )
    for end in (x_low, x_high):
        drawing.line(end, bar - 8, end, bar + 8, colour, stroke_width=2, stroke_linecap="round")
    middle = plot.at_x(value)
    drawing.add("circle", cx=middle, cy=bar, r=7, fill=colour)
    told = wording.amount(value, unit, signed=True)
    at, length = _within(middle, text_width(told) * 1.1, width), text_width(told) * 1.1
    drawing.text(at, bar - 16, told, "middle", strong=True)
    boxes = [(at - length / 2, at + length / 2, bar - 29.0, bar - 12.0)]
    ends = tuple(wording.amount(end, unit, signed=True) for end in (low, high))
    for (x, anchor), text in zip(_beside(x_low, x_high, ends, width), ends, strict=True):
        drawing.text(x, bar + 25, text, anchor)
        begin = x - text_width(text) if anchor == "end" else x
        boxes.append((begin, begin + text_width(text), bar + 12, bar + 29))
    _upright(drawing, zero, 26, axis, boxes, stroke="var(--soft)", stroke_width=1.25)
    if need:
        _upright(
            drawing,
            edge,
            20,
            axis,
            boxes,
            stroke="var(--good)",
            stroke_width=1.75,
            stroke_dasharray="5 4",
        )
    drawing.text(2, 152, "← baseline better", faint=True)
    drawing.text(width - 2, 152, "candidate better →", "end", faint=True)
    reach = min(x_high - x_low + 12, width)
    drawing.hit(max(x_low - 6, 0), bar - 12, reach, 24, drawing.label)
    return drawing


def _upright(
    drawing: Drawing,
    x: float,
    top: float,
    bottom: float,
    boxes: Sequence[tuple[float, float, float, float]],
    **look: object,
) -> None:
    """An upright line that leaves out what texts stand on: (left, right, top, bottom) of each."""
    y = top
    for left, right, first, last in sorted(boxes, key=lambda box: box[2]):
        if left - 3 < x < right + 3:
            if first > y:
                drawing.add("line", x1=x, y1=y, x2=x, y2=first, **look)
            y = max(y, last)
    drawing.add("line", x1=x, y1=y, x2=x, y2=bottom, **look)


def _margin(found: Comparison, unit: str | None) -> str:
    margin = wording.setting(found.margin, unit)
    if found.intention == "superior_by":
        return f"required: {margin} better" if found.margin else "required: better than 0"
    return f"allowed: {margin} worse" if found.margin else "required: no worse than 0"


def _within(x: float, length: float, width: float) -> float:
    """The middle of a text of that length that stays inside the drawing."""
    return min(max(x, length / 2), width - length / 2)


def _beside(
    low: float, high: float, texts: tuple[str, ...], width: float
) -> tuple[tuple[float, str], tuple[float, str]]:
    """Where the numbers at both ends stand: outward of them, apart, and inside the drawing."""
    left, right = (text_width(text) for text in texts)
    end, begin = min(low + 8, (low + high) / 2 - 6), max(high - 8, (low + high) / 2 + 6)
    if end - left < 0:
        end = left
        begin = max(begin, end + 12)
    if begin + right > width:
        begin = width - right
        end = min(end, begin - 12)
    return (end, "end"), (begin, "start")


def _words(found: Comparison, unit: str | None, judged: Bound | None) -> str:
    gain = found.gain
    told = (
        f"Gain in {metric_title(found.metric)}: {wording.amount(gain.value, unit, signed=True)}, "
        f"interval {wording.interval(gain.low, gain.high, unit)}"
    )
    if judged:
        told += f"; decided by {wording.interval(judged.low, judged.high, unit)}"
    return f"{told}; {_margin(found, unit)}"
