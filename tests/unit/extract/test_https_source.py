"""A file behind an address: a local server that can misbehave."""

from __future__ import annotations

import http.server
import threading

import pytest

from everfit.contracts.errors import CredentialsError, SourceError, Unavailable
from everfit.contracts.spec.source import read_source
from everfit.data.sources import list_spans

CSV = b"x,y\n1,2\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        serve = self.server
        self.send_response(serve.status)
        for name, value in serve.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(serve.length or len(serve.body)))
        self.end_headers()
        if body:
            self.wfile.write(serve.body)

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        if self.server.no_head:
            self.send_error(405)
        else:
            self.answer(False)

    def log_message(self, *args):
        pass


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"allowed_hosts": "127.0.0.1"})


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.headers, server.length, server.no_head = 200, {}, None, False
    server.body = CSV
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    server.uri = f"http://127.0.0.1:{server.server_port}/tables/trips%202018.csv?token=secret"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "headers", [{"ETag": '"abc"'}, {"Last-Modified": "Mon, 01 Jan 2018 00:00:00 GMT"}, {}]
)
@pytest.mark.parametrize("no_head", [False, True])
def test_an_address_is_one_span(server, extract, headers, no_head):
    server.headers, server.no_head = headers, no_head
    result = extract(server.uri)
    (snapshot,) = result.snapshots
    assert snapshot.span.name == "trips 2018.csv"
    assert extract.table(snapshot).to_pydict() == {"x": [1], "y": [2]}
    assert "secret" not in snapshot.model_dump_json()
    assert snapshot.provenance.get("etag") == headers.get("ETag")
    assert extract(server.uri) == result
    server.body = CSV + b"3,4\n"
    server.headers = {name: value + "!" for name, value in headers.items()}
    assert extract(server.uri).snapshots[0].span.rows == 2


def test_changed_between_listing_and_reading(server, extract):
    for headers in ({"ETag": '"a"'}, {}):
        server.headers, server.body = headers, CSV
        spans = list_spans(read_source(uri=server.uri), extract.context.settings).spans
        server.headers = dict.fromkeys(headers, '"b"')
        server.body = CSV.replace(b"1", b"7")
        (refusal,) = extract(server.uri, spans=spans).refused
        assert (refusal.code, refusal.retry) == ("SPAN-CHANGED", True)
    server.status = 404
    assert extract(server.uri, spans=spans).refused[0].code == "SPAN-GONE"


def test_a_download_cut_short_is_tried_again(server, extract):
    server.headers, server.length = {"ETag": '"a"'}, 500
    with pytest.raises(Unavailable):
        extract(server.uri)
    assert not list(extract.context.store.keys("results/snapshot/"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, CredentialsError),
        (403, CredentialsError),
        (404, SourceError),
        (500, Unavailable),
        (429, Unavailable),
    ],
)
def test_what_a_server_says_no_with(server, settings, status, kind):
    server.status = status
    with pytest.raises(kind) as error:
        list_spans(read_source(uri=server.uri), settings)
    assert str(status) in error.value.line
    assert "secret" not in error.value.line


def test_no_server_is_unavailable(settings):
    with pytest.raises(Unavailable, match="SOURCE-UNAVAILABLE"):
        list_spans(read_source(uri="http://127.0.0.1:9/a.csv"), settings)
