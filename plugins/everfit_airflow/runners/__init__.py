"""How a component is started: one small interface, and a module per way of doing it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Task:
    """Which task of Airflow a component works for: the same through all its tries."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    pipeline: str
    component: str

    @property
    def name(self) -> str:
        """A name for its container: deterministic, so that a retry finds what a try has left."""
        identity = "\0".join((self.dag_id, self.run_id, self.task_id, str(self.map_index)))
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        words = re.sub(r"[^a-z0-9]+", "-", f"{self.pipeline}-{self.component}".lower())
        return f"everfit-{words[:36].strip('-')}-{digest}"


@dataclass(frozen=True)
class Ending:
    """How a component ended."""

    code: int
    """Exit code; negative for the signal that ended it."""
    outcome: bytes | None
    """``outcome.json`` where it was written."""
    last_line: str
    """The last line it logged: of a failure, the reason."""
    out_of_memory: bool = False
    """Whether it was ended for wanting more memory than it may have."""


class Runner(Protocol):
    """Starts a component and waits for it."""

    def run(
        self,
        order: bytes,
        environment: Mapping[str, str],
        secrets: Mapping[str, str],
        log: Callable[[str], None],
        remember: Callable[[dict[str, Any]], None],
    ) -> Ending:
        """Carry an order out.

        Parameters
        ----------
        order : bytes
            ``order.json``.
        environment : mapping
            The component's environment, but for
        secrets : mapping
            Credentials, which become variables too, and are shown nowhere.
        log : callable
            Gets each line as the component writes it.
        remember : callable
            Gets, once it runs, what ``fence`` needs to end it from another process.
        """

    def stop(self) -> None:
        """End the component and everything it started; may be called from a signal handler."""

    def fence(self, remembered: Mapping[str, Any]) -> str | None:
        """End what an earlier try left running; a sentence where there was anything."""
