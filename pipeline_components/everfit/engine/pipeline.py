"""The whole chain in one process: the same orders, requests and keys as under Airflow."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from everfit.contracts.base import Digest
from everfit.contracts.errors import EverfitError, NothingToDo
from everfit.contracts.messages.chain import ChainTask, monitoring_tasks, training_tasks
from everfit.contracts.messages.steps import Component, Order, Outcome, RunOptions, Trigger
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.engine.execute import perform
from everfit.engine.own_images import refuse_own_images

Watcher = Callable[[Component, str | None, Outcome | None], None]
"""Called with the component and family when a step begins (None) and when it ends."""


@dataclass
class ChainRun:
    """One training or monitoring: each task is given the results of those before it."""

    spec: PipelineSpec
    context: Context
    trigger: Trigger = field(default_factory=Trigger)
    options: RunOptions = field(default_factory=RunOptions)
    done: dict[Component, tuple[Digest, ...]] = field(default_factory=dict)
    """Component → digests of the results of its tasks."""

    def can(self, task: ChainTask) -> bool:
        """Whether all that a task reads is there."""
        return all(name in self.done for name in task.upstream)

    def order(self, task: ChainTask) -> Order:
        """The order of a task, on the results so far."""
        return Order(
            component=task.component,
            pipeline=self.spec,
            upstream={name: self.done[name] for name in task.upstream},
            family=task.family,
            trigger=self.trigger,
            options=self.options,
            sweep=task.sweep,
        )

    def scratch(self, task: ChainTask) -> Context:
        """The context, with an empty folder of the task's own."""
        folder = self.context.scratch / task.name.replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return replace(self.context, scratch=folder)

    def perform(self, task: ChainTask) -> Outcome:
        """Carry a task out, and keep its result for those after it."""
        outcome = perform(self.order(task), self.scratch(task))
        self.done[task.component] = (*self.done.get(task.component, ()), outcome.result)
        return outcome


def run_pipeline(
    spec: PipelineSpec,
    context: Context,
    trigger: Trigger | None = None,
    options: RunOptions | None = None,
    watch: Watcher | None = None,
) -> list[Outcome]:
    """Run plan to register.

    Parameters
    ----------
    spec : PipelineSpec
    context : Context
    trigger : Trigger, optional
        Who or what starts the run; kept in the ledger.
    options : RunOptions, optional
        How the run differs from the spec.
    watch : callable, optional
        Called as each step begins and ends.

    Raises
    ------
    NothingToDo
        If a step found nothing to do; the steps after it are not run.
    UserError
        If the spec names an image for one of the steps: none of them is run.
    """
    tasks = list(training_tasks(spec))
    refuse_own_images(spec, (task.component for task in tasks))
    run = ChainRun(spec, context, trigger or Trigger(), options or RunOptions())
    outcomes = []
    for task in tasks:
        if watch:
            watch(task.component, task.family, None)
        outcomes.append(run.perform(task))
        if watch:
            watch(task.component, task.family, outcomes[-1])
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
    same, also where a step has failed.

    Parameters
    ----------
    spec : PipelineSpec
    context : Context
    trigger : Trigger, optional
        Who or what starts it; kept in the ledger.
    watch : callable, optional
        Called as each step begins and ends.
    idle : callable, optional
        Called with the reason of a step that found nothing to do.

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
    tasks = list(monitoring_tasks(spec))
    refuse_own_images(spec, (task.component for task in tasks))
    run = ChainRun(spec, context, trigger or Trigger())
    outcomes: list[Outcome] = []
    failure: EverfitError | None = None
    for task in filter(run.can, tasks):
        if watch:
            watch(task.component, None, None)
        try:
            outcome = run.perform(task)
        except NothingToDo as reason:
            if idle:
                idle(reason)
            continue
        except EverfitError as error:
            failure = failure or error
            continue
        if watch:
            watch(task.component, None, outcome)
        outcomes.append(outcome)
    if failure is not None:
        raise failure
    return outcomes
