"""Writes ``docs/schemas`` from the models: what a component of any language reads and writes.

.venv/bin/python scripts/contract_schemas.py          rewrite the files
.venv/bin/python scripts/contract_schemas.py --check  exit 1 where one is out of date
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter

from everfit.contracts.board import Board
from everfit.contracts.messages.steps import Component, Ended, Order, Outcome
from everfit.engine.step import load_step

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[str, str]:
    """File name → its text."""
    models: dict[str, tuple[str, Any, str]] = {
        "order.json": ("What a component is told", Order, "serialization"),
        "board.json": ("What the pages show of a pipeline", Board, "validation"),
        "outcome.json": ("What it tells: done, or nothing to do", Outcome | Ended, "validation"),
    }
    for component in get_args(Component):
        models[f"result.{component}.json"] = (
            f"What {component} publishes",
            load_step(component).result_type,
            "validation",
        )
    return {
        name: json.dumps(
            {"$schema": DIALECT, **TypeAdapter(model).json_schema(mode=mode), "title": title},
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        )
        + "\n"
        for name, (title, model, mode) in models.items()
    }


def main() -> int:
    """Rewrite or check."""
    wanted = documents()
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    if "--check" in sys.argv:
        return int(wanted != found)
    FOLDER.mkdir(exist_ok=True)
    for name in found.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
