"""Drawings as native SVG, in the colours of the page they stand in: light, dark and printed.

A drawing is made once and used twice: as a file of its own, with both palettes inside, and in a
page, where it takes the page's. All its text has one size. What can be pointed at bears a tip: in a
page it is shown on hovering, on focus by keyboard and on touch; in a file it is a tooltip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from markupsafe import Markup

from everfit.reporting.palette import PALETTE_DARK, PALETTE_LIGHT
from everfit.reporting.templating import markup, visible

FONT_SIZE = 12
"""Of all text, in the units of the drawing."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif"

MOST_BYTES = 4 << 20
"""A larger file is embedded as an image."""

_ATTRIBUTES = frozenset(
    (
        "x",
        "y",
        "x1",
        "y1",
        "x2",
        "y2",
        "cx",
        "cy",
        "r",
        "rx",
        "width",
        "height",
        "d",
        "transform",
        "fill",
        "stroke",
        "stroke-width",
        "stroke-dasharray",
        "stroke-linecap",
        "stroke-linejoin",
        "opacity",
        "text-anchor",
        "class",
    )
)
_CLASSES = frozenset({"faint", "hit", "strong"})
_ELEMENTS = frozenset({"path", "rect", "circle", "line", "text"})
_PLAIN = re.compile(r"[\w\s.,()#%+-]{0,200000}\Z")
_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Hit:
    """A place that says something when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    tip: str
    stop: bool = True
    """Whether the keyboard stops at it: not at each of many that say nothing new."""


@dataclass
class Drawing:
    """What is drawn, in the order it is drawn.

    Attributes
    ----------
    width, height : float
        Of the view box; text is ``FONT_SIZE`` high in the same units.
    label : str
        What a screen reader says of it.
    """

    width: float
    height: float
    label: str
    body: list[Markup] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)

    def add(self, name: str, text: object = None, /, **attributes: object) -> None:
        """One element; numbers are written with one decimal.

        An underscore in an attribute's name stands for a hyphen; None leaves it out.
        """
        self.body.append(element(name, text, **attributes))

    def line(self, x1: float, y1: float, x2: float, y2: float, stroke: str, **more: object) -> None:
        """A straight line."""
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, **more)

    def text(
        self,
        x: float,
        y: float,
        text: object,
        anchor: str = "start",
        *,
        faint: bool = False,
        strong: bool = False,
        fill: str | None = None,
        turned: float | None = None,
    ) -> None:
        """Text of the one size, its baseline at ``y``.

        Parameters
        ----------
        faint, strong : bool
            In the colour of what is less important; in bold.
        turned : float, optional
            Degrees, clockwise, around its own place.
        """
        kind = "faint" if faint else "strong" if strong else None
        place: dict[str, object] = {"x": x, "y": y}
        if turned is not None:
            place = {"transform": f"translate({fixed(x)} {fixed(y)}) rotate({fixed(turned)})"}
        self.add(
            "text",
            text,
            **place,
            text_anchor=None if anchor == "start" else anchor,
            fill=fill,
            **{"class": kind},
        )

    def hit(
        self, x: float, y: float, width: float, height: float, tip: str, *, stop: bool = True
    ) -> None:
        """Let a place say something when it is pointed at."""
        self.hits.append(  # its place as a file says it
            Hit(round(x, 1), round(y, 1), round(width, 1), round(height, 1), visible(tip), stop)
        )

    def file(self) -> bytes:
        """A file of its own, with both palettes and tooltips; equal drawings give equal bytes."""
        hits = Markup("").join(
            Markup(
                '<rect class="hit" x="{}" y="{}" width="{}" height="{}" fill="none"{}>'
                "<title>{}</title></rect>"
            ).format(
                fixed(hit.x),
                fixed(hit.y),
                fixed(hit.width),
                fixed(hit.height),
                Markup("") if hit.stop else Markup(' opacity="0"'),
                hit.tip,
            )
            for hit in self.hits
        )
        text = Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {} {}" width="{}" '
            'height="{}">\n<title>{}</title>\n<style>{}</style>\n{}{}</svg>\n'
        ).format(
            fixed(self.width),
            fixed(self.height),
            fixed(self.width),
            fixed(self.height),
            visible(self.label),
            _FILE_STYLE,
            Markup("\n").join(self.body),
            hits,
        )
        return text.encode()

    def inline(self) -> Markup:
        """The drawing as part of a page: its picture, and over it what can be pointed at."""
        over = Markup("").join(
            pointed(
                hit.tip,
                f"hit {_side(hit.x + hit.width / 2, self.width)}",
                f"left:{fixed(100 * hit.x / self.width)}%;top:{fixed(100 * hit.y / self.height)}%;"
                f"width:{fixed(100 * hit.width / self.width)}%;"
                f"height:{fixed(100 * hit.height / self.height)}%",
                stop=hit.stop,
            )
            for hit in self.hits
        )
        return Markup(
            '<span class="drawing"><svg role="img" viewBox="0 0 {} {}" aria-label="{}">{}</svg>{}'
            "</span>"
        ).format(
            fixed(self.width),
            fixed(self.height),
            visible(self.label),
            Markup("").join(self.body),
            over,
        )


def pointed(
    tip: str, kind: str, style: str = "", inner: Markup | None = None, *, stop: bool
) -> Markup:
    """Part of a page that says something when it is pointed at, touched or, as a stop, focused."""
    form = _STOP if stop else _TOUCHED
    return form.format(kind, tip, Markup(' style="{}"').format(style) if style else "", inner or "")


def element(name: str, text: object = None, /, **attributes: object) -> Markup:
    """One SVG element, everything in it escaped."""
    parts = [Markup("<{}").format(name)]
    for key, value in attributes.items():
        if value is None:
            continue
        written = fixed(value) if isinstance(value, int | float) else value
        parts.append(Markup(' {}="{}"').format(key.replace("_", "-"), written))
    if text is None:
        parts.append(Markup("/>"))
    else:
        parts.append(Markup(">{}</{}>").format(markup(text), name))
    return Markup("").join(parts)


def fixed(value: float) -> str:
    """A coordinate: one decimal, and none where it is zero.

    Examples
    --------
    >>> fixed(3.14159), fixed(10.0), fixed(-0.04)
    ('3.1', '10', '0')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text_width(text: str) -> float:
    """An upper estimate of a text's width in the drawing's units; fonts differ."""
    return FONT_SIZE * sum(_advance(character) for character in text)


