"""Which servers an address leads to: public ones, and those that a setting allows, at every hop."""

from __future__ import annotations

import http.server
import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest

from everfit.contracts.errors import EXIT_USER, SourceError, Unavailable
from everfit.contracts.spec.source import read_source
from everfit.data.sources import list_spans
from everfit.data.sources.reachable import AllowedHosts, is_public


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        to = self.server.redirects.get(self.path)
        self.send_response(302 if to else 200)
        if to:
            self.send_header("Location", to)
        self.send_header("ETag", '"a"')
        self.send_header("Content-Length", "0" if to else "4")
        self.end_headers()
        if not to and self.command == "GET":
            self.wfile.write(b"a\n1\n")

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *args):
        pass


def serve(certificate=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.redirects, server.scheme = [], {}, "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def plain():
    yield from serve()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of ``localhost`` and ``127.0.0.1``, with its key, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield from serve(certificate)


@pytest.fixture
def look(settings):
    def look(uri, allowed=""):
        there = settings.model_copy(update={"allowed_hosts": allowed})
        return list_spans(read_source(uri=uri), there)

    return look


def of(server, host="127.0.0.1", path="/a.csv"):
    return f"{server.scheme}://{host}:{server.server_port}{path}"


NOT_PUBLIC = [
    *("127.0.0.1", "127.1.2.3", "10.0.0.8", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1"),
    *("::1", "::", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "::ffff:169.254.169.254"),
    *("::ffff:7f00:1", "::127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2001:db8::1"),
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_what_is_not_public_is_recognized(text):
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.216.34", "2606:4700::1", "64:ff9b::808:808"])
def test_what_is_public_is_recognized(text):
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST", "2130706433", "0x7f000001"),
        *("0177.0.0.1", "127.1", "0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]"),
    ],
)
def test_no_way_of_writing_it_leads_to_this_machine(secure, look, host):
    with pytest.raises(SourceError, match=r"SOURCE-ADDRESS .* no public address") as refused:
        look(of(secure, host))
    assert refused.value.exit_code == EXIT_USER
    assert "EVERFIT_ALLOWED_HOSTS" in refused.value.line
    assert secure.asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[fd00::1]", "[fe80::1]"])
def test_no_private_server_is_reached(look, host):
    with pytest.raises(SourceError, match="SOURCE-ADDRESS"):
        look(f"https://{host}/latest/meta-data")


def test_a_name_that_leads_to_a_private_address_is_refused(secure, look, monkeypatch):
    real = socket.getaddrinfo

    def answer(host, *args, **more):
        return real("127.0.0.1" if host == "files.example" else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(
        SourceError, match=r"files\.example is 127.0.0.1, which is no public address"
    ):
        look(of(secure, "files.example"))
    assert secure.asked == []


def test_a_name_is_looked_up_once_so_that_no_second_answer_counts(plain, look, monkeypatch):
    real, asked = socket.getaddrinfo, []

    def answer(host, *args, **more):
        if host != "files.example":
            return real(host, *args, **more)
        asked.append(host)
        return real("127.0.0.1", *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert look(of(plain, "files.example"), "files.example").spans
    assert asked == ["files.example"]


def test_plain_http_is_refused_before_anything_is_asked(plain, look):
    with pytest.raises(SourceError, match=r"SOURCE-ADDRESS .* by plain http"):
        look(of(plain))
    with pytest.raises(SourceError, match="SOURCE-ADDRESS"):
        look("http://example.org/a.csv?token=secret")
    assert plain.asked == []


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "files.example, 127.0.0.0/8"),
        ("localhost", "LocalHost."),
        ("localhost", "127.0.0.0/8,::1"),
    ],
)
def test_a_setting_allows_hosts_addresses_and_networks(secure, look, host, allowed):
    assert [ref.name for ref in look(of(secure, host), allowed).spans] == ["a.csv"]


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", "files.example", "127.0.0.2"])
def test_what_is_allowed_allows_nothing_else(secure, look, allowed):
    with pytest.raises(SourceError, match="SOURCE-ADDRESS"):
        look(of(secure), allowed)


@pytest.mark.parametrize("allowed", ["http://files.example", "files.example/x", "10.0.0.0/99", "*"])
def test_a_setting_that_is_none_is_named(allowed):
    with pytest.raises(SourceError, match="EVERFIT_ALLOWED_HOSTS"):
        AllowedHosts(allowed)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("http://127.0.0.1/x?token=secret", "SOURCE-REDIRECT .* http://127.0.0.1"),
        ("http://example.org/x", "SOURCE-REDIRECT"),
        ("https://169.254.169.254/latest/meta-data", "SOURCE-ADDRESS .* 169.254.169.254"),
        ("https://[::ffff:a9fe:a9fe]/latest", "SOURCE-ADDRESS"),
        ("https://2852039166/latest", "SOURCE-ADDRESS .* 169.254.169.254"),
        ("file:///etc/passwd", "SOURCE-REDIRECT"),
        ("ftp://example.org/x", "SOURCE-REDIRECT"),
        ("data:text/csv,a", "SOURCE-REDIRECT"),
        ("https://me:secret@127.0.0.1/x", "SOURCE-"),
        ("/a.csv", "SOURCE-REDIRECT"),
    ],
)
def test_every_hop_is_under_the_rule(secure, look, to, says):
    secure.redirects = {"/a.csv": "/b.csv", "/b.csv": to}
    with pytest.raises(SourceError, match=says) as refused:
        look(of(secure), "127.0.0.1")
    assert refused.value.exit_code == EXIT_USER
    assert "secret" not in refused.value.line


def test_a_redirect_within_the_rule_is_followed(secure, plain, look):
    secure.redirects = {"/a.csv": "/b.csv"}
    assert look(of(secure), "127.0.0.1").spans
    plain.redirects = {"/a.csv": of(secure, path="/b.csv")}
    assert look(of(plain), "127.0.0.1").spans
    with pytest.raises(SourceError, match=r"SOURCE-ADDRESS .* localhost"):
        plain.redirects = {"/a.csv": of(plain, "localhost")}
        look(of(plain), "127.0.0.1/32")


def test_a_proxy_is_the_machines_own_choice_and_opens_no_way_around(plain, look, monkeypatch):
    monkeypatch.setenv("http_proxy", of(plain, path=""))
    monkeypatch.setenv("https_proxy", of(plain, path=""))
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(SourceError, match="SOURCE-ADDRESS"):
        look("https://169.254.169.254/latest")
    assert plain.asked == []
    look("http://files.invalid/a.csv", "files.invalid")
    assert plain.asked == ["http://files.invalid/a.csv"]


def test_a_name_that_nobody_knows_is_tried_again(look):
    with pytest.raises(Unavailable, match="SOURCE-UNAVAILABLE"):
        look("https://files.invalid/a.csv")


@pytest.mark.parametrize(
    "uri",
    [
        "https://",
        "https:///a.csv",
        "https://[::1",
        "https://h:port/a",
        "https://h/a b",
        "https://h/é",
    ],
)
def test_what_is_no_address_is_refused_with_the_spec(uri):
    with pytest.raises(ValueError, match="address"):
        read_source(uri=uri)
