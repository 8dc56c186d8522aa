"""What runs in the clean process: load the published model, predict the sample, compare.

``task.json`` in the working folder names digests; a small store beside it holds the three
artifacts and nothing else. The answer goes to ``answer.json``: stdout may carry anything.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from everfit.contracts.errors import EverfitError, told
from everfit.contracts.messages.artifacts import Artifact

TASK, ANSWER, STORE = "task.json", "answer.json", "store"

WARM_UP = 20
"""Calls whose time does not count: the first ones fill caches."""
CALLS = 200
"""Calls of one row each that are timed."""


def main(folder: Path) -> None:
    """Answer the task in ``folder``; every failure is an answer too."""
    task = json.loads((folder / TASK).read_bytes())
    try:
        answer = check(task, folder)
    except EverfitError as error:
        found = f"; {error.found}" if error.found else ""
        answer = _no(
            f"A clean process could not serve the model: {error.code}: {error.must}{found}"
        )
    except Exception as error:
        answer = _no(f"A clean process could not serve the model: {told(error)}")
    (folder / ANSWER).write_text(json.dumps(answer))


def check(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Load, predict, compare exactly; where asked for, take the time of single rows.

    Returns
    -------
    dict
        ``same``, ``reason``, ``rows`` (0 where the model did not answer) and, where asked for,
        ``p50_ms`` and ``p95_ms``.
    """
    from everfit.data.tables.frames import read_table
    from everfit.ml.model import load_model, predict_scores
    from everfit.storage.store.local import LocalStore

    store = LocalStore(folder / STORE)
    artifact = Artifact(**task["model"])
    model = load_model(store, artifact, folder, tuple(task["estimators"]))
    sample = read_table(store.local(task["sample"], folder))
    published = json.loads(store.get(task["predictions"]))
    predicted = predict_scores(model, sample, task["task"]).tolist()
    answer = compare(published, predicted, artifact.digest)
    if task.get("timed") and predicted:
        answer |= take_time(model, sample, task["task"])
    return answer


def take_time(model: Any, sample: Any, task: str) -> dict[str, float]:
    """Predict single rows, one after the other, with one thread.

    Returns
    -------
    dict
        ``p50_ms`` and ``p95_ms``: the smallest time that half of the calls, and 95 of 100, did
        not exceed.
    """
    from threadpoolctl import threadpool_limits

    ask = model.predict if task == "regression" else model.predict_proba
    rows = [sample.iloc[[place % len(sample)]] for place in range(WARM_UP + CALLS)]
    taken = []
    with threadpool_limits(limits=1):
        for row in rows:
            began = time.perf_counter_ns()
            ask(row)
            taken.append((time.perf_counter_ns() - began) / 1e6)
    taken = sorted(taken[WARM_UP:])
    return {f"p{part}_ms": taken[-(-CALLS * part // 100) - 1] for part in (50, 95)}


def compare(published: Any, predicted: list[Any], digest: str) -> dict[str, Any]:
    """Compare what was predicted here with what was published, float for float."""
    rows = len(predicted)
    if not isinstance(published, list) or not published:
        return _no("There are no published predictions to compare with", rows)
    if len(published) != rows:
        return _no(
            f"A clean process predicted {rows:,} sample rows, but the predictions of "
            f"{len(published):,} are published",
            rows,
        )
    differ = sum(a != b for a, b in zip(published, predicted, strict=True))
    if differ:
        return _no(
            f"A clean process predicted {differ:,} of {rows:,} sample rows other than as published",
            rows,
        )
    return {
        "same": True,
        "reason": f"A clean process loaded model {digest[:12]} and predicted all "
        f"{rows:,} sample rows exactly as published.",
        "rows": rows,
    }


def _no(reason: str, rows: int = 0) -> dict[str, Any]:
    return {"same": False, "reason": reason.rstrip(".") + ".", "rows": rows}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
