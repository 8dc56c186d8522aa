"""``everfit ui``: the cockpit's pages without Airflow."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from everfit.cli.command import load
from everfit.contracts.board import Board
from everfit.engine.context import open_context
from everfit.engine.stopping import EXIT_TERMINATED
from everfit.errors import UserError
from everfit.operations import cockpit
from everfit.operations.board import make_board
from tests.json_shapes import mismatch
from tests.pipeline.serving import PROGRAM
from tests.world import settings_in


@pytest.fixture
def site(checkout: Path) -> Iterator[dict[str, object]]:
    """A server in a process of its own: the document that it writes when it listens."""
    (checkout / "dags" / "pipelines" / "young.yaml").write_text(
        (checkout / "dags" / "pipelines" / "quick.yaml").read_text()
    )
    words = [sys.executable, "-c", PROGRAM, "ui", "--port", "0", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("}"):
                break
        yield json.loads(text)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=120)
        assert (process.returncode, rest) == (EXIT_TERMINATED, "")
    finally:
        process.kill()
        process.communicate()


def get(site, path: str, host: str = "") -> tuple[int, dict[str, str], bytes]:
    _, _, place = str(site["address"]).partition("//")
    connection = http.client.HTTPConnection(place, timeout=60)
    connection.putrequest("GET", path, skip_host=bool(host))
    if host:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.headers), answer.read()
    connection.close()
    return found


def test_the_pages_and_their_boards_are_shown_to_this_machine_alone(site, checkout) -> None:
    assert mismatch(site, load("ui").answer()) is None
    assert str(site["address"]).startswith("http://127.0.0.1:")
    status, headers, page = get(site, "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    for name in ("alone.js", "cockpit.css"):
        assert f"cockpit/{name}".encode() in page
        assert get(site, f"/cockpit/{name}")[2] == cockpit.page_files()[name].read_bytes()
    before = sorted((path, path.read_bytes()) for path in (checkout / ".everfit").rglob("*.json"))
    listed = json.loads(get(site, "/api/boards")[2])
    assert [row["pipeline"] for row in listed["boards"]] == ["quick"]
    assert listed["without"] == ["young"]
    board = Board.model_validate_json(get(site, "/api/boards/quick")[2])
    with open_context(settings_in(checkout)) as context:
        from everfit.contracts.spec.load import find_spec, load_spec

        spec = load_spec(find_spec(context.settings.pipelines, "quick"))
        assert board.model_copy(update={"at": ""}) == make_board(spec, context).model_copy(
            update={"at": ""}
        )
    after = sorted((path, path.read_bytes()) for path in (checkout / ".everfit").rglob("*.json"))
    assert after == before
    for path in ("/api/boards/other", "/cockpit/..%2f__init__.py", "/nothing", "/api"):
        assert get(site, path)[0] == 404
    for host in ("evil.example", "127.0.0.1", "127.0.0.1:1"):
        assert get(site, "/api/boards", host)[0] == 403


def test_a_port_that_is_taken_and_pages_that_are_not_there_are_told(
    site, everfit, monkeypatch
) -> None:
    port = str(site["address"]).rpartition(":")[2]
    code, _, told = everfit("ui", "--port", port)
    assert (code, told.split()[0]) == (2, "UI-PORT")
    monkeypatch.setattr(cockpit, "PLUGIN", "everfit_of_another_name")
    with pytest.raises(UserError, match="UI-PAGES"):
        cockpit.page_files()
