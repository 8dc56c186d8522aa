"""An outcome no larger than what carries it: a pod's termination message has 4096 bytes.

The result is in the store and the outcome only names it, so what is for people's eyes is left out
where it must be, in this order, until the rest fits:

1. why a piece of news came about: its sentence is cut to 120 characters, then left out,
2. entries of the summary that may be empty, the largest first,
3. links, then reports, the largest first; the store keeps them all the same,
4. news, the last first,
5. the rest of the summary.

What happened is never left out: the result, its key, the signals, the reason of an end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TypeVar

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.messages.steps import Ended, News, Outcome

log = logging.getLogger(__name__)

LIMIT = "EVERFIT_OUTCOME_LIMIT"
SHORT = 120
"""Characters of the sentence of a piece of news, where there is little room."""

Told = TypeVar("Told", Outcome, Ended)


def limit_of(environ: Mapping[str, str]) -> int | None:
    """Bytes an outcome may have; None where nothing limits them.

    Raises
    ------
    UserError
        If the variable is no number.
    """
    said = environ.get(LIMIT, "").strip()
    if not said:
        return None
    if not said.isascii() or not said.isdigit():
        raise UserError(
            "OUTCOME-LIMIT",
            LIMIT,
            "it must be a number of bytes",
            f"it is {said[:40]!r}",
            "Correct it, or leave it out",
        )
    return int(said)


def fitted(told: Told, limit: int | None) -> bytes:
    """The JSON of an outcome, with as much left out as it must be.

    Parameters
    ----------
    told : Outcome or Ended
        The whole of it.
    limit : int, optional
        Bytes there is room for.

    Raises
    ------
    UserError
        If what may not be left out does not fit.
    """
    document = canonical_json(told)
    if limit is None or len(document) <= limit:
        return document
    whole, left_out = len(document), []
    for what, smaller in _smaller(told):
        left_out.append(what)
        document = canonical_json(smaller)
        if len(document) <= limit:
            log.warning(
                "The outcome has %s bytes and %s of room; left out: %s",
                whole,
                limit,
                shortlist(left_out),
            )
            return document
    raise UserError(
        "OUTCOME-SIZE",
        "the outcome",
        f"it must fit into {limit} bytes",
        f"without all that can be left out it has {len(document)}",
        f"Give it more room ({LIMIT}), or use a runner that does not limit it",
    )


def _smaller(told: Told) -> Iterator[tuple[str, Told]]:
    """What is left out next, and the rest."""
    for most in (SHORT, 0):
        news = tuple(_shortened(piece, most) for piece in told.news)
        if news != told.news:
            told = told.model_copy(update={"news": news})
            yield ("why of news" if most == 0 else "the end of why of news"), told
    for name, smaller in _smaller_summaries(told):
        told = smaller
        yield name, told
    extras: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("links", told.links),
        ("reports", told.reports),
    )
    for field, entries in extras:
        kept = dict(entries)
        for name in _largest_first(told.model_dump(mode="json")[field]):
            del kept[name]
            told = told.model_copy(update={field: dict(kept)})
            yield f"{field}.{name}", told
    while told.news:
        piece = told.news[-1]
        told = told.model_copy(update={"news": told.news[:-1]})
        yield f"news of {piece.kind}", told
    if isinstance(told, Outcome) and told.summary is not None:
        yield "summary", told.model_copy(update={"summary": None})


def _smaller_summaries(told: Told) -> Iterator[tuple[str, Told]]:
    """Without what has a default, the largest first; an end has no summary."""
    if not isinstance(told, Outcome) or told.summary is None:
        return
    summary = told.summary
    entries = summary.model_dump(mode="json", exclude_defaults=True)
    fields = type(summary).model_fields
    optional = {name: value for name, value in entries.items() if not fields[name].is_required()}
    for name in _largest_first(optional):
        summary = summary.model_copy(update={name: fields[name].get_default()})
        yield f"summary.{name}", told.model_copy(update={"summary": summary})


def _largest_first(entries: Mapping[str, object]) -> list[str]:
    sizes = {name: len(canonical_json({name: entry})) for name, entry in entries.items()}
    return sorted(sizes, key=lambda name: (-sizes[name], name))


def _shortened(piece: News, most: int) -> News:
    if len(piece.why) <= most:
        return piece
    return piece.model_copy(update={"why": piece.why[:most].rstrip() + "…" if most else ""})
