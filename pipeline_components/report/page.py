"""A self-contained HTML page: inline style, no scripts, nothing fetched, the same bytes each time.

Text is escaped unless it is ``Html``, and only this package's functions make ``Html`` of it.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .style import STYLE

Tone = Literal["good", "warn", "bad", "calm"]
"""What a badge or pill says by its colour; its shape and its wording say it too."""

TONES: dict[str, Tone] = {
    "promote": "good", "passed": "good", "good": "good", "ok": "good",
    "hold": "warn", "warning": "warn", "not assessed": "warn",
    "reject": "bad", "failed": "bad", "error": "bad", "quarantined": "bad",
}  # fmt: skip
"""word of a badge → its tone; any other word is calm."""

_SHAPES: dict[Tone, str] = {
    "good": '<circle cx="8" cy="8" r="7"/><path class="cut" d="M4.6 8.3l2.3 2.3 4.5-4.8"/>',
    "warn": '<path d="M8 .6 15.4 8 8 15.4.6 8z"/><path class="cut" d="M8 4.6v4M8 11v.4"/>',
    "bad": '<path d="M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1z"/>'
    '<path class="cut" d="M5.5 5.5l5 5M10.5 5.5l-5 5"/>',
    "calm": '<circle cx="8" cy="8" r="7"/><path class="cut" d="M5 8h6"/>',
}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'"
# Characters that end a line of reasoning about what is displayed: controls, which HTML forbids or
# a browser swallows, marks that reverse the order of the text around them, and invisible ones.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufff9-\ufffb]"
)


class Html(str):
    """Text that is markup already. Make it of escaped parts only."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A titled part of a page; ``html`` is put in as it is."""

    title: str
    html: str


def escape(value: object) -> Html:
    r"""A value as markup that shows it, and does nothing else.

    ``Html`` is returned as it is. Control, invisible and direction-changing characters are shown
    as ``\uXXXX``, so that a hostile column name can neither break nor disguise what is read.
    """
    if isinstance(value, Html):
        return value
    text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(value))
    return Html(html.escape(text, quote=True))


def number(value: float | None, digits: int = 4) -> str:
    """A number for people: ``digits`` significant figures, thousands grouped, ``–`` for none."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or size < 10 ** -(digits + 1):
        return f"{value:.{digits - 1}e}"
    whole = len(str(int(size))) if size >= 1 else 0
    leading = 0 if size >= 0.1 else len(re.match(r"0\.(0*)", f"{size:.12f}")[1])  # type: ignore[index]
    text = f"{size:,.{max(digits - whole + leading, 0)}f}"
    return f"-{text}" if value < 0 else text


def short(value: float) -> str:
    """Three significant figures without zeros at the end: for sentences and labels."""
    text = number(value, 3)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def table(
    headers: Sequence[object], rows: Iterable[Sequence[object]], caption: str | None = None
) -> Html:
    """A table that scrolls by itself where it is too wide.

    Parameters
    ----------
    headers : sequence
        One per column.
    rows : iterable of sequences
        Numbers are formatted and set right, ``None`` shows as ``–``, ``Html`` is kept, everything
        else is escaped text.
    """
    body = [list(row) for row in rows]
    numeric = [
        any(_is_number(row[index]) for row in body if index < len(row))
        and all(_is_number(row[index]) or row[index] is None for row in body if index < len(row))
        for index in range(len(headers))
    ]
    parts = ['<div class="scroll"><table>']
    if caption is not None:
        parts.append(f"<caption>{escape(caption)}</caption>")
    parts.append("<thead><tr>")
    for index, header in enumerate(headers):
        parts.append(f'<th scope="col"{_right(numeric[index])}>{escape(header)}</th>')
    parts.append("</tr></thead><tbody>")
    for row in body:
        parts.append("<tr>")
        for index, cell in enumerate(row):
            right = index < len(numeric) and numeric[index]
            parts.append(f"<td{_right(right or _is_number(cell))}>{_cell(cell)}</td>")
        parts.append("</tr>")
    parts.append("</tbody></table></div>")
    return Html("".join(parts))


def pill(text: str, tone: Tone | None = None) -> Html:
    """A small coloured label with a shape; the tone follows the word where none is given."""
    tone = tone or TONES.get(text.lower(), "calm")
    return Html(f'<span class="pill {tone}">{shape(tone)}{escape(text)}</span>')


def shape(tone: Tone) -> Html:
    """The tone's sign, so that colour is never the only carrier."""
    return Html(
        '<svg viewBox="0 0 16 16" aria-hidden="true" fill="currentColor">'
        + _SHAPES[tone].replace(
            'class="cut"',
            'fill="none" stroke="var(--cut,var(--tint))" stroke-width="1.9" '
            'stroke-linecap="round" stroke-linejoin="round"',
        )
        + "</svg>"
    )


def page(
    title: str,
    lead: str,
    sections: Sequence[Section],
    badge: str | None = None,
    *,
    tone: Tone | None = None,
    kicker: str = "Everfit",
    footer: str = "",
) -> bytes:
    """One whole page.

    Parameters
    ----------
    title, lead : str
        The headline, and the sentence under it that says what matters most.
    sections : sequence of Section
        In order; with more than two, links to them come under the lead.
    badge : str, optional
        The outcome in a word, such as ``promote``; its tone follows the word where none is given.
    kicker, footer : str
        The small line above the title; the small line that ends the page.

    Returns
    -------
    bytes
        UTF-8, deterministic.
    """
    ids = _anchors(section.title for section in sections)
    if badge is None:
        top = f'<p class="lead">{escape(lead)}</p>'
    else:
        tone = tone or TONES.get(badge.lower(), "calm")
        top = (
            f'<div class="verdict {tone}"><span class="badge">{shape(tone)}{escape(badge)}</span>'
            f'<p class="lead">{escape(lead)}</p></div>'
        )
    links = ""
    if len(sections) > 2:
        items = "".join(
            f'<li><a href="#{anchor}">{escape(section.title)}</a></li>'
            for anchor, section in zip(ids, sections, strict=True)
        )
        links = f'<nav aria-label="Contents"><ul>{items}</ul></nav>'
    body = "\n".join(
        f'<section id="{anchor}"><h2>{escape(section.title)}</h2>{section.html}</section>'
        for anchor, section in zip(ids, sections, strict=True)
    )
    foot = f"<footer>{escape(footer)}</footer>" if footer else ""
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        f'<header><div><p class="kicker">{escape(kicker)}</p><h1>{escape(title)}</h1>'
        f"{top}{links}</div></header>\n<main>\n{body}\n</main>{foot}</body></html>\n"
    )
    return text.encode()


def _anchors(titles: Iterable[str]) -> list[str]:
    ids: list[str] = []
    for title in titles:
        plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        anchor, again = plain, 2
        while anchor in ids:
            anchor, again = f"{plain}-{again}", again + 1
        ids.append(anchor)
    return ids


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _right(right: bool) -> str:
    return ' class="n"' if right else ""


def _cell(value: object) -> Html:
    if value is None:
        return escape("–")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return escape(number(value).replace("-", "−"))
    return escape(value)
