"""The trigger: an event when a source is not what a monitoring run last dealt with."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from everfit.contracts.base import canonical_json
from everfit.contracts.spec.source import SourceSpec
from everfit_airflow.watching.stream import Seen, SourceStream
from everfit_airflow.watching.watermark import CONSUMED

log = logging.getLogger(__name__)

_NOT_WATCHED = {"columns", "where", "csv"}
"""Fields that say how a span is read, and nothing about which there are."""


def watched_part(source: SourceSpec, tables: Sequence[SourceSpec] = ()) -> str:
    """The fields that decide which spans there are, as JSON: alike for pipelines that share them.

    Holds no secret: a connection is only named.

    Parameters
    ----------
    source : SourceSpec
    tables : sequence of SourceSpec
        Whose rows are joined to it: what changes in one of them is news, too.
    """
    told = _told(source)
    if tables:
        told["tables"] = [_told(one) for one in tables]
    return canonical_json(told).decode().strip()


def _told(source: SourceSpec) -> dict[str, Any]:
    return source.model_dump(mode="json", exclude=_NOT_WATCHED, exclude_defaults=True)


class SourceChanged(BaseEventTrigger):
    """Rings for one pipeline when its source has changed.

    All triggers with one source share one ``SourceStream``; each compares with what its own
    pipeline has dealt with, and never rings twice for the same.

    Parameters
    ----------
    pipeline : str
        Whose source it is; only to be told apart.
    source : str
        Of ``watched_part``.
    """

    def __init__(self, pipeline: str, source: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pipeline, self.source = pipeline, source
        self._told: str | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give back what another process makes this trigger of."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"pipeline": self.pipeline, "source": self.source},
        )

    def shared_stream_key(self) -> Hashable:
        """Name the source: the same for every pipeline that has it."""
        return ("everfit", self.source)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SourceStream:
        """Open the one stream of a source."""
        return SourceStream(kwargs["source"])

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[Seen]
    ) -> AsyncIterator[TriggerEvent]:
        """Ring for what is new to this pipeline."""
        async for seen in shared_stream:
            if await self._is_news(seen):
                yield _event(seen)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch alone, where Airflow does not share."""
        stream = SourceStream(self.source)
        async for seen, receipts in stream.open_stream():
            if await self._is_news(seen):
                yield _event(seen)
            await stream.heeded(receipts)

    async def _is_news(self, seen: Seen) -> bool:
        if seen.state == self._told:
            return False
        consumed = await self._consumed()
        self._told = seen.state
        if consumed is None and not seen.spans:
            return False  # a source that is still empty
        return seen.state != consumed

    async def _consumed(self) -> str | None:
        """What the last monitoring run dealt with; None where that cannot be told."""
        if self.asset_state_store is None:
            return None
        try:
            found = await self.asset_state_store.aget(CONSUMED)
        except Exception as error:  # ringing once too often is harmless, not ringing is not
            log.warning(
                "%s: cannot be compared with what was dealt with: %s",
                self.pipeline,
                type(error).__name__,
            )
            return None
        return found if isinstance(found, str) else None


def _event(seen: Seen) -> TriggerEvent:
    return TriggerEvent({"state": seen.state, "spans": seen.spans})  # type: ignore[no-untyped-call]
