"""The comment goes to the pull request once, and is replaced from then on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from everfit.operations.delivery.comment import MARK
from everfit.operations.delivery.post import main

REPOSITORY = Path(__file__).resolve().parents[3]
TOKEN = "correct-horse"


class Comments(BaseHTTPRequestHandler):
    """GitHub's comments of issue 7 of ``team/models``, as its reference describes them."""

    there: list[dict[str, object]]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(pair.split("=") for pair in query.split("&"))
        size, page = int(asked["per_page"]), int(asked["page"])
        found = self.there[size * (page - 1) : size * page]
        self.answer(found if path == "/repos/team/models/issues/7/comments" else None)

    def do_POST(self) -> None:
        if self.path != "/repos/team/models/issues/7/comments":
            return self.answer(None)
        one = {"id": len(self.there) + 1, "html_url": f"page#{len(self.there) + 1}"} | self.body()
        self.there.append(one)
        return self.answer(one)

    def do_PATCH(self) -> None:
        *_, number = self.path.split("/")
        one = self.there[int(number) - 1]
        one.update(self.body())
        self.answer(one)

    def body(self) -> dict[str, str]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, document: object) -> None:
        allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
        self.send_response(403 if not allowed else 404 if document is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(document if allowed else {}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, object]]]:
    there: list[dict[str, object]] = []
    handler = type("Handler", (Comments,), {"there": there})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("GITHUB_REPOSITORY", "team/models")
        monkeypatch.setenv("PULL_REQUEST", "7")
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "comment.md"
    path.write_text(f"{MARK}\nfirst\n")
    return path


def test_a_second_comment_replaces_the_first_among_many(github, file, capsys) -> None:
    github += [{"id": n, "html_url": "", "body": f"words {MARK}"} for n in range(1, 151)]
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == "page#151\n"
    file.write_text(f"{MARK}\nsecond\n")
    assert main([str(file)]) == 0
    assert len(github) == 151
    assert github[150]["body"] == f"{MARK}\nsecond\n"
    assert github[0]["body"] == f"words {MARK}"  # others' words are left alone


def test_a_token_that_may_not_comment_is_told_and_not_shown(github, file, monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_TOKEN", "secret-of-another")
    assert main([str(file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("POST-REFUSED")
    assert "secret-of-another" not in error


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("PULL_REQUEST", "", "POST-SETTING"),
        ("PULL_REQUEST", "7/../8", "POST-NUMBER"),
        ("GITHUB_API_URL", "http://example.org", "POST-ADDRESS"),
    ],
)
def test_a_wrong_setting_is_told(github, file, monkeypatch, capsys, name, value, code) -> None:
    monkeypatch.setenv(name, value)
    assert main([str(file)]) == 2
    assert capsys.readouterr().err.startswith(code)
    assert github == []


def test_it_needs_no_package_that_is_installed() -> None:
    program = "import everfit.operations.delivery.post"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=REPOSITORY / "pipeline_components", check=False
    )
    assert done.returncode == 0
