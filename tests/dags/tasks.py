"""A task without a scheduler: what the operator asks of Airflow, and a shell for a component."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from airflow.sdk.execution_time.context import OutletEventAccessors

from everfit.contracts.messages.chain import CHAIN
from everfit_airflow.operators.operator import ComponentOperator

DIGEST = "ab" * 32

OUTCOME = {
    "component": "extract",
    "result": DIGEST,
    "key": "cd" * 32,
    "cached": False,
    "seconds": 1.0,
    "summary": None,
    "reports": {},
    "links": {},
    "signals": [],
    "news": [],
}


class Ti:
    """What the operator asks of a task instance."""

    dag_id, run_id, task_id, map_index = "fares", "manual__1", "extract", -1

    def __init__(self, xcoms=None):
        self.xcoms, self.pushed = xcoms or {}, {}

    def xcom_pull(self, task_ids):
        return [value for name in task_ids for value in self.xcoms.get(name, [])]

    def xcom_push(self, key, value):
        self.pushed[key] = value


class Memory(dict):
    """The task state store: survives tries."""

    def set(self, key, value):
        self[key] = json.loads(json.dumps(value))


def task(folder, component="extract", **kwargs) -> ComponentOperator:
    return ComponentOperator(
        task_id=component,
        component=component,
        spec_file=str(folder / "fares.yaml"),
        **{"reads": CHAIN.get(component, ()), **kwargs},
    )


TICK = datetime(2026, 3, 2, 3, tzinfo=UTC)


def context(memory=None, ti=None, run_type="manual", rang=(), **form) -> dict:
    return {
        "params": {"window": None, "force": False, "reason": None, **form},
        "ti": ti or Ti({"plan": [{**OUTCOME, "component": "plan"}]}),
        "dag_run": SimpleNamespace(
            run_type=run_type,
            run_id="manual__1",
            run_after=TICK + timedelta(minutes=1),
            logical_date=None if run_type == "asset_triggered" else TICK,
        ),
        "triggering_asset_events": {
            asset: [SimpleNamespace(timestamp=at, source_run_id=by)] for asset, at, by in rang
        },
        "outlet_events": OutletEventAccessors(),
        "task_state_store": memory if memory is not None else Memory(),
    }


def leave(outcome: dict) -> str:
    return f"cat > \"$outcome\" <<'END'\n{json.dumps(outcome)}\nEND\n"
