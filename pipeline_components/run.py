"""The whole chain in one process: the same orders, requests and keys as under Airflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import CHAIN, Component, Order, Outcome, Trigger, Wishes
from pipeline_components.door import perform

Watcher = Callable[[Component, str | None, Outcome | None], None]
"""Called with the component and family when a step begins (None) and when it ends."""


def run_pipeline(
    spec: PipelineSpec,
    context: Context,
    trigger: Trigger | None = None,
    wishes: Wishes | None = None,
    watch: Watcher | None = None,
) -> list[Outcome]:
    """Run plan to register.

    Raises
    ------
    NothingToDo
        If a step found nothing to do; the steps after it are not run.
    """
    done: dict[Component, tuple[Digest, ...]] = {}
    outcomes: list[Outcome] = []
    for component, needs in CHAIN.items():
        families = (
            [family.name for family in spec.train.families] if component == "train" else [None]
        )
        digests: list[Digest] = []
        for family in families:
            if watch:
                watch(component, family, None)
            scratch = context.scratch / (component if family is None else f"{component}-{family}")
            scratch.mkdir()
            order = Order(
                component=component,
                pipeline=spec,
                upstream={name: done[name] for name in needs},
                family=family,
                trigger=trigger or Trigger(),
                wishes=wishes or Wishes(),
            )
            outcome = perform(order, replace(context, scratch=scratch))
            if watch:
                watch(component, family, outcome)
            outcomes.append(outcome)
            digests.append(outcome.result)
        done[component] = tuple(digests)
    return outcomes
