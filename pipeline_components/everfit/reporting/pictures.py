"""Pictures of a run as a page shows them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import PurePosixPath

from everfit.reporting.svg import Drawing, read_drawing


@dataclass(frozen=True)
class Embedded:
    """A picture in a page: drawn in the page's own colours, or as an image where it is not ours."""

    caption: str
    drawing: Drawing | None
    image: str = ""


def embedded(name: str, svg: bytes) -> Embedded:
    """A picture file in a page.

    One that ``Drawing.file`` did not make is an image, in which nothing can run or reach the page.
    """
    plain = PurePosixPath(name).stem or name
    caption = plain.replace("_", " ").replace("-", " ").capitalize()
    drawing = read_drawing(svg, caption)
    return Embedded(caption, drawing, "" if drawing else base64.b64encode(svg).decode())