def clipped(text: str, width: float) -> str:
    """A text that is no wider, with an ellipsis for its middle where it was.

    Examples
    --------
    >>> clipped("a_column_with_a_long_name", 80)
    'a_co…name'
    """
    if text_width(text) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        head = (kept + 1) // 2
        short = f"{text[:head]}…{text[len(text) - (kept - head) :]}"
        if text_width(short) <= width:
            return short
    return "…"


def read_drawing(file: bytes, label: str) -> Drawing | None:
    """A drawing from the bytes of a file that ``Drawing.file`` made, or None where it is none.

    Only shapes, text and tips are taken over, each attribute checked, so that whoever wrote the
    bytes can draw within its frame, and neither run, fetch, restyle nor reach anything.
    """
    if len(file) > MOST_BYTES or b"<!" in file or b"<?" in file:
        return None  # a document type could hold entities
    try:
        root = ElementTree.fromstring(file)  # noqa: S314 (no document type, bounded in size)
    except (ElementTree.ParseError, ValueError, RecursionError):
        return None
    box = re.fullmatch(r"0 0 (\d{1,5}(?:\.\d)?) (\d{1,5}(?:\.\d)?)", root.get("viewBox", ""))
    if root.tag != f"{_SVG}svg" or box is None or not (float(box[1]) and float(box[2])):
        return None
    made = Drawing(float(box[1]), float(box[2]), label)
    try:
        for child in root:
            _take(child, made)
    except (KeyError, ValueError):
        return None
    return made


def _take(node: ElementTree.Element, made: Drawing) -> None:
    name = node.tag.removeprefix(_SVG)
    if name in ("title", "style"):
        return
    attributes = _attributes(node.attrib)
    hit = attributes.get("class") == "hit"
    if name not in _ELEMENTS or (len(node) and not hit):
        raise ValueError(name)
    if hit:
        tip = node.findtext(f"{_SVG}title") or ""
        x, y, width, height = (float(attributes[key]) for key in ("x", "y", "width", "height"))
        made.hit(x, y, width, height, tip, stop="opacity" not in attributes)
    else:
        made.add(name, (node.text or "") if name == "text" else None, **attributes)


def _attributes(given: Mapping[str, str]) -> dict[str, str]:
    for key, value in given.items():
        if key not in _ATTRIBUTES or _PLAIN.match(value) is None:
            raise ValueError(key)
        if key == "class" and value not in _CLASSES:
            raise ValueError(value)
    return dict(given)


def _side(centre: float, width: float) -> str:
    """Which way a tip opens, so that it stays within the drawing."""
    third = 3 * centre / width
    return "from-left" if third < 1 else "from-right" if third > 2 else "from-middle"


def _advance(character: str) -> float:
    """Of DejaVu Sans, which is wider than the fonts most readers have."""
    if character in "iljtfrI.,:;'|!()[] ":
        return 0.4
    if character in "mwMW@%—…":
        return 1.0
    if character in "+−=<>←→":
        return 0.84
    if character.isascii():
        return 0.72 if character.isupper() else 0.64
    return 0.66 if ord(character) < 0x2E80 else 1.05


_STOP = Markup('<span class="tip {}" role="img" tabindex="0" aria-label="{}"{}>{}</span>')
_TOUCHED = Markup('<span class="tip {}" tabindex="-1" aria-hidden="true" data-tip="{}"{}>{}</span>')
_FILE_STYLE = Markup(  # noqa: S704 (nothing of it is from outside)
    f":root{{{PALETTE_LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{PALETTE_DARK}}}}}"
    f"svg{{background:var(--surface);font:{FONT_SIZE}px {FONT}}}text:not([fill]){{fill:var(--ink)}}"
    "text.faint{fill:var(--soft)}.strong{font-weight:650}.hit{pointer-events:all}"
)
