"""How a component is started: one small interface, and a module per way of doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Ending:
    """How a component ended."""

    code: int
    """Exit code; negative for the signal that ended it."""
    outcome: bytes | None
    """``outcome.json`` where it was written."""
    last_line: str
    """The last line it logged: of a failure, the reason."""


class Runner(Protocol):
    """Starts a component and waits for it."""

    def run(
        self,
        order: bytes,
        environment: Mapping[str, str],
        log: Callable[[str], None],
        remember: Callable[[dict[str, Any]], None],
    ) -> Ending:
        """Carry an order out.

        Parameters
        ----------
        order : bytes
            ``order.json``.
        environment : mapping
            The component's whole environment.
        log : callable
            Gets each line as the component writes it.
        remember : callable
            Gets, once it runs, what ``fence`` needs to end it from another process.
        """

    def stop(self) -> None:
        """End the component and everything it started; may be called from a signal handler."""

    def fence(self, remembered: Mapping[str, Any]) -> str | None:
        """End what an earlier try left running; a sentence where there was anything."""
