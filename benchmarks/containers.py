"""What a container costs beside a process, for the same order on the same store.

    make bench-containers        # .venv-airflow/bin/python benchmarks/containers.py --times 5

Method: the example's chain, component by component, and at last an order that is refused, which is
the price of a start alone. Before each component the home (store, ledger, registry) is copied once
for every turn, so each turn does the same work and none finds a result. Turns alternate:

- *process*: the entry started by a parent of the same image, in a container that runs all the while
  with the same limits; from its start to its end, CPU seconds by `wait4`. Same Python, same
  libraries, same mount: what differs is the container alone.
- *container*: `DockerRunner`, as Airflow's operator calls it: created, order put in, started, log
  followed, outcome fetched, removed. CPU seconds of all that runs inside, by the control group of
  the engine's containers; beside it those of the engine's two daemons (`/proc/<pid>/stat`).

Medians of the turns, and of the ratio turn by turn. Another container on the engine would be
counted too, so there must be none. Writes its part of `benchmarks/results.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from everfit.contracts.messages.chain import training_tasks  # noqa: E402
from everfit.contracts.messages.steps import Order  # noqa: E402
from everfit.contracts.runners import Place  # noqa: E402
from everfit.contracts.spec.load import load_spec  # noqa: E402
from everfit_airflow.runners import Task  # noqa: E402
from everfit_airflow.runners.docker import DockerRunner  # noqa: E402

TITLE = "# A container per component"
KEPT_LOW = """\
What keeps it low: Python is compiled in the image (nothing is at run time), the list of fonts
and a migrated MLflow database are baked in, the entry point is a few lines of shell before
Python, order and outcome are two small files, and a component that needs no network gets none.
What is left is the engine making, starting and removing a container: the same for every
component, whatever it does."""
SPEC = ROOT / "dags" / "pipelines" / "taxi_fare.yaml"
TICK = os.sysconf("SC_CLK_TCK")
START = """
import json, os, subprocess, sys, time
began = time.monotonic()
child = subprocess.Popen(
    ["component", "--order", "/tmp/order.json", "--outcome", "/tmp/outcome.json"],
    env={**os.environ, **json.loads(sys.argv[1])},
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
)
_, status, used = os.wait4(child.pid, 0)
print(json.dumps([time.monotonic() - began, used.ru_utime + used.ru_stime]))
"""
"""Run by a parent inside the image; `component` is what its entry point runs."""


@dataclass(frozen=True)
class Turn:
    """Seconds of one run."""

    wall: float
    cpu: float
    engine: float = 0.0


def usage_file(pid: int) -> tuple[Path, float]:
    """Where the CPU time of all containers of the engine is counted, and of what unit."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        above = path.rsplit("/", 1)[0].lstrip("/")
        if "cpuacct" in controllers.split(","):
            for mount in (controllers, "cpuacct"):
                file = Path("/sys/fs/cgroup", mount, above, "cpuacct.usage")
                if file.exists():
                    return file, 1e-9
        if not controllers:
            file = Path("/sys/fs/cgroup", above, "cpu.stat")
            if file.exists():
                return file, 1e-6
    raise SystemExit("the control group of the engine's containers was not found")


def daemons() -> list[int]:
    """The engine's processes."""
    return [
        int(folder.name)
        for folder in Path("/proc").glob("[0-9]*")
        if (folder / "comm").exists()
        and (folder / "comm").read_text().strip() in ("dockerd", "containerd")
    ]


def used_by(pids: list[int]) -> float:
    """CPU seconds of processes, and of those they started and waited for."""
    total = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, stat[11:15]))
    return total / TICK


