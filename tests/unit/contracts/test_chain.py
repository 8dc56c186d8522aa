from __future__ import annotations

from typing import get_args

from everfit.contracts.messages.chain import (
    CHAIN,
    MONITORING,
    ChainTask,
    monitoring_tasks,
    training_tasks,
)
from everfit.contracts.messages.steps import Component
from everfit.contracts.spec.pipeline import PipelineSpec

SPEC = PipelineSpec.model_validate(
    {
        "name": "fares",
        "task": "regression",
        "target": "fare",
        "source": {"uri": "{data}/*.csv"},
        "train": {"families": ["linear", "extra_trees"]},
        "gate": {"superior_by": "1%", "baseline": "median"},
    }
)


def reads_only_what_is_done(tasks: list[ChainTask]) -> bool:
    done: set[str] = set()
    for task in tasks:
        if not done.issuperset(task.upstream):
            return False
        done.add(task.component)
    return True


def test_a_training_goes_from_plan_to_register_with_a_task_for_each_family():
    assert [task.name for task in training_tasks(SPEC)] == [
        "plan",
        "extract",
        "validate",
        "prepare",
        "train linear",
        "train extra_trees",
        "evaluate",
        "gate",
        "register",
    ]


def test_every_task_comes_after_those_it_reads_from():
    assert reads_only_what_is_done(list(training_tasks(SPEC)))
    assert reads_only_what_is_done(list(monitoring_tasks(SPEC)))
    assert not reads_only_what_is_done(list(training_tasks(SPEC))[::-1])


def test_monitoring_ends_with_a_sweep_that_reads_nothing():
    *measuring, sweep = monitoring_tasks(SPEC)
    assert [task.name for task in measuring] == ["watch", "extract", "monitor", "drift_report"]
    assert sweep == ChainTask("plan", (), sweep=True)


def test_every_component_is_in_a_chain_or_has_a_dag_of_its_own():
    assert {*CHAIN, *MONITORING, "score", "promote", "reconcile"} == set(get_args(Component))
