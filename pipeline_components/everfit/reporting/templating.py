r"""Pages from Jinja2 templates: escaped unless they say otherwise, and the same bytes each time.

Templates lie beside what fills them (``*.html.j2`` in ``reporting/templates`` and in the ``report``
folder of each step) and are named by their path below the package. In them a number is written by
``contracts.wording``, whose functions are filters, and a text shows what it holds: control,
invisible and direction-changing characters are written as ``\uXXXX``, so that a hostile column
name can neither break nor disguise what is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup, escape

from everfit.contracts import wording
from everfit.reporting.palette import PALETTE_DARK, PALETTE_LIGHT

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = Path(__file__).resolve().parents[1]

Tone = Literal["good", "warn", "bad", "calm"]
"""What a badge or pill says by its colour; its shape and its word say it too."""

TONES: dict[str, Tone] = {
    "promote": "good",
    "passed": "good",
    "good": "good",
    "ok": "good",
    "hold": "warn",
    "warning": "warn",
    "not assessed": "warn",
    "reject": "bad",
    "failed": "bad",
    "error": "bad",
    "quarantined": "bad",
}
"""word of a badge → its tone; any other word is calm."""

_FILTERS: tuple[Callable[..., Any], ...] = (
    wording.amount,
    wording.apart,
    wording.capital,
    wording.count,
    wording.cpu_time,
    wording.duration,
    wording.interval,
    wording.listed,
    wording.number,
    wording.p_number,
    wording.percent,
    wording.plain,
    wording.sentence,
    wording.setting,
    wording.size,
)
# Characters that end a line of reasoning about what is displayed: controls, which HTML forbids or
# a browser swallows, marks that reverse the order of the text around them, and invisible ones.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufff9-\ufffb\ufffe\uffff]"
)


_PAGE: dict[str, object] = {"badge": None, "tone": "calm", "footer": "", "kicker": "Everfit"}
"""What a page has where it says nothing else."""


_APART = re.compile(rf"{wording.MINUS}(?=[^\w\s])")
"""A minus sign that a browser may leave at the end of a line."""


class Contents:
    """The sections of one page, as they are begun: each gets an anchor of its own."""

    def __init__(self) -> None:
        self._begun: list[tuple[str, str]] = []

    def begin(self, title: str) -> str:
        """Take a section up, and name its anchor."""
        plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        known = {anchor for anchor, _ in self._begun}
        anchor, again = plain, 2
        while anchor in known:
            anchor, again = f"{plain}-{again}", again + 1
        self._begun.append((anchor, title))
        return anchor

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._begun)

    def __len__(self) -> int:
        return len(self._begun)


def render(template: str, **values: object) -> bytes:
    """One whole page.

    Parameters
    ----------
    template : str
        Its path below the package, such as ``steps/gate/report/decision_report.html.j2``.
    values
        What the template reads by name. Text is escaped; ``Markup`` is put in as it is, so it is
        made of escaped parts only.

    Returns
    -------
    bytes
        UTF-8, deterministic.

    Raises
    ------
    jinja2.UndefinedError
        If the template reads a name that is not given.
    """
    given = {**_PAGE, "style": _style(), "contents": Contents(), **values}
    return (_environment().get_template(template).render(given) + "\n").encode()


def part(template: str, macro: str, *values: object) -> Markup:
    """The markup of one macro of a template, for a test or for a part of a page."""
    module = _environment().get_template(template).module
    made: Markup = getattr(module, macro)(*values)
    return made


def shown(value: object) -> object:
    """A value as a page shows it: a number by ``wording``, ``–`` for none, a text undisguised."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return wording.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return wording.number(value)
    return visible(str(value))


def visible(text: str) -> str:
    """A text whose characters are all seen; a percent sign stays with its number."""
    text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)


def _in_lines(value: object) -> object:
    """A value as a template writes it: no line ends between a minus sign and a currency's."""
    written = shown(value)
    if isinstance(written, Markup) or not isinstance(written, str):
        return written
    return _APART.sub(wording.MINUS + "\N{WORD JOINER}", written)


def markup(value: object) -> Markup:
    """A value as markup that shows it, and does nothing else."""
    return escape(shown(value))


def tone_of(word: str) -> Tone:
    """The tone of a badge's word."""
    return TONES.get(word.lower(), "calm")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_in_lines,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        auto_reload=False,
        extensions=["jinja2.ext.do"],
    )
    made.filters.update({made_by.__name__: made_by for made_by in _FILTERS})
    made.filters |= {"tone": tone_of, "time": _time}
    return made


@cache
def _style() -> Markup:
    """The style sheet, with both palettes."""
    sheet = _environment().get_template("reporting/templates/page.css.j2")
    return Markup(  # noqa: S704 (a template of ours, filled with constants)
        sheet.render(light=Markup(PALETTE_LIGHT), dark=Markup(PALETTE_DARK))  # noqa: S704
    )


def _time(text: str | None) -> str | None:
    """An ISO time to the minute, as people write it."""
    return text.replace("T", " ")[:16] if text else None