class Bench:
    """One image, one home, two ways to run an order."""

    def __init__(self, engine: Any, image: str, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.place = Place.model_validate(
            {
                "runner": "docker",
                "image": image,
                "pull": "never",
                "mounts": [{"source": str(folder), "target": str(folder), "read_only": False}],
            }
        )
        self.parent = engine.containers.run(
            image,
            entrypoint=["sleep", "infinity"],
            detach=True,
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/tmp": "mode=1777,size=1073741824"},
            mem_limit="4g",
            nano_cpus=2 * 10**9,
            pids_limit=512,
            labels={"everfit.bench": "containers"},
            volumes={str(folder): {"bind": str(folder), "mode": "rw"}},
        )
        self.parent.reload()
        self.usage, self.unit = usage_file(self.parent.attrs["State"]["Pid"])
        self.daemons = daemons()

    def environment(self, home: Path) -> dict[str, str]:
        """Where store, ledger, registry and data are."""
        return {
            "EVERFIT_HOME": str(home),
            "EVERFIT_DATA": str(self.folder / "data"),
            "EVERFIT_ROOT": str(self.folder),
            "OMP_NUM_THREADS": "1",
        }

    def inside(self, *command: str, **options: Any) -> str:
        """Run something beside the parent's `sleep`."""
        code, text = self.parent.exec_run(list(command), **options)
        if code:
            raise SystemExit(f"{command}: exit {code}\n{text.decode()}")
        return str(text.decode())

    def counted(self) -> float:
        """CPU seconds of all containers so far."""
        text = self.usage.read_text()
        found = re.search(r"usage_usec (\d+)", text)
        return int(found[1] if found else text) * self.unit

    def process(self, order: bytes, home: Path) -> tuple[Turn, dict[str, Any] | None]:
        """An order carried out by a child of the parent."""
        write = "import pathlib, sys; pathlib.Path('/tmp/order.json').write_text(sys.argv[1])"
        self.inside("rm", "-f", "/tmp/outcome.json")
        self.inside("python", "-c", write, order.decode())
        wall, cpu = json.loads(
            self.inside("python", "-c", START, json.dumps(self.environment(home)))
        )
        told = self.inside("sh", "-c", "cat /tmp/outcome.json 2>/dev/null || true")
        return Turn(wall, cpu), json.loads(told) if told else None

    def container(self, order: bytes, home: Path) -> tuple[Turn, dict[str, Any] | None]:
        """The same by a container of its own."""
        runner = DockerRunner(self.place, Task("bench", home.name, "x", -1, "bench", "x"), ())
        counted, daemons, began = self.counted(), used_by(self.daemons), time.monotonic()
        ending = runner.run(order, self.environment(home), {}, lambda _: None, lambda _: None)
        wall = time.monotonic() - began
        turn = Turn(wall, self.counted() - counted, used_by(self.daemons) - daemons)
        return turn, json.loads(ending.outcome) if ending.outcome else None

    def turns(self, name: str, order: bytes, home: Path, times: int) -> dict[str, Any]:
        """Both ways in turn, each on a copy of the home."""
        found: dict[str, list[Turn]] = {"process": [], "container": []}
        for turn in range(times):
            for way in ("process", "container") if turn % 2 else ("container", "process"):
                copy = self.folder / f"{way}-{turn}-{name.replace(' ', '-')}"
                self.inside("cp", "-a", str(home), str(copy))
                seconds, outcome = getattr(self, way)(order, copy)
                found[way].append(seconds)
                last = self.folder / f"last-{way}"
                shutil.rmtree(last, ignore_errors=True)
                copy.rename(last)
        print(name, {way: [round(t.wall, 2) for t in seen] for way, seen in found.items()})
        return {"name": name, **found, "outcome": outcome}

    def close(self) -> None:
        """Remove the parent."""
        self.parent.remove(force=True)


def measure(bench: Bench, times: int) -> list[dict[str, Any]]:
    """Every component of the chain, then a start for nothing."""
    home = bench.folder / "home"
    bench.inside("mkdir", str(home))
    bench.inside("everfit", "example", environment=bench.environment(home))
    spec, done, rows = load_spec(SPEC), {}, []
    for task in training_tasks(spec):
        order = Order(
            component=task.component,
            pipeline=spec,
            family=task.family,
            upstream={name: done[name] for name in task.upstream},
        )
        row = bench.turns(task.name, order.model_dump_json().encode(), home, times)
        if row["outcome"] is None:
            raise SystemExit(f"{task.name} had no outcome; run it by hand in {home}")
        done[task.component] = (*done.get(task.component, ()), row["outcome"]["result"])
        rows.append(row)
        shutil.rmtree(home)
        (bench.folder / "last-container").rename(home)
    rows.append(bench.turns("refused order", b"{}", home, times))
    return rows


def median(turns: list[Turn], field: str) -> float:
    """Of one figure over the turns."""
    return statistics.median(getattr(turn, field) for turn in turns)


def report(rows: list[dict[str, Any]], times: int, size: float) -> str:
    """This benchmark's part of the page."""
    lines = [
        TITLE,
        "",
        f"The example's chain (6 months of 10,000 trips), {os.cpu_count()} cores, medians of "
        f"{times} turns taken in turn, image of {size:.0f} MB; method: the docstring of "
        "`benchmarks/containers.py`.",
        "",
        "| component | process: wall s | CPU s | container: wall s | CPU s | engine CPU s "
        "| more wall s | ratio of wall | ratio of CPU |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        process, container = row["process"], row["container"]
        more = statistics.median(b.wall - a.wall for a, b in zip(process, container, strict=True))
        ratios = [
            statistics.median(
                getattr(b, of) / getattr(a, of) for a, b in zip(process, container, strict=True)
            )
            for of in ("wall", "cpu")
        ]
        lines.append(
            f"| {row['name']} | {median(process, 'wall'):.2f} | {median(process, 'cpu'):.2f} "
            f"| {median(container, 'wall'):.2f} | {median(container, 'cpu'):.2f} "
            f"| {median(container, 'engine'):.2f} | {more:+.2f} "
            f"| {ratios[0]:.2f} | {ratios[1]:.2f} |"
        )
    return "\n".join([*lines, "", KEPT_LOW]) + "\n"


def place_in(page: str, part: str) -> str:
    """The page with this part in place of what stood there."""
    before, found, after = page.partition(TITLE)
    rest = re.search(r"^# ", after, re.M) if found else None
    tail = after[rest.start() :] if rest else ""
    return before.rstrip("\n") + "\n\n" + part + (f"\n{tail}" if tail else "")


@contextmanager
def started(image: str) -> Iterator[Bench]:
    """A bench in a folder that the image's user may write to."""
    import docker

    engine = docker.from_env()
    if engine.containers.list():
        raise SystemExit("other containers are at work, and would be counted; end them first")
    folder = Path(tempfile.mkdtemp(prefix="everfit-bench-"))
    folder.chmod(0o777)
    bench = Bench(engine, image, folder)
    try:
        yield bench
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
        engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--image", default=Place().image)
    options = parser.parse_args()
    with started(options.image) as bench:
        rows = measure(bench, options.times)
        size = bench.engine.images.get(options.image).attrs["Size"] / 1e6
    page = HERE / "results.md"
    page.write_text(place_in(page.read_text(), report(rows, options.times, size)))


if __name__ == "__main__":
    main()
