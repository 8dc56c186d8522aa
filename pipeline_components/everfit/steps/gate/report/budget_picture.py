"""What holdout evaluations have spent of the evaluation budget in a year."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts import wording
from everfit.contracts.messages.evaluations import HoldoutEvaluation
from everfit.reporting.plot import ticks
from everfit.reporting.svg import Drawing, text_width

TOP, HEIGHT = 8.0, 26.0


def budget_picture(evaluations: Sequence[HoldoutEvaluation], limit: float, width: float) -> Drawing:
    """A bar of the whole budget, filled by each evaluation with what it has spent.

    Parameters
    ----------
    evaluations : sequence of HoldoutEvaluation
        Oldest first; the one that is decided on is the last, and stands out.
    limit : float
        False promotions a year that are allowed.
    width : float
    """
    spent = sum(one.alpha for one in evaluations)
    highest = max(limit, spent) or 1.0
    words = (
        f"{wording.count(len(evaluations), 'holdout evaluation')} in a year: "
        f"{wording.number(spent)} of {wording.plain(limit)} spent"
    )
    drawing = Drawing(width, 66, words)

    def x(value: float) -> float:
        return value / highest * width

    drawing.add("rect", x=0, y=TOP, width=x(limit), height=HEIGHT, rx=3, fill="var(--track)")
    total = 0.0
    for place, one in enumerate(evaluations):
        last = place == len(evaluations) - 1
        begin, total = x(total), total + one.alpha
        drawing.add(
            "rect",
            x=begin,
            y=TOP,
            width=max(x(total) - begin - 1, 0.8),
            height=HEIGHT,
            fill="var(--accent)" if last else "var(--third)",
            opacity=None if last else "0.55",
        )
        tip = f"Evaluation {one.sequence}: {wording.number(one.alpha)} spent"
        drawing.hit(begin, TOP, max(x(total) - begin, 4), HEIGHT, tip, stop=last)
    drawing.line(x(limit), TOP - 6, x(limit), TOP + HEIGHT + 6, "var(--bad)", stroke_width=2)
    values = [value for value in ticks(0, highest, 5) if value < limit * 0.98 or value > limit]
    label = f"{wording.plain(limit)} allowed in a year"
    right = x(limit) > width / 2
    edge = x(limit) - (4 if right else -4)
    begin = edge - text_width(label) if right else edge
    for value, text in zip(values, wording.on_axis(values), strict=True):
        half = text_width(text) / 2
        at = min(max(x(value), half), width - half)
        if begin - 8 < at + half and at - half < begin + text_width(label) + 8:
            continue
        drawing.line(x(value), TOP + HEIGHT, x(value), TOP + HEIGHT + 4, "var(--soft)")
        drawing.text(at, TOP + HEIGHT + 20, text, "middle", faint=True)
    drawing.text(edge, TOP + HEIGHT + 20, label, "end" if right else "start", fill="var(--bad)")
    return drawing
