"""People click through the tab of a run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import Site

REPORTS = ("Decision report", "Model card", "Data report")


def tab(page: Any, site: Site, path: str) -> None:
    """Open a run and click its tab."""
    page.goto(site.address + path)
    page.get_by_role("link", name="Everfit", exact=True).click()


def address_of(site: Site, report: str) -> str:
    """Where a report of the trained run is by itself."""
    run = site.trained.replace("/dags/", "").replace("/runs/", "/")
    return f"{site.address}/everfit/runs/{run}/{report}"


def shown(page: Any, title: str) -> Any:
    """What the frame of a report holds."""
    return page.frame_locator(f"iframe[title='{title}']").locator("body")


def test_each_report_of_a_run_opens_by_a_click(page: Any, site: Site) -> None:
    tab(page, site, site.trained)
    for title in (*REPORTS[1:], REPORTS[0]):
        page.get_by_role("button", name=title).click()
        body = shown(page, title)
        body.locator("h1").wait_for()
        assert "Not authenticated" not in body.inner_text()
        assert len(body.inner_text()) > 500


def test_a_report_has_the_colours_of_the_page_around_it(page: Any, site: Site, mode: str) -> None:
    tab(page, site, site.trained)
    body = shown(page, REPORTS[0])
    body.locator("h1").wait_for()
    assert page.evaluate("document.documentElement.classList.contains('dark')") == (mode == "dark")
    colour = body.evaluate("element => getComputedStyle(element).backgroundColor")
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    assert (red + green + blue < 300) == (mode == "dark")


@pytest.mark.parametrize(("mode", "width"), [("light", 1280)])
def test_mlflow_opens_beside_airflow(page: Any, site: Site) -> None:
    tab(page, site, site.trained)
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Open in MLflow").click()
    opened.value.wait_for_load_state()
    assert opened.value.url.startswith(site.mlflow)
    assert opened.value.title() == "MLflow's page"


@pytest.mark.parametrize(("mode", "width"), [("light", 1280)])
def test_a_run_with_nothing_to_do_says_why(page: Any, site: Site) -> None:
    tab(page, site, site.idle)
    page.get_by_role("heading", name="This run made no report").wait_for()
    assert page.get_by_text("plan").first.is_visible()


@pytest.mark.parametrize(("mode", "width"), [("light", 1280)])
def test_a_task_links_to_its_report(page: Any, site: Site) -> None:
    page.goto(f"{site.address}{site.trained}/tasks/gate/details")
    page.get_by_role("link", name="Decision report").click()
    page.wait_for_url("**/everfit/report/*")
    assert page.locator("h1").inner_text()
    page.get_by_role("heading", name="Checks", exact=True).wait_for()


@pytest.mark.parametrize("report", ["decision_report", "model_card", "data_report"])
@pytest.mark.parametrize(("mode", "width"), [("light", 390)])
def test_a_report_is_not_wider_than_a_phone(page: Any, site: Site, report: str) -> None:
    page.goto(address_of(site, report))
    page.locator("h1").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nobody_reads_a_report_without_a_login(chromium: Any, site: Site) -> None:
    context = chromium.new_context()
    assert context.request.get(address_of(site, "decision_report")).status == 401
    context.close()
