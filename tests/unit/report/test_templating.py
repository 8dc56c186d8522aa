"""Pages show text and do nothing else, stand alone, and are the same bytes each time."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from everfit.reporting import templating
from everfit.reporting.palette import PALETTE_DARK, PALETTE_LIGHT
from everfit.reporting.pictures import embedded
from everfit.reporting.svg import Drawing
from everfit.reporting.templating import markup, part, render

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;"
PARTS = "reporting/templates/parts.html.j2"
PAGE = "tests/page.html.j2"
TEMPLATE = """{% extends "reporting/templates/page.html.j2" %}
{% import "reporting/templates/parts.html.j2" as ui %}
{% block body %}
{% for name in titles %}
{% call ui.section(contents, name) %}
{{ ui.table([text, [text, "n"]], [[text, text]], text) }}{{ ui.facts([(text, text)]) }}
{{ ui.pill(text) }}{{ ui.tag(text) }}{{ ui.tipped(text, text) }}{{ picture }}
{% endcall %}
{% endfor %}
{% endblock %}"""


class Reader(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(autouse=True)
def some_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of every part, beside those of the package."""
    here = templating._environment()
    both = jinja2.ChoiceLoader([jinja2.DictLoader({PAGE: TEMPLATE}), here.loader])
    monkeypatch.setattr(here, "loader", both)


def page(text: str, titles: tuple[str, ...] = (), **more: object) -> str:
    said = {"title": text, "lead": text, "kicker": text, "footer": text, "badge": text} | more
    picture = embedded("a.svg", b"<svg/>")
    shown = part(PARTS, "picture", picture.drawing, picture.image, text)
    return render(PAGE, text=text, titles=titles or (text,) * 3, picture=shown, **said).decode()


def names(text: str) -> list[str]:
    return [tag for tag, _ in Reader(text).tags]


def test_everything_that_is_text_is_escaped_everywhere() -> None:
    shown, plain = page(HOSTILE), page("a")
    assert names(shown) == names(plain)
    read = Reader(shown)
    # title twice, lead, badge, kicker, footer; three links; of three sections the heading, four
    # cells and a caption, a name and a value, pill, tag and a text with a tip
    assert "".join(read.text).count(HOSTILE) == 6 + 3 + 3 * (1 + 5 + 2 + 3)
    tips = [value for _, attributes in read.tags for value in attributes.values()]
    assert HOSTILE in tips


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_no_text_becomes_markup_and_every_text_can_be_encoded(text: str) -> None:
    cell = part(PARTS, "table", ["x"], [[text]])
    assert names(cell) == ["div", "table", "thead", "tr", "th", "tbody", "tr", "td"]
    assert cell.encode()
    assert Reader(f"<i>{markup(text)}</i>").tags == [("i", {})]


@pytest.mark.parametrize(
    "trick", ["a\u202eb", "a\u200bb", "a\x00b", "a\x1bb", "a\ufeffb", "a\ud800b"]
)
def test_characters_that_disguise_are_shown(trick: str) -> None:
    assert markup(trick) == f"a\\u{ord(trick[1]):04x}b"
    assert f"a\\u{ord(trick[1]):04x}b" in part(PARTS, "facts", [("x", trick)])


def test_markup_is_kept_only_where_it_says_it_is_markup() -> None:
    assert "<b>x</b>" in part(PARTS, "facts", [("h", Markup("<b>x</b>"))])
    assert "<b>" not in part(PARTS, "facts", [("<b>", "<b>x</b>")])
    assert markup(markup("<")) == "&lt;"


