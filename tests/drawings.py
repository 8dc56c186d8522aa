"""Reading drawings in tests: where each text lies, measured with a real font."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from xml.etree import ElementTree

from everfit.reporting.svg import FONT_SIZE, Drawing


@dataclass(frozen=True)
class Placed:
    """A text of a drawing, and the box it fills."""

    text: str
    left: float
    right: float
    baseline: float


@cache
def measured(text: str) -> float:
    """The width of a text at the size of drawings, in DejaVu Sans, which is wider than most."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    path = TextPath((0, 0), text.replace("$", r"\$"), FONT_SIZE, prop=FontProperties("DejaVu Sans"))
    return float(path.get_extents().width)


def texts(drawing: Drawing) -> list[Placed]:
    """Every text that stands upright."""
    root = ElementTree.fromstring(drawing.file())
    found = []
    for node in root.iter("{http://www.w3.org/2000/svg}text"):
        if "transform" in node.attrib:
            continue
        width, x = measured(node.text or ""), float(node.attrib["x"])
        share = {"end": 1.0, "middle": 0.5}.get(node.get("text-anchor", ""), 0.0)
        left = x - share * width
        found.append(Placed(node.text or "", left, left + width, float(node.attrib["y"])))
    return found


def assert_readable(drawing: Drawing) -> None:
    """No text of a drawing is cut at its edge, and none stands on another."""
    every = texts(drawing)
    assert every or not drawing.body
    for one in every:
        assert one.left >= -1, one
        assert one.right <= drawing.width + 1, one
        assert FONT_SIZE * 0.7 <= one.baseline <= drawing.height, one
    for one, other in combinations(every, 2):
        beside = one.right <= other.left + 0.5 or other.right <= one.left + 0.5
        below = abs(one.baseline - other.baseline) >= FONT_SIZE
        assert beside or below, (one, other)


def assert_uncrossed(drawing: Drawing) -> None:
    """No upright line of a drawing goes through a text."""
    root = ElementTree.fromstring(drawing.file())
    for node in root.iter("{http://www.w3.org/2000/svg}line"):
        x1, y1, x2, y2 = (float(node.attrib[name]) for name in ("x1", "y1", "x2", "y2"))
        for text in texts(drawing) if x1 == x2 else ():
            through = text.left < x1 < text.right
            top, bottom = text.baseline - 0.7 * FONT_SIZE, text.baseline
            assert not (through and min(y1, y2) < bottom - 1 and max(y1, y2) > top + 1), text
