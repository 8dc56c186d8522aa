"""A regression's pictures: predicted against actual, and what is left over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline_components.report.figure import (
    ACCENT,
    CANDIDATE,
    PALE,
    QUIET,
    RAMP,
    canvas,
    svg,
)
from pipeline_components.scoring.resampling import Floats
from pipeline_components.scoring.scored import Scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = (0.5, 99.5)
"""Percentiles between which values are drawn: one absurd row must not squash all others."""
GROUPS = 20
GROUP_ROWS = 30
"""At least so many rows a group: fewer show noise."""


def predicted_and_residuals(scored: Scored, target: str) -> bytes:
    """Counts of predicted against actual, and the spread of errors along the prediction."""
    figure, (left, right) = canvas(2)
    actual, predicted = np.asarray(scored.truth, dtype=np.float64), scored.scores
    _hexagons(left, predicted, actual, target)
    _errors(right, predicted, actual - predicted)
    return svg(figure, f"Predicted and actual {target}, and errors along the prediction")


def _hexagons(axes: Axes, predicted: Floats, actual: Floats, target: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap, LogNorm
    from matplotlib.ticker import FuncFormatter, NullFormatter

    low, high = _limits(np.concatenate([predicted, actual]))
    inside = (predicted >= low) & (predicted <= high) & (actual >= low) & (actual <= high)
    colours = LinearSegmentedColormap.from_list("everfit", RAMP[1:])
    cells = axes.hexbin(
        predicted[inside], actual[inside], gridsize=32, extent=(low, high, low, high), mincnt=1,
        cmap=colours, norm=LogNorm(), linewidths=0.2, edgecolors="face",
    )  # fmt: skip
    axes.plot([low, high], [low, high], color=ACCENT, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_xlabel(f"predicted {target}".replace("$", r"\$"))
    axes.set_ylabel(f"actual {target}".replace("$", r"\$"))
    axes.set_title("Predicted and actual")
    bar = axes.figure.colorbar(cells, ax=axes, shrink=0.9, aspect=28, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, which="both")
    bar.formatter = FuncFormatter(lambda value, _: f"{value:,.0f}")
    bar.minorformatter = NullFormatter()
    bar.set_label("rows")
    outside = int((~inside).sum())
    if outside:
        axes.annotate(
            f"{outside:,} rows outside", (0.02, 0.97), xycoords="axes fraction", va="top",
            fontsize=8, color=QUIET,
        )  # fmt: skip


def _errors(axes: Axes, predicted: Floats, error: Floats) -> None:
    """Median and middle 80 % of the errors in groups of equal size along the prediction."""
    order = np.argsort(predicted, kind="stable")
    groups = np.array_split(order, int(np.clip(len(order) // GROUP_ROWS, 1, GROUPS)))
    centre = np.array([np.median(predicted[part]) for part in groups])
    low, middle, high = (
        np.array([np.percentile(error[part], level) for part in groups]) for level in (10, 50, 90)
    )
    axes.axhline(0, color=ACCENT, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.fill_between(centre, low, high, color=PALE, linewidth=0, label="middle 80 %")
    axes.plot(centre, middle, color=CANDIDATE, marker="o", markersize=3.5, label="median")
    axes.set_xlabel("predicted (groups of equally many rows)")
    axes.set_ylabel("actual − predicted")
    axes.set_title("Errors along the prediction")
    axes.grid(axis="y")
    axes.legend(loc="best")


def _limits(values: Floats) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(values, SHOWN))
    room = (high - low) * 0.03 or max(abs(low) * 0.05, 1.0)
    return low - room, high + room
