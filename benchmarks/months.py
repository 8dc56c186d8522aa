"""Eighteen real months through a real Airflow, one after another, and the record they leave.

    .venv-airflow/bin/python benchmarks/months.py --data FOLDER [--write docs/explanation/months.md]

Method: a scheduler, a DAG processor, an API server and a triggerer are started in a fresh home with
one pipeline (`benchmarks/months.yaml`). The first three months are there from the beginning. Each
further month is put into the source's folder as one file; nobody starts a run. The watcher in the
triggerer notices the file and wakes `<name>.monitor`, which may wake `<name>.train`. When both have
come to rest the next month arrives. What is printed at the end is the ledger's own record.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
for folder in (ROOT, ROOT / "plugins"):
    sys.path.insert(0, str(folder))

from everfit.contracts.settings import Settings  # noqa: E402
from everfit_launch.airflow_here import AirflowHere  # noqa: E402

NAME = "months"
FIRST = 3
PATIENCE = 600.0
QUIET = 12
"""Seconds without a run: a bell that was rung has become one by then."""


def main() -> int:
    """Run them and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of monthly CSV files")
    parser.add_argument("--months", type=int, default=18)
    parser.add_argument("--write", type=Path, help="put the table between its marks in this page")
    parser.add_argument("--keep", type=Path, help="the home, kept for a look afterwards")
    options = parser.parse_args()
    months = sorted(options.data.glob("*.csv"))[: options.months]
    with tempfile.TemporaryDirectory(prefix="everfit-months-") as folder:
        home = options.keep or Path(folder)
        environment = world(home)
        source = home / "data" / "nyc_yellow"
        for month in months[:FIRST]:
            arrive(month, source)
        settings = Settings.from_environment(environment)
        here = AirflowHere(settings, environment, parse_every=5)
        with here:
            here.start_triggerer()
            for dag in (f"{NAME}.train", f"{NAME}.monitor"):
                here.wait_for_dag(dag)
                here.api.pause(dag, False)
            here.api.trigger(f"{NAME}.monitor")
            rest(here, 1)
            for month in months[FIRST:]:
                before = finished(here, f"{NAME}.monitor")
                arrive(month, source)
                began = time.monotonic()
                rest(here, before + 1)
                print(f"{month.stem}: {time.monotonic() - began:.0f} s", flush=True)
        record = measured(settings)
        history = told_by(environment, "history")
    page = "\n".join(record)
    print(page, history, sep="\n\n")
    if options.write:
        put(options.write, page)
    return 0


def world(home: Path) -> dict[str, str]:
    """A home of its own with the one pipeline."""
    pipelines = home / "pipelines"
    pipelines.mkdir(parents=True, exist_ok=True)
    (home / "data" / "nyc_yellow").mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "months.yaml", pipelines / f"{NAME}.yaml")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVERFIT_")}
    return {
        **kept,
        "EVERFIT_ROOT": str(ROOT),
        "EVERFIT_HOME": str(home / "home"),
        "EVERFIT_DATA": str(home / "data"),
        "EVERFIT_PIPELINES": str(pipelines),
        "EVERFIT_AIRFLOW_PORT": "0",
        "EVERFIT_POLL": "2",
    }


def arrive(month: Path, source: Path) -> None:
    """The file is there all at once."""
    aside = source / f".{month.name}.part"
    shutil.copy(month, aside)
    aside.rename(source / month.name)


def runs(here: AirflowHere, dag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.api.call("GET", f"/dags/{quote(dag)}/dagRuns?limit=1000")[
        "dag_runs"
    ]
    return found


def finished(here: AirflowHere, dag: str) -> int:
    return sum(run["state"] in ("success", "failed") for run in runs(here, dag))


def rest(here: AirflowHere, monitored: int) -> None:
    """Wait until so many monitor runs have ended and nothing is at work or about to be."""
    deadline = time.monotonic() + PATIENCE
    quiet = 0
    while quiet < QUIET:
        here.services.check()
        if time.monotonic() > deadline:
            raise SystemExit("the pipeline did not come to rest; look at Airflow's logs")
        time.sleep(1)
        both = [*runs(here, f"{NAME}.monitor"), *runs(here, f"{NAME}.train")]
        busy = any(run["state"] in ("queued", "running") for run in both)
        enough = finished(here, f"{NAME}.monitor") >= monitored
        quiet = quiet + 1 if enough and not busy else 0


def told_by(environment: dict[str, str], command: str) -> str:
    return subprocess.run(
        [str(ROOT / ".venv" / "bin" / "everfit"), command, NAME],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


PROGRAM = """
import json, sys
from everfit.storage.ledger import open_ledger
with open_ledger(sys.argv[1]) as ledger:
    print(json.dumps({
        "monitored": [m.model_dump(mode="json") for m in ledger.monitorings(sys.argv[2])],
        "evaluations": [e.model_dump(mode="json") for e in ledger.evaluations(sys.argv[2], 500)],
        "verdicts": {r.run_key: (v.model_dump(mode="json") if (v := ledger.verdict(r.run_key))
                                 else None) for r in ledger.runs(sys.argv[2], 500)},
        "runs": [r.model_dump(mode="json") for r in ledger.runs(sys.argv[2], 500)],
        "history": [p.model_dump(mode="json") for p in ledger.history(sys.argv[2])],
    }))
"""


def measured(settings: Settings) -> list[str]:
    """The record as a Markdown table: a line for each month, a line for each training."""
    found = json.loads(
        subprocess.run(
            [str(ROOT / ".venv" / "bin" / "python"), "-c", PROGRAM, settings.ledger, NAME],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
    )
    promoted = {entry["run_key"]: entry["version"] for entry in found["history"]}
    lines = []
    for one in found["monitored"]:
        rise = next((r for r in one["rises"] if r["metric"] == "mae" and not r["estimated"]), None)
        loss = (
            f"{rise['current']:.2f} ({100 * rise['worse'] / rise['reference']:+.1f} %)"
            if rise
            else "-"
        )
        lines.append(
            (
                one["at"],
                f"| {one['name'].removesuffix('.csv')} | v{one['version']} | {loss} | "
                f"{', '.join(one['strongest'][:4]) or '-'} | {one['because']} |",
            )
        )
    for run in found["runs"]:
        verdict = found["verdicts"][run["run_key"]]
        said = verdict["verdict"] if verdict else "unfinished"
        version = f" v{promoted[run['run_key']]}" if run["run_key"] in promoted else ""
        trigger = run["trigger"]["reason"] or run["trigger"]["run_type"]
        why = verdict["because"] if verdict else ""
        lines.append(
            (
                run["at"],
                f"| | | | | **trained** (triggered by {trigger}): **{said}{version}** {why} |",
            )
        )
    head = [
        "| month | champion | its MAE (beside when it was judged) | columns that moved | what the "
        "record says |",
        "| --- | --- | --- | --- | --- |",
    ]
    return [*head, *(text for _, text in sorted(lines))]


BEGIN, END = "<!-- eighteen months -->", "<!-- end of the eighteen months -->"


def put(page: Path, text: str) -> None:
    """Write the table between its marks."""
    head, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    sys.exit(main())
