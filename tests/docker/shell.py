"""A runner with a shell for a component, and what a test looks at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everfit.contracts.runners import Place
from everfit_airflow.runners import Ending, Task
from everfit_airflow.runners.docker import DockerRunner
from tests.docker.conftest import IMAGE


class Shell:
    """One try of one task."""

    def __init__(
        self, run_id: str, networks: Sequence[str] = (), task_id: str = "train", **place: Any
    ) -> None:
        limits = {"image": IMAGE, "pull": "never", "memory": "64Mi", "disk": "8Mi", **place}
        self.task = Task("fares", run_id, task_id, -1, "fares", "train")
        self.place = Place.model_validate({"runner": "docker", **limits})
        self.runner = DockerRunner(self.place, self.task, networks)
        self.lines: list[str] = []
        self.remembered: list[Mapping[str, Any]] = []
        self.ending: Ending | None = None
        self.error: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """Of the container."""
        return self.task.name

    def run(
        self,
        script: str,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        log: Callable[[str], None] | None = None,
    ) -> Ending:
        """Carry a script out; what goes on for a minute is taken for lost."""
        self.begin(script, environment, secrets, log)
        return self.end()

    def begin(
        self,
        script: str,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """The same, beside the test."""

        def hear(line: str) -> None:
            self.lines.append(line)
            if log is not None:
                log(line)

        def work() -> None:
            try:
                self.ending = self.runner.run(
                    script.encode(), environment or {}, secrets or {}, hear, self.remembered.append
                )
            except BaseException as error:
                self.error = error

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def end(self) -> Ending:
        """Wait for what was begun."""
        assert self._thread is not None
        self._thread.join(60)
        assert not self._thread.is_alive(), "it goes on"
        if self.error is not None:
            raise self.error
        assert self.ending is not None
        return self.ending


def until(true: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to be")


def containers(engine: Any, run_id: str) -> list[Any]:
    """Those of a run, whatever their state."""
    wanted = {"label": f"io.everfit.run={run_id}"}
    return list(engine.containers.list(all=True, ignore_removed=True, filters=wanted))
