"""The calls there are: a method, a path and a query are read strictly, and written anew."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from everfit_docker_guard.refusal import Refused

_CONTAINER = r"(?P<subject>[A-Za-z0-9][A-Za-z0-9_.-]{0,254})"
_PART = r"[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*"
_IMAGE = (
    rf"(?P<subject>{_PART}(?::[0-9]{{1,5}})?(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?)"
)
_VERSION = r"(?P<version>/v1\.(?:4[0-9]|[5-9][0-9]))?"

_TRUTH = "(?i:0|1|true|false)"
_MOMENT = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"


@dataclass(frozen=True)
class Kind:
    """One call of the engine's."""

    name: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameter → what its value looks like."""
    streams: bool = False
    """Whether the answer may take as long as it likes."""


KINDS = (
    Kind("ping", "GET", "/_ping"),
    Kind("ping", "HEAD", "/_ping"),
    Kind("version", "GET", "/version"),
    Kind("image.inspect", "GET", rf"/images/{_IMAGE}/json"),
    Kind(
        "image.pull",
        "POST",
        "/images/create",
        {
            "fromImage": r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}",
            "tag": r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64}",
        },
        streams=True,
    ),
    Kind("container.create", "POST", "/containers/create", {"name": r"[a-z0-9-]{1,128}"}),
    Kind(
        "container.list",
        "GET",
        "/containers/json",
        {"all": _TRUTH, "limit": "-1|[0-9]{1,6}", "filters": r"[^\x00]{0,4096}"},
    ),
    Kind("container.inspect", "GET", rf"/containers/{_CONTAINER}/json"),
    Kind("container.start", "POST", rf"/containers/{_CONTAINER}/start"),
    Kind(
        "container.stop",
        "POST",
        rf"/containers/{_CONTAINER}/stop",
        {"t": "[0-9]{1,4}"},
        streams=True,
    ),
    Kind(
        "container.kill",
        "POST",
        rf"/containers/{_CONTAINER}/kill",
        {"signal": "(?:SIG)?[A-Z]{3,6}|[0-9]{1,2}"},
    ),
    Kind(
        "container.wait",
        "POST",
        rf"/containers/{_CONTAINER}/wait",
        {"condition": "not-running|next-exit|removed"},
        streams=True,
    ),
    Kind(
        "container.logs",
        "GET",
        rf"/containers/{_CONTAINER}/logs",
        {
            "follow": _TRUTH,
            "stdout": _TRUTH,
            "stderr": _TRUTH,
            "timestamps": _TRUTH,
            "details": "(?i:0|false)",
            "tail": "all|[0-9]{1,9}",
            "since": _MOMENT,
            "until": _MOMENT,
        },
        streams=True,
    ),
    Kind("container.put", "PUT", rf"/containers/{_CONTAINER}/archive", {"path": "/task/?"}),
    Kind(
        "container.get",
        "GET",
        rf"/containers/{_CONTAINER}/archive",
        {"path": r"/task(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?"},
        streams=True,
    ),
    Kind(
        "container.remove", "DELETE", rf"/containers/{_CONTAINER}", {"v": _TRUTH, "force": _TRUTH}
    ),
    Kind(
        "network.connect",
        "POST",
        r"/networks/(?P<subject>[A-Za-z0-9][A-Za-z0-9_.-]{0,254})/connect",
    ),
)

_PATTERNS = [(kind, re.compile(_VERSION + kind.path, re.ASCII)) for kind in KINDS]


@dataclass(frozen=True)
class Call:
    """A call as it was understood."""

    kind: Kind
    version: str
    """``/v1.41``, or empty for the engine's newest."""
    subject: str
    """The container, image or network it is about."""
    query: Mapping[str, str]

    @property
    def is_of_container(self) -> bool:
        """Whether it is about one container that must be there."""
        return self.kind.name.startswith("container.") and bool(self.subject)

    def target(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """A path of the engine's in the call's version, with a query; written by us alone."""
        asked = urlencode(self.query if query is None else query)
        return f"{self.version}{quote(path, safe='/:@')}" + (f"?{asked}" if asked else "")


def read_call(method: str, raw_path: bytes, raw_query: bytes) -> Call:
    """Understand a request's first line.

    Parameters
    ----------
    raw_path : bytes
        As it was sent, without the query.

    Raises
    ------
    Refused
        If it is none of ``KINDS``, in whatever spelling.
    """
    path = _plain(raw_path)
    for kind, pattern in _PATTERNS:
        if kind.method == method and (found := pattern.fullmatch(path)) is not None:
            said = found.groupdict()
            query = _read_query(kind, raw_query)
            return Call(kind, said.get("version") or "", said.get("subject") or "", query)
    raise Refused("call", "only what the component runner calls is let through")


def _plain(raw: bytes) -> str:
    """A path with every %xx undone, once: one that then still has any fits no pattern."""
    try:
        return unquote_to_bytes(raw).decode("ascii")
    except UnicodeDecodeError:
        raise Refused("path", "a path is plain ASCII") from None


def _read_query(kind: Kind, raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            errors="strict",
            max_num_fields=32,
        )
    except ValueError:
        raise Refused(kind.name, "a query is name=value&…") from None
    query: dict[str, str] = {}
    for name, value in pairs:
        if name in query:
            raise Refused(kind.name, f"{_shown(name)} is said once")
        if name not in kind.query:
            if _OFF.fullmatch(value) is None:
                raise Refused(kind.name, f"{_shown(name)} is left out")
            query[name] = ""
        elif re.fullmatch(kind.query[name], value, re.ASCII) is not None:
            query[name] = value
        elif value:
            raise Refused(kind.name, f"{_shown(name)} is none that is let through")
    return {name: value for name, value in query.items() if value}


_OFF = re.compile("(?i:|0|false|none)")
"""What clients send for what they do not want."""


def _shown(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "?", name)[:40]