def test_a_page_fetches_nothing_and_runs_nothing() -> None:
    shown = page("t", badge="promote")
    found = Reader(shown).tags
    assert not {"script", "link", "iframe", "object", "embed", "form"} & {tag for tag, _ in found}
    policy = next(a["content"] for t, a in found if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    for _, attributes in found:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value is not None
                assert value.startswith(("data:image/", "#"))
    assert "http://" not in shown
    assert "https://" not in shown
    assert "url(" not in shown
    assert "@import" not in shown


def test_equal_values_give_equal_bytes() -> None:
    assert page("t", badge="hold") == page("t", badge="hold")


def test_a_page_begins_as_pages_do() -> None:
    assert page("t").startswith('<!DOCTYPE html>\n<html lang="en">')


def test_links_lead_to_sections_even_where_titles_repeat() -> None:
    found = Reader(page("t", ("Data", "Data", "…"))).tags
    ids = [a["id"] for t, a in found if t == "section"]
    assert ids == ["data", "data-2", "section"]
    assert [a["href"] for t, a in found if t == "a"] == [f"#{i}" for i in ids]


def test_two_sections_need_no_links() -> None:
    assert "<nav" not in page("t", ("a", "b"))


@pytest.mark.parametrize(
    ("word", "tone"),
    [("promote", "good"), ("hold", "warn"), ("reject", "bad"), ("anything", "calm")],
)
def test_a_pill_has_a_tone_a_word_and_a_shape(word: str, tone: str) -> None:
    pill = part(PARTS, "pill", word)
    assert f'<span class="pill {tone}"><svg' in pill
    assert f"</svg>{word}</span>" in pill


def test_a_badge_has_a_tone_a_word_and_a_shape() -> None:
    shown = page("t", badge="promote", tone="good")
    assert '<div class="verdict good"><span class="badge"><svg' in shown
    assert "</svg>promote</span>" in shown


def test_numbers_stand_right_and_are_written_as_everywhere() -> None:
    shown = part(PARTS, "table", ["name", ["count", "n"]], [["a", 12345], ["b", None], ["c", -1.5]])
    assert '<th scope="col" role="columnheader" class="n">count</th>' in shown
    assert [
        row.rsplit(">", 1)[1] for row in re.findall(r'class="n" data-label="count">[^<]*', shown)
    ] == [
        "12,345",
        "–",
        "−1.50",
    ]


def test_on_a_phone_each_value_bears_the_name_of_its_column() -> None:
    shown = part(PARTS, "table", ["name", "count"], [["a", "b"]], None, ["total", "c"])
    assert re.findall(r'data-label="(\w+)">(\w)', shown) == [
        ("name", "a"),
        ("count", "b"),
        ("name", "t"),
        ("count", "c"),
    ]


def test_a_digest_is_short_and_told_whole_when_it_is_pointed_at() -> None:
    value = "0123456789abcdef" * 4
    shown = part(PARTS, "digest", value)
    assert f'tabindex="0" data-tip="{value}">0123456789ab</span>' in shown


def test_a_percent_sign_stays_with_its_number() -> None:
    assert markup("12.3 % of 5 %") == "12.3\xa0% of 5\xa0%"


def test_a_minus_sign_stays_with_the_currency_after_it() -> None:
    assert "−\u2060$0.500 to −0.2" in part(PARTS, "facts", [("x", "−$0.500 to −0.2")])


def test_dark_and_light_follow_the_reader_and_can_be_told() -> None:
    style = page("t")
    assert f"color-scheme: light; {PALETTE_LIGHT}" in style
    assert ':root:not([data-theme="light"]) { color-scheme: dark;' in style
    assert f':root[data-theme="dark"] {{ color-scheme: dark; {PALETTE_DARK}' in style
    assert re.findall(r"--[a-z-]+(?=:)", PALETTE_DARK) == re.findall(
        r"--[a-z-]+(?=:)", PALETTE_LIGHT
    )


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    digits = colour * 2 if len(colour) == 3 else colour
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", [PALETTE_LIGHT, PALETTE_DARK])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "surface"),
        ("ink", "paper"),
        ("soft", "surface"),
        ("soft", "paper"),
        ("accent", "surface"),
        ("good", "good-tint"),
        ("warn", "warn-tint"),
        ("bad", "bad-tint"),
        ("calm", "calm-tint"),
        ("surface", "ink"),
    ],
)
def test_text_has_the_contrast_that_wcag_asks_for(palette: str, text: str, ground: str) -> None:
    colours = dict(re.findall(r"--([a-z-]+):#([0-9a-f]{3,6})", palette))
    light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_every_template_of_the_package_compiles_and_says_what_it_is_given() -> None:
    """Names that no page gives, and filters that there are not, are found here."""
    here = templating._environment()
    package = Path(templating.PACKAGE)
    every = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.j2"))
    # Files of a new repository are no pages: they have filters, and tests, of their own.
    found = [name for name in every if not name.startswith("operations/new_repository/")]
    assert len(found) >= 5
    for name in found:
        here.get_template(name)


def test_a_drawing_in_a_page_has_a_form_for_wide_and_for_narrow_screens() -> None:
    shown = part(PARTS, "both", Drawing(860, 10, "wide"), Drawing(340, 10, "narrow"))
    assert re.findall(r'class="only-(\w+)">.*?aria-label="(\w+)"', shown) == [
        ("wide", "wide"),
        ("narrow", "narrow"),
    ]
