"""A summary of each component, as small as it can be."""

from __future__ import annotations

from typing import Any

LEAST: dict[str, dict[str, Any]] = {
    "plan": {"decision": "train", "window": 1, "holdout": 1, "left_out": 0},
    "extract": {"spans": 1, "rows": 3, "bytes": 9, "refused": 0},
    "validate": {
        "good": 1,
        "quarantined": 0,
        "errors": 0,
        "warnings": 0,
        "remarks": 0,
        "run_key": "ab",
    },
    "prepare": {"rows_train": 3, "rows_holdout": 1, "features": 2, "dropped": 0, "run_key": "ab"},
    "train": {"family": "linear", "cv_score": 0.5, "trials": 1, "rows": 3},
    "evaluate": {"candidate": "linear", "baseline": "median", "rows": 1},
    "gate": {"verdict": "hold"},
    "refit": {},
    "register": {
        "version": None,
        "champion": None,
        "mlflow_run": "r",
        "superseded": False,
        "awaits": "",
    },
    "watch": {"spans": 1, "evaluate": 1, "champion": 1},
    "monitor": {"spans": 1, "champion": 1, "newest": "a", "state": "measured", "inputs": 0.0},
    "fall_back": {"champion": 1},
    "drift_report": {"evidently": True},
    "score": {
        "scored": 1,
        "rows": 3,
        "already": 0,
        "refused": 0,
        "unscored": 0,
        "versions": (1,),
        "output": "s3://models/scores",
    },
    "promote": {"version": 1, "champion": 1, "state": "champion"},
    "reconcile": {
        "pipeline": "fares",
        "repaired_total": 0,
        "for_a_person_total": 0,
        "versions": 1,
        "artifacts": 9,
    },
}


def summary(component: str, **further: Any) -> dict[str, Any]:
    """The summary of a component as JSON has it."""
    return {"component": component, **LEAST[component], **further}
