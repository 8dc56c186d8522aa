"""Drawings: escaped, readable, and safe to take from a file into a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.reporting.forest import Row, forest
from everfit.reporting.pictures import embedded
from everfit.reporting.plot import NARROW, WIDE, legend, room_around, ticks
from everfit.reporting.svg import Drawing, clipped, fixed, read_drawing, text_width
from tests.drawings import assert_readable, measured, texts

HOSTILE = "</title><script>alert('x')</script>\" onload=\"x\u202e"


def drawn(text: str = "a") -> Drawing:
    made = Drawing(340, 100, text)
    made.text(5, 20, text)
    made.text(5, 40, text, "middle", faint=True, turned=30)
    made.add("path", d="M0 0L10 10", stroke="var(--accent)", fill="none", stroke_dasharray="4 4")
    made.add("circle", cx=5, cy=5, r=2, fill="var(--bad)", opacity="0.5")
    made.hit(10, 10, 20, 20, text)
    made.hit(200, 10, 20, 20, text, stop=False)
    return made


def test_equal_drawings_give_equal_bytes() -> None:
    assert drawn().file() == drawn().file()
    assert drawn().inline() == drawn().inline()


@given(st.text(st.characters(codec="utf-8")) | st.just(HOSTILE))
def test_text_is_shown_and_does_nothing_else(text: str) -> None:
    root = ElementTree.fromstring(drawn(text).file())
    tags = {node.tag.rpartition("}")[2] for node in root.iter()}
    assert tags <= {"svg", "title", "style", "text", "path", "circle", "rect"}
    assert not any(key.startswith("on") for node in root.iter() for key in node.attrib)
    assert "\u202e" not in drawn(text).file().decode()


@given(st.text(st.characters(codec="utf-8")) | st.just(HOSTILE))
def test_a_drawing_comes_back_from_its_file(text: str) -> None:
    again = read_drawing(drawn(text).file(), text)
    assert again is not None
    # XML knows one kind of line break
    assert again.inline() == drawn(text.replace("\r\n", "\n").replace("\r", "\n")).inline() or (
        "\r" in text
    )


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        '<image href="https://example.org/x.png"/>',
        '<path d="M0 0" onclick="alert(1)"/>',
        '<path d="M0 0" style="position:fixed"/>',
        '<path d="M0 0" fill="url(https://example.org/#a)"/>',
        '<path d="M0 0" class="verdict"/>',
        '<text x="1" y="1">a<a href="x">b</a></text>',
        "<foreignObject><p>x</p></foreignObject>",
        '<g transform="scale(100)"><path d="M0 0"/></g>',
        '<use href="#a"/>',
        '<animate attributeName="fill"/>',
        '<path d="M0 0" fill="&#34;&gt;"/>',
    ],
)
def test_what_we_do_not_draw_is_not_taken_into_a_page(inner: str) -> None:
    file = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><title>t</title>{inner}</svg>'
    )
    assert read_drawing(file.encode(), "x") is None
    shown = embedded("a_picture.svg", file.encode())
    assert shown.drawing is None
    assert shown.caption == "A picture"
    assert shown.image


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"<svg/>",
        b"<svg",
        b'<!DOCTYPE x [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg" '
        b'viewBox="0 0 1 1"/>',
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 0 0"/>',
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect class="hit"/></svg>',
        b'<html xmlns="http://www.w3.org/1999/xhtml"/>',
        b"\xff\xfe",
    ],
)
def test_what_is_no_drawing_is_none(file: bytes) -> None:
    assert read_drawing(file, "x") is None


def test_what_can_be_pointed_at_is_reached_by_keyboard_and_touch() -> None:
    shown = drawn("said").inline()
    stop, touched = re.findall(r'<span class="tip hit ([a-z-]+)" ([^>]*)>', shown)
    assert stop[0] == "from-left"
    assert 'role="img" tabindex="0" aria-label="said"' in stop[1]
    assert "left:2.9%;top:10%;width:5.9%;height:20%" in stop[1]  # 10, 20 of 340 by 100
    assert touched[0] == "from-middle"
    assert 'tabindex="-1" aria-hidden="true" data-tip="said"' in touched[1]


def test_all_text_has_one_size() -> None:
    assert "font-size" not in drawn().inline()
    assert drawn().file().decode().count("12px") == 1


def test_a_file_has_both_palettes() -> None:
    assert b"prefers-color-scheme:dark" in drawn().file()
    assert b"<style" not in drawn().inline().encode()


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=60))
def test_a_text_is_never_wider_than_it_is_taken_to_be(text: str) -> None:
    """Measured in DejaVu Sans; a short text may miss by a fraction of a letter."""
    assert measured(text) <= text_width(text) + 2.5


@given(st.text(max_size=80), st.floats(20, 400))
def test_a_clipped_text_fits(text: str, width: float) -> None:
    short = clipped(text, width)
    assert short == text or short == "…" or text_width(short) <= width
    assert (short == text) == (text_width(text) <= width)


@pytest.mark.parametrize(("value", "text"), [(3.14159, "3.1"), (10.0, "10"), (-0.04, "0")])
def test_coordinates_are_short(value: float, text: str) -> None:
    assert fixed(value) == text


@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-6, 1e6),
)
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    high = low + span
    found = ticks(low, high)
    assert 2 <= len(found) <= 6
    slack = span * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in found)


def test_there_is_room_around_even_where_all_values_are_one() -> None:
    for value in (0.0, 5.0, -3.0):
        low, high = room_around([value])
        assert low < value < high


def test_a_legend_goes_on_in_the_next_line() -> None:
    drawing = Drawing(200, 100, "x")
    below = legend(drawing, 20, [("red", "candidate"), ("blue", "baseline"), ("grey", "others")])
    assert below > 20 + 17
    assert_readable(drawing)


SCORES = st.floats(-1e3, 1e3).map(lambda value: round(value, 6))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.text("abc_ ", min_size=1, max_size=50), SCORES, st.floats(0.001, 9)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([NARROW, WIDE]),
    st.sampled_from([None, "$", "min"]),
    st.booleans(),
)
def test_no_label_of_a_forest_is_cut_or_overprinted(
    values: list[tuple[str, float, float]], width: float, unit: str | None, zero: bool
) -> None:
    rows = [
        Row(name, value, value - half, value + half, limit=-1.0) for name, value, half in values
    ]
    drawing = forest(
        rows,
        "x",
        unit=unit,
        width=width,
        zero="no difference" if zero else None,
        below="gain",
        heading="Gain",
    )
    assert_readable(drawing)
    assert len(drawing.hits) == len(rows)
    assert len(texts(drawing)) >= 2 * len(rows) + 2


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("unit", ["$", "passengers", "kWh per m² and day"])
@pytest.mark.parametrize("value", [0.0, 3.21, -1234567.8, 9.87e-15, 6.5e200])
def test_values_with_a_long_unit_are_neither_cut_nor_overprinted(value, unit, width) -> None:
    rows = [
        Row("a_slice_of_a_column_with_a_long_name = a long value", value, value - 1, value + 1),
        Row("rush hour", value * 0.9, value * 0.9 - 1, value * 0.9 + 1),
    ]
    drawing = forest(rows, "Gain", unit=unit, width=width, zero="no difference", below="gain")
    assert_readable(drawing)
    assert all(unit in hit.tip for hit in drawing.hits)  # told in full where it is pointed at
