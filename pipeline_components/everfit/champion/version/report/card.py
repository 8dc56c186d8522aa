"""The model card of a run that was judged: owner, version, date and status with what it is."""

from __future__ import annotations

from datetime import UTC, datetime

from everfit.contracts.messages.cards import ModelCard
from everfit.contracts.messages.requests import RegisterRequest
from everfit.contracts.messages.verdicts import VerdictName
from everfit.contracts.wording import moment
from everfit.engine.context import Context
from everfit.reporting.model_card import Standing, card_markdown, card_page
from everfit.reporting.templating import Tone
from everfit.storage.ledger.records import VersionRecord

JUDGED: dict[VerdictName, tuple[str, Tone]] = {
    "promote": ("accepted", "good"),
    "hold": ("held", "warn"),
    "reject": ("rejected", "bad"),
}
"""Verdict → status of a model that it is all that is known of, and its tone."""


def judged_card(request: RegisterRequest, opened: int, context: Context) -> tuple[str, bytes]:
    """The card with what the gate decided, as Markdown and as a page.

    Parameters
    ----------
    opened : int
        When the run was opened, in milliseconds since 1970, UTC.

    Returns
    -------
    markdown : str
    page : bytes
        Both the same for every attempt.
    """
    status, tone = JUDGED[request.decision.verdict]
    standing = Standing(
        status,
        tone,
        request.decision.because,
        request.spec.owner,
        date=_date(opened),
    )
    values = _read_card(request, context)
    return card_markdown(values, standing), card_page(values, standing)


def registered_card(
    request: RegisterRequest,
    opened: int,
    recorded: VersionRecord | None,
    context: Context,
    *,
    champion: int | None,
    awaits: str,
    superseded: bool,
) -> bytes:
    """The card as a page, with what has become of the run.

    Parameters
    ----------
    opened : int
        When the run was opened, in milliseconds since 1970, UTC.
    recorded : VersionRecord or None
        The version it made; None where it made none.
    champion : int or None
        The version that serves.
    awaits : str
        Why an accepted version is not promoted: ``approval``, ``observe`` or nothing.
    superseded : bool
        Whether another run was promoted meanwhile.
    """
    because, owner = request.decision.because, request.spec.owner
    date = _date(opened)
    if recorded is None:
        status, tone = JUDGED[request.decision.verdict]
        standing = Standing(status, tone, because, owner, date=date)
    elif recorded.version == champion:
        standing = Standing("champion", "good", because, owner, recorded.version, date)
    else:
        if awaits == "approval":
            because = f"Waits for approval. {because}"
        elif awaits:
            because = f"The pipeline only observes. {because}"
        elif superseded:
            because = f"Another run was promoted in the meantime. {because}"
        standing = Standing("challenger", "warn", because, owner, recorded.version, date)
    return card_page(_read_card(request, context), standing)


def _date(opened: int) -> str:
    return moment(datetime.fromtimestamp(opened / 1000, UTC))


def _read_card(request: RegisterRequest, context: Context) -> ModelCard:
    """The card that evaluate wrote.

    Raises
    ------
    IntegrityError
        If the store lost or altered it.
    """
    values = context.store.get(request.evaluated.card_values.digest)
    return ModelCard.model_validate_json(values)
