"""What is told as done is on the disk: in which order the kernel is asked, seen from outside."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path
from everfit.storage.ledger import open_ledger
from everfit.storage.ledger.records import PromotionRecord
from everfit.storage.mlflow.files import publish_files
from everfit.storage.mlflow.sqlite import SqliteRegistry
from everfit.storage.mlflow.sqlite_runs import ensure_experiment
from everfit.storage.mlflow.template import provide_database
from everfit.storage.store import open_store

root = Path(sys.argv[1])
mark = lambda name: os.access("/mark/" + name, os.F_OK)
entry = PromotionRecord(sequence=1, version=1, run_key="a" * 64, kind="promote", reason="better")
with open_ledger(f"sqlite:///{root}/ledger.db") as ledger:
    mark("ledger")
    ledger.promote("fares", entry)
    mark("end")
mark("store")
open_store(f"file://{root}/store").create("results/gate/a.json", b"{}")
mark("end")
(root / "run").mkdir()
mark("artifacts")
publish_files(root / "run", {"model/model.skops": b"a model"})
mark("end")
mark("template")
provide_database(root / "mlflow.db", root / "artifacts")
mark("end")
with SqliteRegistry(root / "mlflow.db", root / "artifacts") as registry:
    mark("registry")
    with registry._transaction() as sql:
        ensure_experiment(sql, "fares", (root / "artifacts").as_uri(), 0)
    mark("end")
"""

CALLS = "fsync,fdatasync,link,linkat,rename,renameat,renameat2,access,faccessat,faccessat2"


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Part of the script → its system calls, as ``name argument`` with the root taken out."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here: apt-get install strace")
    root = tmp_path_factory.mktemp("synced")
    script, trace = root / "script.py", root / "trace"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [strace, "-f", "-y", "-o", trace, "-e", f"trace={CALLS}", sys.executable, script, root],
        cwd=Path.cwd(),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(source()), "PATH": "/usr/bin:/bin"},
    )
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    part = ""
    for line in trace.read_text().splitlines():
        called = re.match(r"\d+ +(\w+)\((.*)\) += 0", line)
        marked = re.search(r'"/mark/(\w+)"', line)
        if marked:
            part = marked[1]
        elif called and part != "end":
            name = "sync" if "sync" in called[1] else re.sub(r"(at)?2?$", "", called[1])
            paths = [p for p in re.findall(r'[<"]([^">]+)[">]', called[2]) if p.startswith("/")]
            named = " ".join(p.removeprefix(str(root)).lstrip("/") for p in paths)
            found.setdefault(part, []).append(f"{name} {named}")
    return found


def source() -> Path:
    import everfit

    return Path(everfit.__file__).parents[1]


def test_a_promotion_is_on_the_disk_before_the_ledger_answers(calls) -> None:
    assert "sync ledger.db-wal" in calls["ledger"]


def test_a_stored_file_is_on_the_disk_before_it_has_its_name_and_the_name_after(calls) -> None:
    events = calls["store"]
    (linked,) = [n for n, event in enumerate(events) if event.startswith("link ")]
    staged = events[linked].split()[1]
    assert f"sync {staged}" in events[:linked]
    assert "sync store/results/gate" in events[linked:]
    assert "sync store" in events[linked:]


def test_an_artifact_of_a_run_is_on_the_disk_before_it_has_its_name(calls) -> None:
    events = calls["artifacts"]
    (renamed,) = [n for n, event in enumerate(events) if event.startswith("rename ")]
    staged = events[renamed].split()[1]
    assert f"sync {staged}" in events[:renamed]


def test_a_new_database_is_on_the_disk_before_it_has_its_name(calls) -> None:
    events = calls["template"]
    (linked,) = [n for n, event in enumerate(events) if event.startswith("link ")]
    staged = events[linked].split()[1]
    assert f"sync {staged}" in events[:linked]


def test_what_mlflow_is_told_is_on_the_disk_before_its_database_answers(calls) -> None:
    assert "sync mlflow.db-wal" in calls["registry"]
