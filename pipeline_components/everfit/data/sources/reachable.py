"""Which servers a source may reach: public ones by https, and those that a setting allows."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import urllib.request
from functools import partial
from typing import IO, Any
from urllib.parse import urlsplit

from everfit.contracts.errors import SourceError

ALLOWED = "EVERFIT_ALLOWED_HOSTS"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")
_IPV4_INSIDE = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
"""Networks of IPv6 whose addresses end with one of IPv4."""


class AllowedHosts:
    """The hosts, addresses and networks of ``EVERFIT_ALLOWED_HOSTS``.

    Parameters
    ----------
    setting : str
        With commas between them, such as ``files.example,10.1.0.0/16``.

    Raises
    ------
    SourceError
        If one of them is none.
    """

    def __init__(self, setting: str) -> None:
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in filter(None, map(str.strip, setting.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                if _NAME.fullmatch(entry) is None:
                    raise SourceError(
                        "SOURCE-ALLOWED",
                        ALLOWED,
                        "it names hosts, addresses and networks, with commas between them",
                        f"one of them is {entry!r}",
                        "Write it like files.example,10.1.0.0/16",
                    ) from None
                self._names.add(_plain(entry))

    def name(self, host: str) -> bool:
        """Whether a host is named, by its name or its address."""
        if _plain(host) in self._names:
            return True
        try:
            return self.address(ipaddress.ip_address(host.partition("%")[0]))
        except ValueError:
            return False

    def address(self, address: Address) -> bool:
        """Whether an address is in one of the networks."""
        inner = _inner(address)
        return any(address in network for network in self._networks) or (
            inner is not None and self.address(inner)
        )


def is_public(address: Address) -> bool:
    """Whether an address is one that everybody reaches: of no private, local or special network.

    Examples
    --------
    >>> [is_public(ipaddress.ip_address(text)) for text in ("8.8.8.8", "::ffff:10.0.0.1")]
    [True, False]
    """
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    special = (
        address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    )
    return address.is_global and not special


def opener(allowed: AllowedHosts, shown: str) -> urllib.request.OpenerDirector:
    """What opens addresses and follows redirects, each hop under the same rule.

    Parameters
    ----------
    shown : str
        The source's address, for errors; without what may be secret.
    """
    made = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        _Requests(allowed, shown),
        _Redirects(shown),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        made.add_handler(handler)
    return made


class _Requests(urllib.request.AbstractHTTPHandler):
    """Looks at every address before it is asked, and at where its name leads as it is connected.

    The check and the connection use the same answer of the name server, so that a second answer
    cannot lead elsewhere.
    """

    def __init__(self, allowed: AllowedHosts, shown: str) -> None:
        super().__init__()
        self._allowed, self._shown = allowed, shown

    def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
        """Refuse plain http to a host that is not allowed."""
        parts = urlsplit(request.full_url)
        host = parts.hostname or ""
        if parts.scheme != "https" and not self._allowed.name(host):
            raise _refused(self._shown, f"{host} would be asked by plain {parts.scheme}", host)
        return self.do_request_(request)

    https_request = http_request

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Ask by http."""
        return self.do_open(partial(self._connection, http.client.HTTPConnection, request), request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        """Ask by https; the certificate is checked."""
        return self.do_open(
            partial(self._connection, http.client.HTTPSConnection, request),
            request,
            context=ssl.create_default_context(),
        )

    def _connection(
        self, kind: Any, request: urllib.request.Request, host: str, **options: Any
    ) -> Any:
        made = kind(host, **options)
        parts = urlsplit(request.full_url)
        if request.host == parts.netloc:
            made._create_connection = self._connect
        else:  # by a proxy, which is this machine's own choice, and looks names up itself
            with contextlib.suppress(socket.gaierror):
                self._permitted(parts.hostname or "", parts.port or 0)
        return made

    def _connect(self, where: tuple[str, int], timeout: Any, source: Any = None) -> socket.socket:
        *others, last = self._permitted(*where)
        for address in others:
            try:
                return socket.create_connection((address, where[1]), timeout, source)
            except OSError:
                continue
        return socket.create_connection((last, where[1]), timeout, source)

    def _permitted(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be reached; at least one."""
        found = [
            str(where[0]) for *_, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ]
        permitted = [text for text in found if self._may_reach(host, text)]
        if not permitted:
            raise _refused(self._shown, f"{host} is {found[0]}, which is no public address", host)
        return permitted

    def _may_reach(self, host: str, text: str) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        return is_public(address) or self._allowed.name(host) or self._allowed.address(address)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect away from https; the next hop is looked at as the first one was."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        to = urlsplit(newurl).scheme
        if to not in ("http", "https") or (req.type == "https" and to != "https"):
            fp.close()
            raise SourceError(
                "SOURCE-REDIRECT",
                self._shown,
                "an address must lead to one that is read by https",
                f"it redirects to {to}://{urlsplit(newurl).hostname or ''}",
                "Write the address it should lead to",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refused(shown: str, found: str, host: str) -> SourceError:
    return SourceError(
        "SOURCE-ADDRESS",
        shown,
        "a source behind an address is read by https from a public server",
        found,
        f"Write an https address, or add {host} to {ALLOWED} where the server is one of yours",
    )


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if any(address in network for network in _IPV4_INSIDE):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
