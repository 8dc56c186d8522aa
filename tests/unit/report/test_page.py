"""Pages show text and do nothing else, stand alone, and are the same bytes each time."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_components.report.elements import digest, facts, picture
from pipeline_components.report.page import (
    Html,
    Section,
    escape,
    number,
    page,
    pill,
    short,
    table,
)

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;"


class Reader(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def names(text: str) -> list[str]:
    return [tag for tag, _ in Reader(text).tags]


def test_everything_that_is_text_is_escaped_everywhere():
    shown = page(
        HOSTILE, HOSTILE, [Section(HOSTILE, table([HOSTILE], [[HOSTILE]], caption=HOSTILE))] * 3,
        badge=HOSTILE, kicker=HOSTILE, footer=HOSTILE,
    ).decode()  # fmt: skip
    plain = page(
        "a", "b", [Section("c", table(["d"], [["e"]], caption="f"))] * 3,
        badge="g", kicker="h", footer="i",
    ).decode()  # fmt: skip
    assert names(shown) == names(plain)
    # title twice, lead, badge, kicker, footer; three links; heading, caption and cells of three
    assert "".join(Reader(shown).text).count(HOSTILE) == 6 + 3 + 3 * 4


@given(st.text(st.characters(codec=None, exclude_categories=[])))
def test_no_text_becomes_markup_and_every_text_can_be_encoded(text):
    cell = table(["x"], [[text]])
    assert names(cell) == ["div", "table", "thead", "tr", "th", "tbody", "tr", "td"]
    assert cell.encode()
    found = Reader(f"<i>{escape(text)}</i>")
    assert found.tags == [("i", {})]


@pytest.mark.parametrize(
    "trick", ["a\u202eb", "a\u200bb", "a\x00b", "a\x1bb", "a\ufeffb", "a\ud800b"]
)
def test_characters_that_disguise_are_shown(trick):
    assert escape(trick) == f"a\\u{ord(trick[1]):04x}b"


def test_markup_is_kept_only_where_it_says_it_is_markup():
    assert "<td><b>x</b></td>" in table(["h"], [[Html("<b>x</b>")]])
    assert "<b>" not in table(["h"], [["<b>x</b>"]])
    assert "<b>" not in facts([("<b>", "<b>")])
    assert escape(escape("<")) == "&lt;"


def test_a_page_fetches_nothing_and_runs_nothing():
    shown = page("t", "l", [Section("s", picture(b"<svg/>", "alt", "c"))], badge="promote").decode()
    found = Reader(shown).tags
    assert not {"script", "link", "iframe", "object", "embed", "form"} & {tag for tag, _ in found}
    policy = next(a["content"] for t, a in found if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    for _, attributes in found:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value is not None and value.startswith(("data:image/", "#"))
    assert "http://" not in shown and "https://" not in shown
    assert "url(" not in shown and "@import" not in shown


def test_equal_calls_give_equal_bytes():
    made = [page("t", "l", [Section("s", table(["a"], [[1.5]]))], badge="hold") for _ in range(2)]
    assert made[0] == made[1]


def test_links_lead_to_sections_even_where_titles_repeat():
    shown = page("t", "l", [Section("Data", ""), Section("Data", ""), Section("…", "")]).decode()
    found = Reader(shown).tags
    ids = [a["id"] for t, a in found if t == "section"]
    assert ids == ["data", "data-2", "section"]
    assert [a["href"] for t, a in found if t == "a"] == [f"#{i}" for i in ids]


@pytest.mark.parametrize(
    ("badge", "tone"),
    [("promote", "good"), ("hold", "warn"), ("reject", "bad"), ("anything", "calm")],
)
def test_a_badge_has_a_tone_a_word_and_a_shape(badge, tone):
    shown = page("t", "l", [], badge=badge).decode()
    assert f'<div class="verdict {tone}"><span class="badge"><svg' in shown
    assert f"</svg>{badge}</span>" in shown
    assert f'<span class="pill {tone}"><svg' in pill(badge)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (12345, "12,345"), (0.5, "0.5000"), (2.0, "2.000"), (-3.14159, "-3.142"),
        (123456.7, "123,457"), (0.0123456, "0.01235"), (1e-9, "1.000e-09"), (-0.0, "0"),
        (1e12, "1.000e+12"), (None, "–"), (float("nan"), "nan"), (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_numbers_for_people(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.05, "0.05"), (2.0, "2"), (1200.0, "1,200"), (0.12345, "0.123"),
                        (100, "100"), (-0.5, "-0.5"), (1e-9, "1.00e-09")],
)  # fmt: skip
def test_short_numbers(value, text):
    assert short(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_shown_number_is_the_number_to_four_figures(value):
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=1e-3)


def test_numbers_stand_right_and_texts_left():
    shown = table(["name", "count"], [["a", 1], ["b", None]])
    assert '<th scope="col">name</th><th scope="col" class="n">count</th>' in shown
    assert '<td>b</td><td class="n">–</td>' in shown
    assert '<td class="n">−1.500</td>' in table(["x"], [[-1.5]])


def test_a_digest_is_short_with_the_whole_in_its_title():
    value = "0123456789abcdef" * 4
    assert digest(value) == f'<span class="digest" title="{value}">0123456789ab</span>'


def test_a_wide_picture_has_a_row_of_its_own():
    assert picture(b'<svg role="img" width="662.4pt" height="9pt">', "x").startswith(
        '<figure class="wide"><img src="data:image/svg+xml;base64,'
    )
    assert picture(b'<svg width="331.2pt">', "x").startswith("<figure><img")
    assert picture(b'<svg width="a lot">', "x").startswith("<figure><img")
