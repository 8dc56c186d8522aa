"""One source, looked at again and again, or as soon as its queue says so."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from everfit.contracts.errors import UserError
from everfit.contracts.spec.source import ArrivingSource, S3SourceSpec, read_source
from everfit_airflow.watching.lister import ListerGone, shared_lister

log = logging.getLogger(__name__)

POLL = "EVERFIT_POLL"
POLL_SECONDS = 30.0

SHARE = 20
"""A look that takes a second is repeated after so many at the earliest."""

WITH_QUEUE = 10
"""Where a queue tells, looks are so many times rarer: they find what no message told of."""

SLOWEST = 600.0
"""Seconds between looks at a source that cannot be looked at."""

Receipts = tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What a look saw."""

    state: str
    """Digest of the names and fingerprints of all spans."""
    spans: int
    seconds: float = 0.0


class SourceStream(SharedStreamProducer):
    """What every look at a source saw; never ends, and never fails for what the source does.

    Parameters
    ----------
    source : str
        The source as JSON, without secrets.
    """

    def __init__(self, source: str) -> None:
        told = json.loads(source)
        self._tables = [read_source(**one) for one in told.pop("tables", ())]
        self._source = read_source(**told)
        self._where = self._source.address
        self._queue = self._source.queue if isinstance(self._source, S3SourceSpec) else None
        self._settle = self._source.settle if isinstance(self._source, ArrivingSource) else 0.0
        self._told: dict[str, str] = {}
        self._failures = 0

    async def open_stream(self) -> AsyncIterator[tuple[Seen, Receipts]]:
        """Yield each look with the messages it heeded."""
        heard: Receipts = ()
        while True:
            seen = await self._look()
            if seen is not None:
                yield seen, heard
            # Messages of a look that failed are not deleted: the queue brings them again.
            heard = await self._rest(self._pause(seen, rung=bool(heard)))

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Delete the messages whose rings Airflow has in its database."""
        await self.heeded(
            [r for item in batch if item.outcome.is_clean for r in item.broker_payload]
        )

    async def heeded(self, receipts: Sequence[str]) -> None:
        """Delete messages; what cannot be deleted comes again, and rings for nothing new."""
        if receipts:
            reply = await self._ask("delete", receipts=list(receipts))
            self._tell("delete", reply)

    async def _look(self) -> Seen | None:
        reply = await self._ask("look")
        self._tell("look", reply)
        if "state" not in reply:
            self._failures += 1
            return None
        self._failures = 0
        return Seen(str(reply["state"]), int(reply["spans"]), float(reply["seconds"]))

    def _pause(self, seen: Seen | None, rung: bool) -> float:
        """Seconds until the next look, where no message comes before."""
        poll = poll_seconds()
        if seen is None:
            return float(max(poll, min(poll * 2 ** min(self._failures, 20), SLOWEST)))
        if self._queue is not None:
            # What a message told of may have to rest first, without another message.
            settle = self._settle + poll if rung and self._settle else None
            poll = min(poll * WITH_QUEUE, settle or poll * WITH_QUEUE)
        return max(poll, seen.seconds * SHARE)

    async def _rest(self, seconds: float) -> Receipts:
        """Wait, but not longer than until there is a message about this source."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._queue is not None and until - loop.time() > 0:
            reply = await self._ask("receive")
            self._tell("receive", reply)
            if reply.get("receipts"):
                return tuple(reply["receipts"])
            if "error" in reply or reply.get("others"):
                await asyncio.sleep(min(poll_seconds(), max(until - loop.time(), 0)))
        await asyncio.sleep(max(until - loop.time(), 0))
        return ()

    async def _ask(self, what: str, **more: Any) -> dict[str, Any]:
        from everfit_airflow.operators.failures import ComponentFailed
        from everfit_airflow.runners.choice import installation
        from everfit_airflow.security.credentials import for_lister

        source = self._source
        told = source.model_dump(mode="json", exclude_defaults=True)
        try:
            connections = installation(os.environ).connections
            if what == "look" and self._tables:
                more["tables"] = []
                for table in self._tables:
                    given = await for_lister(table, connections, os.environ)
                    more |= {"aws": given.pop("aws")} if "aws" in given else {}
                    shown = table.model_dump(mode="json", exclude_defaults=True)
                    more["tables"].append({"source": shown, **given})
            more |= await for_lister(source, connections, os.environ)
            return await shared_lister().ask({"do": what, "source": told, **more})
        except ListerGone as error:
            return {"error": str(error), "code": "LISTER"}
        except UserError as error:
            return {"error": error.line, "code": error.code}
        except ComponentFailed as error:  # made for a task, it would end the whole triggerer
            return {"error": str(error), "code": "CONNECTION"}
        except Exception as error:  # a defect here must end nobody's watch
            return {"error": f"DEFECT: {type(error).__name__}.", "code": "DEFECT"}

    def _tell(self, what: str, reply: dict[str, Any]) -> None:
        """One line in the log for each change: failing, failing otherwise, working again."""
        code = str(reply.get("code") or "?") if "error" in reply else ""
        if code != self._told.get(what, ""):
            self._told[what] = code
            log.warning("%s: %s", self._where, reply["error"] if code else f"works again ({what})")
        if reply.get("problem") and "others" not in self._told:
            self._told["others"] = "told"  # such messages come again and again
            log.warning("%s: %s", self._where, reply["problem"])


def poll_seconds() -> float:
    """Seconds between two looks at a source: ``EVERFIT_POLL``."""
    try:
        seconds = float(os.environ.get(POLL) or POLL_SECONDS)
    except ValueError:
        return POLL_SECONDS
    return seconds if 0.1 <= seconds <= 86_400 else POLL_SECONDS
