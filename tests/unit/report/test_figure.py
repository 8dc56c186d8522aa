"""SVG that may stand in a page: equal bytes, nothing outside itself touched."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib

from pipeline_components.report.figure import canvas, house_style, svg


def drawn(title: str = "") -> bytes:
    with house_style():
        figure, (left, right) = canvas(2)
        left.plot([1, 2, 3], [1, 4, 2], label="a < b & c")
        left.legend()
        right.bar([1, 2], [3, -4])
        right.set_xlabel("log loss")
        return svg(figure, title)


def test_equal_figures_give_equal_bytes():
    assert drawn("t") == drawn("t")


def test_it_may_stand_in_a_page_as_it_is():
    text = drawn().decode()
    assert text.startswith("<svg")
    assert text.endswith("</svg>\n")
    assert "<style" not in text
    assert "<metadata" not in text
    assert ElementTree.fromstring(text) is not None


def test_nothing_in_it_tells_when_or_by_what_version_it_was_made():
    assert not re.search(rb"20\d\d-|Matplotlib|matplotlib v", drawn())


def test_the_title_is_escaped_text():
    root = ElementTree.fromstring(drawn("a < b & c"))
    assert root.find("{http://www.w3.org/2000/svg}title").text == "a < b & c"


def test_text_stays_text_in_the_readers_font():
    root = ElementTree.fromstring(drawn())
    found = {
        "".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")
    }
    assert {"log loss", "a < b & c"} <= found
    assert b"system-ui" in drawn()


def test_style_outside_is_left_alone():
    before = dict(matplotlib.rcParams)
    matplotlib.rcParams["font.size"] = 21
    try:
        assert drawn() == drawn()
        assert matplotlib.rcParams["font.size"] == 21
    finally:
        matplotlib.rcParams["font.size"] = before["font.size"]
    assert dict(matplotlib.rcParams) == before
