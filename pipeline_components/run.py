"""The whole chain in one process: the same orders, requests and keys as under Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipeline_components.context import Context
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.errors import EverfitError, NothingToDo
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.steps import (
    CHAIN,
    MONITORING,
    Component,
    Order,
    Outcome,
    Trigger,
    Wishes,
)
from pipeline_components.door import perform
from pipeline_components.own_images import refuse_own_images

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
    UserError
        If the spec names an image for one of the steps: none of them is run.
    """
    refuse_own_images(spec, CHAIN)
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


def monitor_pipeline(
    spec: PipelineSpec,
    context: Context,
    trigger: Trigger | None = None,
    watch: Watcher | None = None,
    idle: Callable[[NothingToDo], None] | None = None,
) -> list[Outcome]:
    """Run the monitoring: watch to report, then the sweep that says whether training is due.

    A step that finds nothing to do ends the steps that need it, and the sweep is made all the
    same, also where a step has failed. ``idle`` is called with the reason.

    Returns
    -------
    list of Outcome
        Of the steps that were done; the sweep's is the last.

    Raises
    ------
    EverfitError
        Whatever a step failed with, after the sweep.
    UserError
        If the spec names an image for one of the steps: none of them is run.
    """
    refuse_own_images(spec, (*MONITORING, "plan"))
    done: dict[Component, tuple[Digest, ...]] = {}
    outcomes: list[Outcome] = []
    failure: EverfitError | None = None
    steps: list[tuple[Component, tuple[Component, ...]]] = [*MONITORING.items(), ("plan", ())]
    for component, needs in steps:
        if any(name not in done for name in needs):
            continue
        if watch:
            watch(component, None, None)
        order = Order(
            component=component,
            pipeline=spec,
            upstream={name: done[name] for name in needs},
            trigger=trigger or Trigger(),
            sweep=component == "plan",
        )
        try:
            outcome = perform(order, replace(context, scratch=_fresh(context.scratch / component)))
        except NothingToDo as reason:
            if idle:
                idle(reason)
            continue
        except EverfitError as error:
            failure = failure or error
            continue
        if watch:
            watch(component, None, outcome)
        outcomes.append(outcome)
        done[component] = (outcome.result,)
    if failure is not None:
        raise failure
    return outcomes


def _fresh(folder: Path) -> Path:
    """A folder of that name with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
