"""What people may be told, and the addresses it goes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal, cast, get_args

from pydantic import AfterValidator, Field, StringConstraints

from everfit.contracts.base import Frozen

NewsKind = Literal[
    "promoted",
    "waiting",
    "held",
    "rejected",
    "quarantined",
    "drift",
    "decay",
    "stale",
    "reconciled",
    "failed",
]
KINDS: tuple[NewsKind, ...] = get_args(NewsKind)

Service = Literal["slack", "smtp", "apprise"]

_ADDRESS = re.compile(r"(slack|smtp|apprise):([^\s\[\],]{1,200})(?:\[([a-z, ]*)\])?")


class News(Frozen):
    """Something that people may want to be told of."""

    kind: NewsKind
    what: str = Field(description="one line: what happened")
    why: str = Field(description="a sentence")
    report: str | None = Field(None, description="name of the report among those of the outcome")


@dataclass(frozen=True)
class Destination:
    """An address taken apart."""

    service: Service
    target: str
    """Slack: the channel. SMTP: recipients. Apprise: the tag."""
    kinds: frozenset[NewsKind] = frozenset(KINDS)
    """What it wants to hear of."""

    def __str__(self) -> str:
        return f"{self.service}:{self.target}"


def destination(address: str) -> Destination:
    """Take an address apart: ``service:target``, or ``service:target[kind,kind]``.

    Raises
    ------
    ValueError
        If it is none; says what an address looks like.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(
            "an address is slack:#channel, smtp:team@example.org or apprise:tag, and may end in "
            f"the kinds it is for, as in slack:#alerts[failed,drift]; found {address[:60]!r}"
        )
    service, target, narrowed = cast(Service, found[1]), str(found[2]), found[3]
    if narrowed is None:
        return Destination(service, target)
    kinds = [kind.strip() for kind in narrowed.split(",")]
    for kind in kinds:
        if kind not in KINDS:
            near = get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(KINDS)}"
            raise ValueError(f"{kind!r} is no kind of news; {hint}")
    return Destination(service, target, frozenset(kind for kind in KINDS if kind in kinds))


def split_addresses(text: str) -> list[str]:
    """The addresses of a list separated by commas; those within brackets separate kinds."""
    return [part.strip() for part in re.split(r",(?![^\[]*\])", text) if part.strip()]


def _is_address(value: str) -> str:
    destination(value)
    return value


Address = Annotated[str, StringConstraints(max_length=300), AfterValidator(_is_address)]
