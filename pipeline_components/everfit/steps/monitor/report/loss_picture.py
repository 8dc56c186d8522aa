"""The champion's score over the spans, beside the attainable one and the margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from everfit.contracts import wording
from everfit.contracts.messages.monitoring import Rise, SpanEvaluation
from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import METRICS, metric_title
from everfit.reporting.plot import NARROW, Plot, room_around
from everfit.reporting.svg import Drawing, element, fixed, text_width
from everfit.steps.monitor.report.span_order import short_names

NARROW_SPANS = 12
"""Spans of the picture on a phone: the newest."""

_HEIGHT, _LEFT, _STEEP = 250.0, 62.0, -52.0


def loss_picture(
    spans: Sequence[SpanEvaluation],
    metric: str,
    margin: Margin,
    width: float,
    unit: str | None = None,
) -> Drawing | None:
    """One metric over the spans, oldest at the left; None where there is no score to draw.

    A filled dot is measured on labels, a hollow one is an estimate, a square is what was served;
    the line down from it (up, where higher is better) ends at the one-sided bound. The second line
    is the attainable score; where it is known nowhere, the shaded side is worse than the margin
    allows.
    """
    if width <= NARROW:
        spans = spans[-NARROW_SPANS:]
    drawn = [
        (index, rise)
        for index, span in enumerate(spans)
        for rise in span.rises
        if rise.metric == metric and math.isfinite(rise.current) and math.isfinite(rise.reference)
    ]
    if not drawn:
        return None
    up = METRICS[metric].greater_is_better
    reference = drawn[-1][1].reference
    edge = allowed(metric, reference, margin)
    fresh = [(i, r.attainable.score) for i, r in drawn if r.attainable is not None]
    ends = [reference, *(r.current for _, r in drawn), *(bound(r) for _, r in drawn)]
    ends += [score for _, score in fresh] if fresh else [edge]
    labels = short_names([span.span.name for span in spans])
    step = (width - _LEFT - 8) / len(spans)
    longest = max(map(text_width, labels))
    steep = longest > step - 4
    floor = _HEIGHT - 12
    drawing = Drawing(
        width,
        floor + (16 + 0.8 * longest if steep else 24),
        f"{metric_title(metric)} of the champion over {wording.count(len(spans), 'span')}, "
        f"{wording.amount(reference, unit)} when it was judged, "
        f"{sum(rise.estimated for _, rise in drawn)} estimated"
        + (f", {len(fresh)} beside what a fresh model would have had" if fresh else ""),
    )
    plot = Plot(
        drawing, (-0.5, len(spans) - 0.5), room_around(ends, 0.12), _LEFT, 12, width - 8, floor
    )
    if not fresh:
        shaded = (plot.at_y(edge), floor) if up else (plot.top, plot.at_y(edge))
        drawing.add(
            "rect",
            x=plot.left,
            y=shaded[0],
            width=plot.right - plot.left,
            height=max(shaded[1] - shaded[0], 0),
            fill="var(--bad-tint)",
        )
    plot.scale_y(unit)
    levels: list[tuple[float, str, str | None]] = [(reference, "var(--soft)", None)]
    levels += [] if fresh else [(edge, "var(--bad)", "6 4")]
    for value, colour, dash in levels:
        y = plot.at_y(value)
        drawing.line(plot.left, y, plot.right, y, colour, stroke_width=1.6, stroke_dasharray=dash)
    _attainable(plot, fresh)
    for index, label in enumerate(labels):
        if steep:
            drawing.text(plot.at_x(index) + 4, floor + 14, label, "end", faint=True, turned=_STEEP)
        else:
            drawing.text(plot.at_x(index), floor + 18, label, "middle", faint=True)
    for source in ("champion", "logged"):
        of = [(i, r) for i, r in drawn if r.source == source]
        path = "".join(
            f"{'L' if n and of[n - 1][0] == i - 1 else 'M'}{fixed(plot.at_x(i))} "
            f"{fixed(plot.at_y(r.current))}"
            for n, (i, r) in enumerate(of)
        )
        drawing.add(
            "path",
            d=path,
            fill="none",
            stroke="var(--accent)",
            stroke_width=1.5,
            opacity="0.6",
            stroke_dasharray="3 3" if source == "logged" else None,
        )
    for index, rise in drawn:
        _point(plot, index, labels[index], rise, margin, unit)
    return drawing


def _attainable(plot: Plot, fresh: Sequence[tuple[int, float]]) -> None:
    """The second line: what a fresh model would have had on each span."""
    path = "".join(
        f"{'L' if n and fresh[n - 1][0] == i - 1 else 'M'}{fixed(plot.at_x(i))} "
        f"{fixed(plot.at_y(score))}"
        for n, (i, score) in enumerate(fresh)
    )
    look = {"fill": "none", "stroke": "var(--good)", "stroke_width": 1.8}
    if path:
        plot.drawing.add("path", d=path, stroke_dasharray="5 3", **look)
    for index, score in fresh:
        x, y = plot.at_x(index), plot.at_y(score)
        plot.drawing.add("path", d=f"M{fixed(x - 5)} {fixed(y)}h10", **look)


def bound(rise: Rise) -> float:
    """The score at the one-sided bound of how much worse it is."""
    if rise.estimated or not math.isfinite(rise.excess_low):
        return rise.current
    sign = -METRICS[rise.metric].sign
    return rise.yardstick + sign * rise.excess_low


def allowed(metric: str, reference: float, margin: Margin) -> float:
    """The score from which on the champion has decayed."""
    return reference + (-1 if METRICS[metric].greater_is_better else 1) * margin.of(reference)


def legend(
    metric: str, rises: Sequence[Rise], margin: Margin, unit: str | None
) -> list[tuple[Markup, str]]:
    """What the lines and shapes mean, with the values of the lines."""
    reference = rises[-1].reference
    edge = allowed(metric, reference, margin)
    fresh = any(rise.attainable is not None for rise in rises)

    def shape(name: str, **more: object) -> Markup:
        return element(name, **more)

    dot = {"cx": 8, "cy": 7, "r": 4.4}
    return [
        (
            shape("path", d="M0 7h16", stroke="var(--soft)", stroke_width=1.6),
            f"when judged: {wording.amount(reference, unit)}",
        ),
        (
            shape(
                "path", d="M0 7h16", stroke="var(--good)", stroke_width=1.8, stroke_dasharray="5 3"
            ),
            "attainable: the champion's recipe fitted afresh on the spans before",
        )
        if fresh
        else (
            shape(
                "path", d="M0 7h16", stroke="var(--bad)", stroke_width=1.6, stroke_dasharray="5 3"
            ),
            f"worse by {margin.text}: {wording.amount(edge, unit)}",
        ),
        (shape("circle", **dot, fill="var(--accent)"), "measured on labels"),
        (
            shape("circle", **dot, fill="var(--bad)"),
            f"worse than {'attainable' if fresh else 'when judged'} by {margin.text} or more",
        ),
        (
            shape("circle", **dot, fill="none", stroke="var(--accent)", stroke_width=1.8),
            "an estimate: no labels yet",
        ),
        (
            shape("rect", x=4, y=3, width=8, height=8, fill="var(--accent)"),
            "predictions as served",
        ),
        (
            shape("path", d="M8 1v12M4 13h8", stroke="var(--accent)", stroke_width=1.6),
            "95 % one-sided bound",
        ),
    ]


def _point(
    plot: Plot, index: int, label: str, rise: Rise, margin: Margin, unit: str | None
) -> None:
    x, y, end = plot.at_x(index), plot.at_y(rise.current), plot.at_y(bound(rise))
    drawing = plot.drawing
    colour = "var(--bad)" if rise.beyond(margin) else "var(--accent)"
    if abs(end - y) > 0.5:
        drawing.add(
            "path",
            d=f"M{fixed(x)} {fixed(y)}V{fixed(end)}M{fixed(x - 4)} {fixed(end)}h8",
            stroke=colour,
            stroke_width=1.6,
            fill="none",
            opacity="0.75",
        )
    look: dict[str, object] = (
        {"fill": "var(--surface)", "stroke": colour, "stroke_width": 1.8}
        if rise.estimated
        else {"fill": colour}
    )
    if rise.source == "logged":
        drawing.add("rect", x=x - 4, y=y - 4, width=8, height=8, **look)
    else:
        drawing.add("circle", cx=x, cy=y, r=4.4, **look)
    tip = (
        f"{label}: {metric_title(rise.metric)} {wording.amount(rise.current, unit)}, "
        f"{worse(rise, unit)}; {wording.count(rise.rows, 'row')}"
    )
    drawing.hit(x - 9, min(y, end) - 9, 18, abs(end - y) + 18, tip)


def worse(rise: Rise, unit: str | None) -> str:
    """How much worse it is, and how sure that is."""
    by = wording.amount(abs(rise.excess), unit)
    text = f"{by} {'worse' if rise.excess >= 0 else 'better'}"
    if rise.attainable is not None:
        text += f" than attainable ({wording.amount(rise.attainable.score, unit)})"
    if rise.estimated:
        return f"{text}, an estimate"
    if rise.excess <= 0 or not math.isfinite(rise.excess_low):
        return text
    if rise.excess_low > 0:
        least = wording.amount(rise.excess_low, unit)
        return f"{text}, at least {least} (95 % one-sided confidence)"
    return f"{text}, within chance"
