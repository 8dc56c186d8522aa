"""What a spec says of batch scoring."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from everfit.contracts.base import Frozen
from everfit.contracts.spec.cron import Cron

_DATABASE = re.compile(r"sql:([a-z][a-z0-9_]{0,62}):(.+)", re.DOTALL)


def database_in(address: str) -> tuple[str, str] | None:
    """The connection, and the table or query, of ``sql:connection:table``; None for any other.

    Examples
    --------
    >>> database_in("sql:warehouse:ml.scores")
    ('warehouse', 'ml.scores')
    >>> database_in("s3://bucket/scores") is None
    True
    """
    found = _DATABASE.fullmatch(address.strip())
    return (found[1], found[2].strip()) if found else None


def _no_secret(address: str) -> str:
    if re.match(r"\s*[a-zA-Z0-9+.-]+://[^/]*@", address):
        raise ValueError(
            "an address holds no credentials: name a connection, as in sql:warehouse:scores"
        )
    return address


ScoreAddress = Annotated[
    str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_no_secret)
]
"""Where rows come from or predictions go to; holds no credentials."""

ScoringVersion = Annotated[
    str, StringConstraints(pattern=r"^(champion|challenger|[vV]?[1-9][0-9]{0,9})$")
]
"""The version that scores, as a person names it."""

SpanCount = Annotated[int, Field(ge=1)] | Literal["all"]

ScoreEvent = Literal["champion", "new_spans"]


class ScoreSpec(Frozen):
    """Predictions of whole spans, made by a DAG of their own."""

    output: ScoreAddress = Field(
        description="where predictions go: a folder, ``s3://bucket/prefix``, one ``.parquet`` or "
        "``.csv`` file, or ``sql:CONNECTION:TABLE``",
    )
    input: ScoreAddress | None = Field(
        None,
        description="what is scored: a path or glob, ``s3://…``, ``https://…``, "
        "``sql:CONNECTION:TABLE``; default the pipeline's own source",
    )
    spans: SpanCount = Field(
        "all", description="the newest so many, or all that the version has not scored yet"
    )
    version: ScoringVersion = Field(
        "champion", description="``champion``, ``challenger`` or a version's number"
    )
    schedule: Cron | None = Field(
        None, description="cron expression, in ``triggers.timezone``, at which spans are scored"
    )
    on: tuple[ScoreEvent, ...] = Field(
        (),
        description="also score when there is a new ``champion``, or when monitoring has found "
        "``new_spans``",
    )

    @property
    def connections(self) -> tuple[str, ...]:
        """The connections that its addresses name."""
        places = [database_in(address) for address in (self.input, self.output) if address]
        return tuple(dict.fromkeys(place[0] for place in places if place))
