"""What runs in the clean process: load the published model, predict the sample, compare.

``task.json`` in the working folder names digests; a small store beside it holds the three
artifacts and nothing else. The answer goes to ``answer.json``: stdout may carry anything.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.errors import EverfitError

TASK, ANSWER, STORE = "task.json", "answer.json", "store"


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
        answer = _no(f"A clean process could not serve the model: {_told(error, folder)}")
    (folder / ANSWER).write_text(json.dumps(answer))


def check(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Load, predict, compare exactly.

    Returns
    -------
    dict
        ``same``, ``reason`` and ``rows``.
    """
    from pipeline_components.model import load_model, predict_scores
    from pipeline_components.store.local import LocalStore
    from pipeline_components.table.frames import read_table

    store = LocalStore(folder / STORE)
    artifact = Artifact(**task["model"])
    model = load_model(store, artifact, folder, tuple(task["estimators"]))
    sample = read_table(store.local(task["sample"], folder))
    published = json.loads(store.get(task["predictions"]))
    predicted = predict_scores(model, sample, task["task"]).tolist()
    return compare(published, predicted, artifact.digest)


def compare(published: Any, predicted: list[Any], digest: str) -> dict[str, Any]:
    """Hold what was predicted here against what was published, float for float."""
    if not isinstance(published, list) or not published:
        return _no("There are no published predictions to compare with")
    if len(published) != len(predicted):
        return _no(
            f"A clean process predicted {len(predicted):,} sample rows, but the predictions of "
            f"{len(published):,} are published"
        )
    differ = sum(a != b for a, b in zip(published, predicted, strict=True))
    if differ:
        return _no(
            f"A clean process predicted {differ:,} of {len(predicted):,} sample rows otherwise "
            "than published"
        )
    return {
        "same": True,
        "reason": f"A clean process loaded model {digest[:12]} and predicted all "
        f"{len(predicted):,} sample rows exactly as published.",
        "rows": len(predicted),
    }


def _no(reason: str) -> dict[str, Any]:
    return {"same": False, "reason": reason.rstrip(".") + ".", "rows": 0}


def _told(error: Exception, folder: Path) -> str:
    """An error on one line, without what differs from run to run."""
    text = " ".join(str(error).split()).replace(str(folder), "")
    text = re.sub(r"0x[0-9a-fA-F]+|(/[\w.+-]+){2,}", "…", text)
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


if __name__ == "__main__":
    main(Path(sys.argv[1]))
