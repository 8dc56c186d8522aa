"""A regression's pictures: predicted against actual, and what is left over."""

from __future__ import annotations

import numpy as np

from everfit.contracts import wording
from everfit.ml.scoring.resampling import Floats
from everfit.ml.scoring.scored import Scored
from everfit.reporting.plot import NARROW, Plot, legend, path, room_around, title
from everfit.reporting.svg import Drawing, fixed

SHOWN = (0.5, 99.5)
"""Percentiles between which values are drawn: one absurd row must not squash all others."""
CELLS = 30
SHADES = (0.16, 0.34, 0.55, 0.78, 1.0)
"""Opacity of few to many rows."""
GROUPS = 20
GROUP_ROWS = 30
"""At least so many rows a group: fewer show noise."""


def predicted_and_actual(scored: Scored, target: str, unit: str | None = None) -> Drawing:
    """Counts of rows by predicted and actual value."""
    actual, predicted = np.asarray(scored.truth, dtype=np.float64), scored.scores
    low, high = _limits(np.concatenate([predicted, actual]))
    inside = (predicted >= low) & (predicted <= high) & (actual >= low) & (actual <= high)
    drawing = Drawing(NARROW, 380, f"Predicted and actual {target}")
    title(drawing, "Predicted and actual")
    plot = Plot(drawing, (low, high), (low, high), 58, 52, NARROW - 6, 302)
    plot.name_y(f"actual {target}")
    plot.scale_y(unit)
    edges = np.linspace(low, high, CELLS + 1)
    counts, _, _ = np.histogram2d(predicted[inside], actual[inside], bins=(edges, edges))
    most = max(float(counts.max()), 1.0)
    bounds = _bounds(most)
    wide, tall = plot.at_x(edges[1]) - plot.left, plot.bottom - plot.at_y(edges[1])
    for opacity, first, last in zip(SHADES, bounds[:-1], bounds[1:], strict=True):
        cells = np.argwhere((counts >= first) & (counts < last))
        if not len(cells):
            continue
        drawing.add(
            "path",
            d="".join(
                f"M{fixed(plot.left + wide * column)} {fixed(plot.bottom - tall * (row + 1))}"
                f"h{fixed(wide)}v{fixed(tall)}h{fixed(-wide)}z"
                for column, row in cells
            ),
            fill="var(--accent)",
            opacity=f"{opacity:g}",
        )
    plot.curve([(low, low), (high, high)], "var(--second)", dash="5 4", width=1.3)
    plot.floor()
    plot.scale_x(unit)
    plot.name_x(f"predicted {target}")
    outside = int((~inside).sum())
    note = f"darker: more rows in a cell, up to {wording.number(int(most))}"
    drawing.text(0, 358, note, faint=True)
    if outside:
        drawing.text(0, 375, f"{wording.count(outside, 'row')} outside the axes", faint=True)
    else:
        drawing.height = 364
    return drawing


def errors(scored: Scored, unit: str | None = None) -> Drawing:
    """Median and middle 80 % of the errors in groups of equal size along the prediction."""
    predicted = scored.scores
    error = np.asarray(scored.truth, dtype=np.float64) - predicted
    order = np.argsort(predicted, kind="stable")
    groups = np.array_split(order, int(np.clip(len(order) // GROUP_ROWS, 1, GROUPS)))
    centre = np.array([np.median(predicted[part]) for part in groups])
    low, middle, high = (
        np.array([np.percentile(error[part], level) for part in groups]) for level in (10, 50, 90)
    )
    drawing = Drawing(NARROW, 364, "Errors along the prediction")
    title(drawing, "Errors along the prediction")
    plot = Plot(
        drawing,
        room_around([float(value) for value in centre], 0.03),
        room_around([0.0, *map(float, low), *map(float, high)]),
        58,
        52,
        NARROW - 6,
        302,
    )
    plot.name_y("actual − predicted")
    plot.scale_y(unit)
    around = [*zip(centre, low, strict=True), *zip(centre[::-1], high[::-1], strict=True)]
    drawing.add(
        "path",
        d=path((plot.at_x(x), plot.at_y(y)) for x, y in around) + "Z",
        fill="var(--pale)",
        stroke="var(--pale)",
    )
    plot.curve([(plot.x[0], 0.0), (plot.x[1], 0.0)], "var(--second)", dash="5 4", width=1.3)
    plot.curve(list(zip(centre, middle, strict=True)), "var(--accent)")
    for at, least, value, greatest, part in zip(centre, low, middle, high, groups, strict=True):
        tip = (
            f"{wording.count(len(part), 'row')} predicted about {wording.amount(float(at), unit)}: "
            f"median error {wording.amount(float(value), unit, signed=True)}, middle 80 % "
            f"{wording.interval(float(least), float(greatest), unit)}"
        )
        plot.dot(float(at), float(value), "var(--accent)", tip)
    plot.floor()
    plot.scale_x(unit)
    plot.name_x("predicted, in groups of equally many rows")
    legend(drawing, 358, [("var(--accent)", "median"), ("var(--pale)", "middle 80 % of errors")])
    return drawing


def _bounds(most: float) -> list[float]:
    """Counts that divide the shades, each a like multiple of the one before."""
    step = max(most, 1.0) ** (1 / len(SHADES))
    return [1.0, *(step**place for place in range(1, len(SHADES))), most + 1.0]


def _limits(values: Floats) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(values, SHOWN))
    room = (high - low) * 0.03 or max(abs(low) * 0.05, 1.0)
    return low - room, high + room
