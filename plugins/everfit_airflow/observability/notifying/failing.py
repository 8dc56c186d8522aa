"""Which tasks are known to fail, so that one cause is told once and not with every run.

A monitoring DAG runs every few minutes; what is broken there fails each time. What was told is
kept in an Airflow variable, the one memory that all workers share and that outlives a run.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

log = logging.getLogger(__name__)

REMIND = timedelta(hours=24)
"""What still fails after this long is told again."""

CODE = re.compile(r"[A-Z][A-Z0-9-]*\b")


def remember_failure(ti: Any, line: str, now: datetime | None = None) -> bool:
    """Note that a task fails, and say whether people have yet to hear of it.

    Parameters
    ----------
    line : str
        Why; another code than last time is news.
    """
    from airflow.sdk import Variable

    found = CODE.match(line)
    code, at = found.group() if found else "", now or datetime.now(UTC)
    try:
        told = json.loads(Variable.get(_key(ti), default="null"))
        if told and told["code"] == code and at - datetime.fromisoformat(told["at"]) < REMIND:
            return False
        Variable.set(
            _key(ti),
            json.dumps({"code": code, "at": at.isoformat(timespec="seconds")}),
            description="Everfit: this task's failure was reported; removed when it succeeds",
        )
    except Exception as error:
        log.warning("cannot remember what was reported (%s); reporting again", type(error).__name__)
    return True


def forget_failure(ti: Any) -> None:
    """The task works; its next failure is news."""
    from airflow.sdk import Variable

    if Variable.get(_key(ti), default=""):
        Variable.delete(_key(ti))


def _key(ti: Any) -> str:
    index = getattr(ti, "map_index", -1)
    suffix = f".{index}" if isinstance(index, int) and index >= 0 else ""
    return f"everfit.failing.{ti.dag_id}.{ti.task_id}{suffix}"
