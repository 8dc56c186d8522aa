"""`everfit run` beside a plain best-practice script that does the same job on the same data.

    .venv/bin/python benchmarks/chain.py [--rows 20000 200000 2000000] [--times 3]

Method: both run as whole processes, in turn, each time in a fresh home; CPU seconds (user and
system, children included), wall seconds and peak resident memory are the operating system's own
figures (`wait4`). The median of the runs is reported. Then `everfit run` is repeated in its last
home: an unchanged re-run. Stages are CPU seconds measured inside one further run of each.
Writes `benchmarks/results.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
AGAIN = 7
"""Unchanged re-runs."""
LARGE = 100_000
"""Rows from which a size is run once."""
PYTHON = ROOT / ".venv" / "bin" / "python"
sys.path.insert(0, str(HERE))


def timed(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run a command to its end; CPU, wall and peak memory of it and its children."""
    began = time.monotonic()
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = child.communicate()
    wall = time.monotonic() - began
    if child.returncode != 0:
        raise SystemExit(f"{command}: exit {child.returncode}\n{out}\n{err}")
    return {"wall": wall, "stdout": out}  # type: ignore[dict-item]


def measure(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """``timed`` in a process of its own, so that the children's resource usage is this one's."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        found = timed(command, environment)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        found["cpu"] = used.ru_utime + used.ru_stime
        found["peak_mb"] = used.ru_maxrss / 1024
        with os.fdopen(write, "w") as pipe:
            json.dump(found, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        raise SystemExit("a benchmarked command failed; see above")
    return json.loads(text)


def homes(folder: Path, data: Path) -> dict[str, str]:
    """The environment of a fresh Everfit home whose only pipeline is the benchmark's."""
    pipelines = folder / "dags" / "pipelines"
    pipelines.mkdir(parents=True)
    (pipelines / "chain.yaml").write_text((HERE / "chain.yaml").read_text())
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("EVERFIT_", "MLFLOW_"))}
    return clean | {"EVERFIT_ROOT": str(folder), "EVERFIT_DATA": str(data)}


def stages() -> None:
    """Child: one run of the chain with the CPU seconds of each step, as JSON."""
    from everfit.contracts.messages.steps import find_summary
    from everfit.contracts.messages.summaries import EvaluateSummary
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context, pin_threads
    from everfit.engine.pipeline import run_pipeline

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, "chain"))
    pin_threads(1)
    found: dict[str, float] = {}
    last = time.process_time()

    def watch(component: str, _family: str | None, outcome: object) -> None:
        nonlocal last
        if outcome is not None:
            now = time.process_time()
            found[component] = round(found.get(component, 0) + now - last, 2)
            last = now

    with open_context(settings) as context:
        outcomes = run_pipeline(spec, context, watch=watch)
    scored = find_summary(outcomes, EvaluateSummary)
    print(json.dumps({"stages": found, "best": scored.candidate, "log_loss": scored.score}))


def compare(rows: int, times: int, folder: Path) -> dict[str, object]:
    """Both commands in turn at one size."""
    data = folder / "data"
    # In a process of its own: what this one holds would count as its children's peak memory.
    make = "import sys, table; table.write_months(table.Path(sys.argv[1]), int(sys.argv[2]))"
    subprocess.run([str(PYTHON), "-c", make, str(data), str(rows)], cwd=HERE, check=True)
    found: dict[str, list[dict[str, float]]] = {"plain": [], "everfit": []}
    for index in range(times):
        work = folder / f"plain-{index}"
        work.mkdir()
        found["plain"].append(
            measure([str(PYTHON), str(HERE / "plain.py"), str(data), str(work)], dict(os.environ))
        )
        environment = homes(folder / f"everfit-{index}", data)
        command = [str(ROOT / ".venv" / "bin" / "everfit"), "run", "chain"]
        found["everfit"].append(measure(command, environment))
        print(f"  {rows:,} rows, run {index + 1}: ", end="")
        print(
            {
                n: {k: round(r[-1][k], 2) for k in ("cpu", "wall", "peak_mb")}
                for n, r in found.items()
            }
        )
    again = [measure(command, environment) for _ in range(AGAIN)]
    inside = homes(folder / "stages", data)
    staged = measure([str(PYTHON), str(HERE / "chain.py"), "--stages"], inside)
    return {
        "rows": rows,
        "runs": len(found["plain"]),
        "median": {
            name: {k: statistics.median(r[k] for r in runs) for k in ("cpu", "wall", "peak_mb")}
            for name, runs in found.items()
        },
        "ratios": [
            e["cpu"] / p["cpu"] for e, p in zip(found["everfit"], found["plain"], strict=True)
        ],
        "again": {k: statistics.median(r[k] for r in again) for k in ("cpu", "wall", "peak_mb")},
        "plain": last_line(found["plain"][-1]),
        "everfit": last_line(staged),
    }


def last_line(measured: dict[str, float]) -> Any:
    """The JSON a command ended with."""
    return json.loads(str(measured["stdout"]).strip().splitlines()[-1])


def report(results: list[dict[str, object]]) -> str:
    """The page ``benchmarks/results.md``."""
    lines = [
        "# The chain beside a plain script",
        "",
        f"{os.cpu_count()} cores, Python {platform.python_version()}, one thread each, "
        "medians of the runs, taken in turn. Method: the docstring of `benchmarks/chain.py`.",
        "",
        "| rows | | runs | CPU s | wall s | peak MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        rows = {"plain script": "plain", "`everfit run`": "everfit"}
        for title, name in rows.items():
            m = result["median"][name]  # type: ignore[index]
            lines.append(
                f"| {result['rows']:,} | {title} | {result['runs']} | {m['cpu']:.1f} "
                f"| {m['wall']:.1f} | {m['peak_mb']:.0f} |"
            )
        m = result["again"]  # type: ignore[assignment]
        lines.append(
            f"| {result['rows']:,} | unchanged re-run | {AGAIN} | {m['cpu']:.2f} "
            f"| {m['wall']:.2f} | {m['peak_mb']:.0f} |"
        )
    lines += ["", "CPU of `everfit run` over the plain script, pair by pair:", ""]
    for result in results:
        ratios = result["ratios"]
        shown = ", ".join(f"{r:.2f}" for r in ratios)  # type: ignore[attr-defined]
        lines.append(f"- {result['rows']:,} rows: {shown}")
    lines += ["", "CPU seconds by stage, and the log loss reached (one run each):", ""]
    for result in results:
        for title, name in (("plain script", "plain"), ("Everfit", "everfit")):
            found: Any = result[name]
            stages_shown = ", ".join(f"{stage} {cpu}" for stage, cpu in found["stages"].items())
            lines.append(
                f"- {result['rows']:,} rows, {title}: {stages_shown}; "
                f"{found['best']} with {found['log_loss']:.4f}"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--stages", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stages:
        stages()
        return
    results = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="everfit-bench-") as folder:
            # The large tables take minutes a run: once is what a person waits for.
            times = options.times if rows < LARGE else 1
            results.append(compare(rows, times, Path(folder)))
        (HERE / "results.md").write_text(report(results))
    print(report(results))


if __name__ == "__main__":
    main()
