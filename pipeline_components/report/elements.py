"""Parts of a page beside tables: lists of facts, digests, pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from .page import Html, escape

WIDE = 480.0
"""Points from which a picture does not fit into half of a page."""


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """A list of names and values; ``Html`` values are kept, all others escaped."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return Html(f'<dl class="facts">{items}</dl>')


def digest(value: str) -> Html:
    """A digest's first twelve characters; the whole of it is its title."""
    return Html(f'<span class="digest" title="{escape(value)}">{escape(value[:12])}</span>')


def tag(text: str) -> Html:
    """A quiet label."""
    return Html(f'<span class="tag">{escape(text)}</span>')


def picture(svg: bytes, alt: str, caption: str | None = None) -> Html:
    """An SVG embedded as an image, where nothing inside it can run or reach the page.

    A wide one, such as two plots side by side, takes a row of its own among ``pictures``.
    """
    source = "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    width = re.search(rb'<svg[^>]*?\swidth="([\d.]{1,9})pt"', svg[:2000])
    wide = ' class="wide"' if width and float(width[1]) > WIDE else ""
    return Html(f'<figure{wide}><img src="{source}" alt="{escape(alt)}">{below}</figure>')


def pictures(figures: Iterable[Html]) -> Html:
    """Pictures side by side where there is room."""
    return Html(f'<div class="pictures">{"".join(figures)}</div>')
