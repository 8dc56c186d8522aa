"""A small world to run whole chains in: invented trips, a quick spec, and a hand to change both."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from everfit.contracts.messages.requests import (
    EvaluateResult,
    GateResult,
    PrepareResult,
    RegisterResult,
    ValidateResult,
)
from everfit.contracts.messages.steps import Outcome, RunOptions, Trigger
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import load_spec
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.example.trips import month_csv, month_of
from everfit.engine.context import Context
from everfit.engine.pipeline import run_pipeline

RESULTS = {
    "validate": ValidateResult,
    "prepare": PrepareResult,
    "evaluate": EvaluateResult,
    "gate": GateResult,
    "register": RegisterResult,
}

QUICK: dict[str, Any] = {
    "task": "regression",
    "target": "fare_amount",
    "time": "pickup_datetime",
    "source": {"uri": "{data}/trips/*.csv", "period": "%Y-%m"},
    "features": {
        "drop": [
            "total_amount",
            "tip_amount",
            "tolls_amount",
            "extra",
            "mta_tax",
            "payment_type",
            "improvement_surcharge",
            "congestion_surcharge",
        ],
        # Not in the order of their names: the second reads the first.
        "derive": {
            "trip_minutes": "minutes(pickup_datetime, dropoff_datetime)",
            "pace": "trip_distance / trip_minutes",
        },
    },
    "window": {"spans": 3, "min_spans": 1},
    "holdout": {"spans": 1},
    "train": {"families": ["linear"], "trials": 1, "folds": 2},
    "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
}


def settings_in(root: Path) -> Settings:
    """Settings of a checkout, whatever this process' own say."""
    return Settings.from_environment({"EVERFIT_ROOT": str(root)})


def new_checkout(root: Path) -> Settings:
    """Make the folders of a checkout."""
    (root / "dags" / "pipelines").mkdir(parents=True)
    (root / "data").mkdir()
    return settings_in(root)


@dataclass
class World:
    """One pipeline ``quick`` on invented months."""

    context: Context
    spec: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(QUICK))

    @property
    def trips(self) -> Path:
        return self.context.settings.data / "trips"

    def months(self, count: int, rows: int = 500) -> None:
        """Have the first ``count`` months arrive."""
        self.trips.mkdir(exist_ok=True)
        for index in range(count):
            year, month = month_of(index)
            path = self.trips / f"{year}-{month:02d}.csv"
            if not path.exists():
                path.write_text(month_csv(year, month, rows, seed=3))

    def load(self) -> PipelineSpec:
        path = self.context.settings.pipelines / "quick.yaml"
        path.write_text(yaml.safe_dump(self.spec, sort_keys=False))
        return load_spec(path)

    def run(self, **options: Any) -> list[Outcome]:
        """Run the chain as ``everfit run`` does."""
        for left in self.context.scratch.iterdir():
            shutil.rmtree(left)
        return run_pipeline(
            self.load(), self.context, Trigger(reason="test"), RunOptions.model_validate(options)
        )

    def result(self, outcomes: list[Outcome], component: str) -> Any:
        """The result document of a step."""
        (outcome,) = [o for o in outcomes if o.component == component]
        return RESULTS[component].model_validate_json(self.context.store.get(outcome.result))
