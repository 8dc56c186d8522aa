"""The topology of training and monitoring, and the one walk through each.

Whoever runs the chain (in one process, as a replay, as tasks of Airflow) walks it by
``training_tasks`` and ``monitoring_tasks``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from everfit.contracts.spec.images import Component
from everfit.contracts.spec.pipeline import PipelineSpec

CHAIN: dict[Component, tuple[Component, ...]] = {
    "plan": (),
    "extract": ("plan",),
    "validate": ("plan", "extract"),
    "prepare": ("plan", "validate"),
    "train": ("prepare",),
    "evaluate": ("plan", "prepare", "train"),
    "gate": ("plan", "validate", "prepare", "evaluate"),
    "refit": ("prepare", "evaluate", "gate"),
    "register": ("plan", "validate", "prepare", "evaluate", "gate", "refit"),
}
"""Component of a training → the components whose results it reads, in running order.

Some read ``plan`` for the champion alone: an image of somebody's own, which reaches the store and
no ledger, knows it from nowhere else. ``refit`` is in the trainings whose spec asks for it.
"""

MONITORING: dict[Component, tuple[Component, ...]] = {
    "watch": (),
    "extract": ("watch",),
    "monitor": ("watch", "extract"),
    "fall_back": ("monitor",),
    "drift_report": ("monitor",),
}
"""The same of monitoring; ``fall_back`` is in those whose spec asks for refits. ``plan`` then
sweeps: it says whether training should be woken."""


@dataclass(frozen=True)
class ChainTask:
    """One task of a training or of monitoring."""

    component: Component
    upstream: tuple[Component, ...]
    """The components whose results it reads."""
    family: str | None = None
    """Of train: the model family."""
    sweep: bool = False
    """Of plan: only say what a wake would come to."""

    @property
    def name(self) -> str:
        """What to call it: ``train linear``."""
        return self.component if self.family is None else f"{self.component} {self.family}"


def training_tasks(spec: PipelineSpec) -> Iterator[ChainTask]:
    """The tasks of a training, each after those it reads from; ``train`` once a family.

    Examples
    --------
    >>> from everfit.contracts.spec.pipeline import PipelineSpec
    >>> spec = PipelineSpec.model_validate(
    ...     {
    ...         "name": "fares",
    ...         "task": "regression",
    ...         "target": "fare",
    ...         "source": {"uri": "{data}/fares/*.csv"},
    ...         "train": {"families": ["linear", "extra_trees"]},
    ...         "gate": {"superior_by": "1%", "baseline": "median"},
    ...     }
    ... )
    >>> [task.name for task in training_tasks(spec)][3:6]
    ['prepare', 'train linear', 'train extra_trees']
    """
    for component, upstream in _wanted(CHAIN, spec):
        if component == "train":
            for family in spec.train.families:
                yield ChainTask(component, upstream, family=family.name)
        else:
            yield ChainTask(component, upstream)


def monitoring_tasks(spec: PipelineSpec) -> Iterator[ChainTask]:
    """The tasks of monitoring; the last, plan's sweep, reads none of the others' results."""
    for component, upstream in _wanted(MONITORING, spec):
        yield ChainTask(component, upstream)
    yield ChainTask("plan", (), sweep=True)


OF_REFITS: tuple[Component, ...] = ("refit", "fall_back")


def _wanted(
    chain: Mapping[Component, tuple[Component, ...]], spec: PipelineSpec
) -> Iterator[tuple[Component, tuple[Component, ...]]]:
    """The components that a spec asks for, with what they read of the others."""
    left_out = () if spec.train.refit else OF_REFITS
    for component, upstream in chain.items():
        if component not in left_out:
            yield component, tuple(name for name in upstream if name not in left_out)
