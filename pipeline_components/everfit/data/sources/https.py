"""A span behind an ``https://`` address: the file it serves is the span."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from everfit.contracts.errors import CredentialsError, SourceError, Unavailable
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import HttpsSourceSpec, SourceSpec
from everfit.data.sources.listing import order
from everfit.data.sources.reachable import AllowedHosts, opener
from everfit.data.sources.refused import changed, gone, growing
from everfit.data.sources.source import Fetched, Listing, SourceOfFiles

_TIMEOUT = 30
"""Seconds without a byte."""

_AGENT = {"User-Agent": "everfit", "Accept-Encoding": "identity"}


class HttpsSource(SourceOfFiles):
    """One address, one span, named after the last part of its path.

    Its fingerprint is the etag, else the time of last change, with the length; a server that
    tells neither is asked for the whole file, and its digest is the fingerprint. Certificates are
    checked. Only public servers are reached, and those of ``EVERFIT_ALLOWED_HOSTS``.
    """

    kind = "https"

    def __init__(self, source: SourceSpec, settings: Settings) -> None:
        super().__init__(source, settings)
        assert isinstance(source, HttpsSourceSpec)
        self._source = source
        self._allowed = AllowedHosts(settings.allowed_hosts)
        parts = urlsplit(source.uri)
        self.name = unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc
        self.shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        """Without the query, which may hold a token."""

    def list(self) -> Listing:
        """Ask for the headers."""
        with self._errors(None):
            try:
                reply = self._open("HEAD")
            except urllib.error.HTTPError as error:
                if error.code not in (400, 405, 501):
                    raise
                error.close()
                reply = self._open("GET")
            with reply:
                fingerprint, size = _evidence(reply.headers)
        if fingerprint is None:
            with self._errors(None), self._open("GET") as reply:
                digest = hashlib.sha256()
                size = _copy(reply, digest.update)
                fingerprint = f"sha256={digest.hexdigest()}"
        span = SpanRef(name=self.name, fingerprint=fingerprint, location=self.shown, size=size)
        return order([span], self._source.period, self.shown)

    def fetch(self, ref: SpanRef, scratch: Path, progress: Callable[[float], None]) -> Fetched:
        """Download the file, and see that it is the one that was listed."""
        target = scratch / "download"
        digest = hashlib.sha256()
        with self._errors(ref), self._open("GET") as reply, target.open("wb") as file:
            fingerprint, size = _evidence(reply.headers)

            def keep(piece: bytes) -> None:
                digest.update(piece)
                file.write(piece)
                progress(file.tell() / max(ref.size or file.tell(), 1))

            if fingerprint is not None and fingerprint != ref.fingerprint:
                if ref.size is not None and size is not None and size > ref.size:
                    raise growing(ref, f"it grew from {ref.size} to {size} bytes since listed")
                raise changed(ref, "the server has another version now")
            count = _copy(reply, keep)
            headers = dict(reply.headers.items())
        if size is not None and count != size:
            raise Unavailable(
                "SOURCE-CUT",
                self.shown,
                "a download must be whole",
                f"{count} of {size} bytes came",
                "Try again",
            )
        if fingerprint is None and f"sha256={digest.hexdigest()}" != ref.fingerprint:
            raise changed(ref, "its content differs from what was listed")
        kept = {"ETag": "etag", "Last-Modified": "last_modified"}
        origin = {ours: headers[theirs] for theirs, ours in kept.items() if theirs in headers}
        return Fetched(target, {"uri": self.shown, **origin}, share=0.5)

    def _open(self, method: str) -> Any:
        request = urllib.request.Request(  # noqa: S310  (the spec allows http and https alone)
            self._source.uri, method=method, headers=_AGENT
        )
        return opener(self._allowed, self.shown).open(request, timeout=_TIMEOUT)

    @contextmanager
    def _errors(self, ref: SpanRef | None) -> Iterator[None]:
        try:
            yield
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (401, 403, 407):
                raise CredentialsError(
                    "SOURCE-CREDENTIALS",
                    self.shown,
                    "the server must let everyone read it",
                    f"it says {error.code}",
                    "Use an address that needs no log-in, or S3",
                ) from error
            if error.code in (404, 410):
                if ref is not None:
                    raise gone(ref) from error
                raise SourceError(
                    "SOURCE-MISSING",
                    self.shown,
                    "the source must exist",
                    f"the server says {error.code}",
                    "Correct source.uri",
                ) from error
            if 300 <= error.code < 400:
                raise SourceError(
                    "SOURCE-REDIRECT",
                    self.shown,
                    "an address must lead to one that is read by https",
                    f"its redirects ({error.code}) end nowhere, or in another scheme",
                    "Write the address it should lead to",
                ) from error
            raise self._unavailable(f"it says {error.code}") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise SourceError(
                    "SOURCE-CERTIFICATE",
                    self.shown,
                    "the server's certificate must be valid",
                    error.reason.verify_message,
                    "Correct the address, or set SSL_CERT_FILE",
                ) from error
            raise self._unavailable(str(error.reason)) from error
        except http.client.InvalidURL as error:
            raise SourceError(
                "SOURCE-ADDRESS",
                self.shown,
                "an address must be one that a server can have",
                "it, or what it redirects to, is none",
                "Correct source.uri",
            ) from error
        except (http.client.HTTPException, OSError) as error:
            raise self._unavailable(str(error) or type(error).__name__) from error

    def _unavailable(self, found: str) -> Unavailable:
        return Unavailable(
            "SOURCE-UNAVAILABLE",
            self.shown,
            "the server must answer",
            found,
            "Check the network, and try again",
        )


def _evidence(headers: Any) -> tuple[str | None, int | None]:
    """Fingerprint and length, where the headers tell them."""
    length = headers.get("Content-Length")
    size = int(length) if length is not None and length.isdigit() else None
    for header in ("ETag", "Last-Modified"):
        if headers.get(header):
            return f"{header.lower()}={headers[header]} size={size}", size
    return None, size


def _copy(reply: Any, take: Any) -> int:
    count = 0
    while piece := reply.read(1 << 20):
        take(piece)
        count += len(piece)
    return count
