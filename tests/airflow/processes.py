"""What runs on this machine for a stand: components, and what the parts of Airflow started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any


def components_of(home: Path) -> list[tuple[int, str]]:
    """Components at work for a home: process, and name of the pipeline."""
    own = f"EVERFIT_HOME={home}".encode()
    found = []
    for pid in _pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if own in environment and is_component(pid):
            found.append((pid, order_of(pid).get("pipeline", {}).get("name", "")))
    return found


def is_component(pid: int) -> bool:
    """Whether a process carries out an order."""
    try:
        return b"everfit.engine.execute" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def training(home: Path, *names: str) -> bool:
    """Whether one of those pipelines is in the middle of a training."""
    return any(
        name in names and order_of(pid).get("component") in ("prepare", "train", "evaluate")
        for pid, name in components_of(home)
    )


def order_of(pid: int) -> dict[str, Any]:
    """What a component was told; empty where it is gone."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        path = os.fsdecode(command[command.index(b"--order") + 1])
        return dict(json.loads(Path(path).read_bytes()))
    except (OSError, ValueError):
        return {}


def descendants(pid: int) -> list[int]:
    """Every process below one, whatever session it is in."""
    children: dict[int, list[int]] = {}
    for each in _pids():
        try:
            parent = int(Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        children.setdefault(parent, []).append(each)
    found, pending = [], [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
