"""What each component needs, and how store and ledger grow: for ``docs/how-to/sizing.md``.

Every component runs in a process of its own, as under Airflow; its memory is the most that this
process held (``ru_maxrss``). Invented trips, four months, three of them trained on; the families
and searches that a spec has by default. Growth is by what lies in the folder: the first run, a
second one with a month more, then sweeps.

.venv/bin/python benchmarks/sizing.py 20000 200000 2000000
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.chain import ChainTask, monitoring_tasks, training_tasks
from everfit.contracts.messages.steps import Component, Order, Outcome
from everfit.contracts.spec.load import load_spec
from everfit.storage.ledger.copying import dump_ledger

SPEC = """
task: regression
target: fare_amount
time: pickup_datetime
source: {uri: "{data}/nyc_yellow/*.csv", period: "%Y-%m"}
features:
  drop: [total_amount, tip_amount, tolls_amount, extra, mta_tax, payment_type,
         improvement_surcharge, congestion_surcharge]
  derive: {trip_minutes: "minutes(pickup_datetime, dropoff_datetime)"}
gate: {metric: mae, superior_by: 1%, baseline: median}
"""
SWEEPS = 20
A_YEAR = 4 * 24 * 365
"""Sweeps of a pipeline, one every 15 minutes."""


class Place:
    """One pipeline in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "dags" / "pipelines").mkdir(parents=True)
        path = root / "dags" / "pipelines" / "fares.yaml"
        path.write_text(SPEC)
        self.spec = load_spec(path)
        self.done: dict[Component, tuple[str, ...]] = {}

    def months(self, count: int, rows: int) -> None:
        """Have so many months there."""
        subprocess.run(
            [
                Path(sys.executable).with_name("everfit"),
                "example",
                "--months",
                str(count),
                "--rows",
                str(rows),
            ],
            check=True,
            env=self._environment(),
            stdout=subprocess.DEVNULL,
        )

    def perform(self, task: ChainTask) -> tuple[float, float, float]:
        """Wall and CPU seconds, and the most memory (MB); keeps the result."""
        order = Order(
            component=task.component,
            pipeline=self.spec,
            family=task.family,
            sweep=task.sweep,
            upstream={name: self.done[name] for name in task.upstream},
        )
        with tempfile.TemporaryDirectory() as folder:
            told, answer = Path(folder, "order.json"), Path(folder, "outcome.json")
            told.write_bytes(canonical_json(order))
            began = time.monotonic()
            child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "everfit.engine.execute",
                    "--order",
                    str(told),
                    "--outcome",
                    str(answer),
                ],
                env=self._environment(),
                stderr=subprocess.DEVNULL,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            wall = time.monotonic() - began
            if child.returncode == 3:
                return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6
            assert child.returncode == 0, f"{task.name} ended with {child.returncode}"
            digest = Outcome.model_validate_json(answer.read_bytes()).result
        self.done[task.component] = (*self.done.get(task.component, ()), digest)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6

    def run(self) -> dict[str, tuple[float, float, float]]:
        """The chain; what each component took."""
        self.done = {}
        return {task.name: self.perform(task) for task in training_tasks(self.spec)}

    def monitor(self) -> dict[str, tuple[float, float, float]]:
        """The monitoring of what has come since."""
        self.done = {}
        tasks = [task for task in monitoring_tasks(self.spec) if not task.sweep]
        again = {"extract": "extract (monitoring)"}
        return {again.get(task.name, task.name): self.perform(task) for task in tasks}

    def grown(self) -> tuple[int, int]:
        """Bytes of the store, and of the ledger."""
        home = self.root / ".everfit"
        store = sum(path.stat().st_size for path in home.glob("store/**/*") if path.is_file())
        return store, sum(path.stat().st_size for path in home.glob("ledger.db*"))

    def records(self) -> int:
        """Bytes of all records as text."""
        lines: list[bytes] = []
        dump_ledger(f"sqlite:///{self.root / '.everfit' / 'ledger.db'}", lines.append)
        return sum(map(len, lines))

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "EVERFIT_ROOT": str(self.root)}


def measure(rows: int) -> None:
    """Print one size's tables."""
    with tempfile.TemporaryDirectory(prefix="everfit-sizing-") as folder:
        place = Place(Path(folder))
        place.months(4, rows // 4)
        data = sum(path.stat().st_size for path in place.root.glob("data/*/*"))
        print(f"\n{rows:,} rows, {data / 1e6:,.1f} MB of CSV\n")
        print("| component | wall s | CPU s | peak MB |\n| --- | --- | --- | --- |")
        took = place.run()
        first, ledger = place.grown()
        place.months(5, rows // 4)
        took |= place.monitor()
        between, _ = place.grown()
        place.run()
        second, _ = place.grown()
        for name, (wall, cpu, memory) in took.items():
            print(f"| `{name}` | {wall:.1f} | {cpu:.1f} | {memory:,.0f} |", flush=True)
        before = place.records()
        for _ in range(SWEEPS):
            place.perform(ChainTask("plan", (), sweep=True))
        after = place.records()
        a_sweep = (after - before) / SWEEPS
        print(
            f"\nstore: first run {first / 1e6:,.1f} MB, monitoring {(between - first) / 1e6:,.1f} "
            f"MB, second run {(second - between) / 1e6:,.1f} MB\n"
            f"ledger: {ledger / 1e3:,.0f} kB after a run; a sweep {a_sweep:.0f} bytes of text, a "
            f"year of them {A_YEAR * a_sweep / 1e6:.1f} MB"
        )


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        measure(int(argument))
