"""Takes away what no task will come back for.

A container is removed by its task, or by the next try. Where neither comes, one that has ended is
kept for a day, and none works longer than a week: whichever component ends next on the same engine
sees to it, and ``python -m everfit_airflow.runners.reap`` does it by hand or by cron.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from everfit.contracts.errors import EverfitError

if TYPE_CHECKING:
    from everfit_airflow.runners.docker_engine import Engine

KEPT = timedelta(days=1)
"""How long an ended container waits for a retry to ask for its outcome."""

LIFETIME = timedelta(days=7)
"""How long any container may work."""


def reap(engine: Engine, now: datetime | None = None) -> list[str]:
    """Remove what is too old; the names of what was removed.

    A failure is somebody else's to tell: the next component tries again.
    """
    from everfit_airflow.runners.docker_engine import Gone, Lost, Taken

    now, removed = now or datetime.now(UTC), []
    with contextlib.suppress(EverfitError, Gone, Lost, Taken):
        for container in engine.ours():
            made = datetime.fromtimestamp(container["Created"], UTC)
            if now - made > KEPT and _is_over(engine, container["Id"], made, now):
                engine.remove(container["Id"])
                removed.append(str(container["Names"][0]).lstrip("/"))
    return removed


def _is_over(engine: Engine, container: str, made: datetime, now: datetime) -> bool:
    found = engine.describe(container)
    if found is None:
        return False
    if found["State"]["Running"]:
        return now - made > LIFETIME
    ended = str(found["State"]["FinishedAt"])[:19]  # year 1 where it never started
    return now - datetime.fromisoformat(ended).replace(tzinfo=UTC) > KEPT


def main() -> int:
    """Reap once and say what was removed."""
    from everfit_airflow.runners.docker_engine import Engine

    try:
        with Engine() as engine:
            for name in reap(engine):
                sys.stdout.write(f"removed {name}\n")
    except EverfitError as error:
        sys.stderr.write(f"{error.line}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
