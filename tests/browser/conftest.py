"""A real Airflow with one trained pipeline, and Chromium logged in to it."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in (REPOSITORY, REPOSITORY / "plugins"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

NAME = "fares"
PATIENCE = 120_000
"""Milliseconds that a busy machine has for a page of Airflow's."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need the Airflow environment."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.airflow)
            item.add_marker(pytest.mark.slow)


@dataclass(frozen=True)
class Site:
    """Where a person looks."""

    address: str
    user: str
    password: str
    trained: str
    """Path of the page of the run that trained."""
    idle: str
    """Path of the page of the run after it, which had nothing to do."""
    mlflow: str
    """Address that stands for MLflow's pages."""


@pytest.fixture(scope="session")
def mlflow_page() -> Iterator[str]:
    """Something that answers where MLflow's pages would be."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>MLflow's page</title>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, mlflow_page: str) -> Iterator[Site]:
    """Airflow after a training that ended with a verdict, an idle one, and a monitored day."""
    from everfit.contracts.settings import Settings
    from everfit_launch.airflow_here import AirflowHere
    from everfit_launch.rest import FINISHED
    from tests.airflow.stand import QUICK, day_csv, day_of, until

    world = tmp_path_factory.mktemp("browser")
    data, specs = world / "data" / NAME, world / "pipelines"
    data.mkdir(parents=True)
    specs.mkdir()
    for number in range(3):
        (data / f"{day_of(number)}.csv").write_text(day_csv(number))
    source = {**QUICK["source"], "uri": f"{{data}}/{NAME}/*.csv"}
    (specs / f"{NAME}.yaml").write_text(yaml.safe_dump({**QUICK, "source": source}))
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("EVERFIT_")},
        "EVERFIT_ROOT": str(REPOSITORY),
        "EVERFIT_HOME": str(world / "home"),
        "EVERFIT_DATA": str(world / "data"),
        "EVERFIT_PIPELINES": str(specs),
        "EVERFIT_MLFLOW_PAGE": mlflow_page,
        "EVERFIT_AIRFLOW_PORT": "0",
    }
    dag = f"{NAME}.train"
    with AirflowHere(Settings.from_environment(environ), environ, parse_every=5) as here:
        here.wait_for_dag(dag)
        here.api.pause(dag, False)
        runs = []
        for _ in range(2):
            run = here.api.trigger(dag)
            until(lambda run=run: here.api.run_state(dag, run) in FINISHED, "the run ends", 600)
            runs.append(f"/dags/{dag}/runs/{run}")
        # A day after, on which the champion is measured; a training would change what is shown.
        here.api.pause(dag, True)
        (data / f"{day_of(3)}.csv").write_text(day_csv(3))
        board = world / "home" / "store" / "boards" / f"{NAME}.json"
        here.api.pause(f"{NAME}.monitor", False)
        here.api.trigger(f"{NAME}.monitor")
        until(lambda: json.loads(board.read_text())["scores"], "the champion is measured", 600)
        yield Site(here.address, here.user, here.password, *runs, mlflow_page)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if not program and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    assert program, "CI must install Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def logged_in(chromium: Any, site: Site) -> Any:
    """The cookies of somebody who has logged in by Airflow's own page."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(site.address)
    page.get_by_label("Username").fill(site.user)
    page.get_by_role("textbox", name="Password").fill(site.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "login" not in url)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(
    params=[
        pytest.param(("light", 1280), id="light-wide"),
        pytest.param(("dark", 390), id="dark-narrow"),
        pytest.param(("light", 390), id="light-narrow", marks=pytest.mark.thorough),
        pytest.param(("dark", 1280), id="dark-wide", marks=pytest.mark.thorough),
    ]
)
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    """Colour mode, and width of the window in pixels."""
    mode, width = request.param
    return mode, width


@pytest.fixture
def mode(look: tuple[str, int]) -> str:
    return look[0]


@pytest.fixture
def width(look: tuple[str, int]) -> int:
    return look[1]


@pytest.fixture
def page(chromium: Any, logged_in: Any, mode: str, width: int) -> Iterator[Any]:
    """A page in one colour mode and width, logged in; a script error fails the test."""
    context = chromium.new_context(
        storage_state=logged_in,
        viewport={"width": width, "height": 900},
        color_scheme=mode,
    )
    context.add_init_script(f"localStorage.setItem('theme', '{mode}')")
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    folder = os.environ.get("EVERFIT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{mode}-{width}-{id(page)}.png")
    context.close()
    assert errors == []
