"""Pictures for reports: one palette, one style, and SVG whose bytes depend on the picture alone.

::

    with house_style():
        figure, (axes,) = canvas(1)
        axes.plot(x, y, color=CANDIDATE)
        data = svg(figure, "what a screen reader says")
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, LINE, PAPER = "#1f2933", "#66727f", "#d9dee4", "#ffffff"
CANDIDATE, BASELINE, ACCENT, PALE = "#1f6feb", "#9a6700", "#c2410c", "#dbe9ff"
"""Roles, not hues: the same thing has the same colour in every picture. Tells apart without red
and green, and in grey."""
RAMP = ("#f4f8ff", "#cfe1ff", "#8fb9fb", "#4a8bf0", "#1f6feb", "#0b3d91")
"""Few to many, for counts."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
"""Text stays text, in the reader's own font; sizes are measured with the wider DejaVu."""

_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": PAPER,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "grid.color": "#edf0f3",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "svg.fonttype": "none",
    "svg.hashsalt": "everfit",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Everything drawn and saved inside looks alike; settings outside are left alone."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def canvas(
    columns: int = 1, width: float = 4.6, height: float = 3.4
) -> tuple[Figure, tuple[Axes, ...]]:
    """A figure of plots side by side, without pyplot and its global state.

    Parameters
    ----------
    columns : int
        Plots in the one row.
    width, height : float
        Inches of each plot.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, tuple(figure.subplots(1, columns, squeeze=False)[0])


def svg(figure: Figure, title: str = "") -> bytes:
    """The figure as SVG: equal pictures give equal bytes.

    Starts with ``<svg``, so it may stand in a page as it is: no XML prolog, no document-wide
    style, ids derived from content.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Best made by ``canvas`` within ``house_style``.
    title : str
        What a screen reader says, and a tooltip.

    Returns
    -------
    bytes
        UTF-8, with a newline at the end.
    """
    import matplotlib

    buffer = io.BytesIO()
    own = {name: _STYLE[name] for name in ("svg.fonttype", "svg.hashsalt")}
    with matplotlib.rc_context(own):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, count=1, flags=re.S)
    # matplotlib styles `*`, which would reach every element of a page the picture stands in
    text, styled = re.subn(r"\s*<style[^>]*>\*\{[^}]*\}</style>", "", text, count=1)
    text = text.replace("'DejaVu Sans'", FONT).replace('"DejaVu Sans"', FONT)
    root = '<svg role="img"'
    if styled:
        root += ' style="stroke-linejoin:round;stroke-linecap:butt;max-width:100%;height:auto"'
    text = text.replace("<svg", root, 1)
    if title:
        end = text.index(">") + 1
        text = f"{text[:end]}\n <title>{_escaped(title)}</title>{text[end:]}"
    return "\n".join(line.rstrip() for line in text.splitlines()).encode() + b"\n"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
