"""People look at all models, click one, and read it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import NAME, Site


def open_models(page: Any, site: Site) -> Any:
    """Click Models in Airflow's navigation; the pipeline's row."""
    page.goto(site.address)
    page.get_by_role("link", name="Models", exact=True).click()
    row = page.locator(".everfit .models tbody tr").filter(has_text=NAME)
    row.wait_for()
    return row


def fits(page: Any, alone: bool = False) -> bool:
    """Whether nothing stands out of our part of the page, nor that of a page that is all ours."""
    return bool(
        page.locator(".everfit").evaluate(
            "(all, alone) => ["
            "...all.querySelectorAll('h1, h2, section, .tools, .across, svg.spans'),"
            " ...(alone ? [all] : [])"
            "].every(one => one.getBoundingClientRect().right <= 1 + (alone"
            " ? document.documentElement.clientWidth : all.getBoundingClientRect().right))",
            alone,
        )
    )


def ink(page: Any, selector: str) -> int:
    """Brightness of a text: 0 to 765."""
    colour = page.locator(selector).first.evaluate("element => getComputedStyle(element).color")
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def test_a_person_finds_a_model_and_reads_it(page: Any, site: Site, mode: str, width: int) -> None:
    row = open_models(page, site)
    text = row.inner_text()
    for part in ("v1", "MAE", "gain", "of 20 trainings in 1d", "CPU"):
        assert part in text
    assert re.search("promoted|held|rejected", text)  # the watched day may have been trained on
    assert row.get_by_role("img", name=re.compile("^Score")).count() == 1
    assert row.get_by_role("img", name=re.compile("^Drift on 1 span")).count() == 1
    cards = (
        row.locator("td").first.evaluate("cell => getComputedStyle(cell).display") != "table-cell"
    )
    assert cards == (width == 390)
    assert (ink(page, ".everfit h1") > 380) == (mode == "dark")
    assert fits(page, alone=True)

    page.get_by_role("searchbox").fill("no such thing")
    page.get_by_text("No pipeline matches").wait_for()
    page.get_by_role("searchbox").fill(NAME.upper())
    row.wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download as CSV").click()
    assert saved.value.path().read_text().splitlines()[1].startswith(f"{NAME},")

    row.get_by_role("link", name=NAME).click()
    page.wait_for_url(f"**/dags/{NAME}.train/plugin/everfit_model")
    chart = page.locator("svg.spans")
    chart.wait_for()
    assert page.locator(".everfit h1").inner_text().startswith(NAME)
    chart.focus()
    page.keyboard.press("ArrowLeft")
    readout = page.locator(".everfit .readout").inner_text()
    assert "v1: MAE" in readout
    assert "240 rows" in readout
    for title in ("Why now, or why not", "Budgets and cost", "Runs", "Who decided"):
        assert page.get_by_role("heading", name=title, exact=True).is_visible()
    assert "new_data" in page.get_by_role("region", name="Why now, or why not").inner_text()
    assert (ink(page, ".everfit h1") > 380) == (mode == "dark")
    assert fits(page)
    page.get_by_role("link", name="All models").click()
    page.locator(".everfit .models").wait_for()


@pytest.mark.parametrize("mode", ["light"])
@pytest.mark.parametrize("width", [1280])
def test_both_dags_have_the_tab(page: Any, site: Site, mode: str, width: int) -> None:
    page.goto(f"{site.address}/dags/{NAME}.monitor")
    page.get_by_role("link", name="Model", exact=True).click()
    page.locator("svg.spans").wait_for()
    page.get_by_role("link", name="Training runs").click()
    page.wait_for_url(f"**/dags/{NAME}.train")
