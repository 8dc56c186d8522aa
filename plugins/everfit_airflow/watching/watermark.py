"""What a monitoring run has dealt with: kept on the source's asset, read by its trigger.

Losing it costs one more ring, and a look that finds nothing new.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

log = logging.getLogger(__name__)

CONSUMED = "consumed"
"""Key in the asset's state store."""


def remember_consumed(context: Any) -> None:
    """Keep the state of the source that woke this run; for its last task, which never fails by it.

    Parameters
    ----------
    context : Context
        Of a task with the source's asset as its one inlet.
    """
    events = (
        event for found in dict(context["triggering_asset_events"]).values() for event in found
    )
    state = newest_state(events)
    if state is None:
        return
    try:
        context["asset_state_store"].set(CONSUMED, state)
    except Exception as error:
        log.warning("What was dealt with is not kept, it may ring again: %s", error)


def newest_state(events: Iterable[Any]) -> str | None:
    """The state in the newest event that a trigger sent; Airflow gives them in no order."""
    newest = None
    for event in sorted(events, key=lambda event: event.timestamp):
        payload = (event.extra or {}).get("payload")
        if isinstance(payload, dict) and isinstance(payload.get("state"), str):
            newest = payload["state"]
    return newest
