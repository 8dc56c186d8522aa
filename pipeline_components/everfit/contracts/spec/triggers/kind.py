"""The contract of a trigger kind: what a spec says of it, when it fires, and its words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from everfit.contracts.base import Frozen

if TYPE_CHECKING:  # the spec holds triggers, which hold kinds
    from everfit.contracts.messages.trigger_facts import Evaluated, Facts
    from everfit.contracts.spec.pipeline import PipelineSpec


class TriggerKind(Frozen, ABC):
    """A condition of one kind.

    A kind is a module of ``kinds/`` with one subclass, named by the module: ``kinds/drift.py``
    holds what a spec writes as ``drift: …``. Its fields are the kind's fields in the spec. It is
    read by plan, which evaluates it, and by Airflow, which shows its words and makes an asset of
    its signal; so it is made of plain values and imports nothing beyond the contracts.

    See Also
    --------
    everfit.contracts.messages.trigger_facts.Facts : all that an evaluation may look at.
    """

    kind: str
    """The module's name, as a ``Literal`` with itself as default."""

    meaning: ClassVar[str]
    """When it fires; a line of ``docs/reference/spec.md``."""
    signal: ClassVar[str]
    """What wakes the training when it fires: the kind's own name or, for the clock, ``due``."""
    bare: ClassVar[str] = ""
    """The field that a bare value is for: ``schedule: 0 3 * * 1`` is short for ``{cron: …}``."""
    reads_monitoring: ClassVar[bool] = False
    """Whether it looks at what monitoring measured of the champion."""

    @abstractmethod
    def evaluate(self, spec: PipelineSpec, facts: Facts) -> Evaluated:
        """Compare the facts with what is needed.

        Parameters
        ----------
        spec : PipelineSpec
            The pipeline's, with the thresholds of ``monitor`` and the gate's metric.
        facts : Facts
            The world at one moment.

        Returns
        -------
        Evaluated
            Also where it did not fire: what was looked at, what was measured, and why.
        """

    @abstractmethod
    def in_words(self, spec: PipelineSpec) -> str:
        """The condition as a line of Markdown on the pipeline's page, in lower case."""

    @property
    def crons(self) -> tuple[str, ...]:
        """Cron expressions by which Airflow starts a run, in ``triggers.timezone``."""
        return ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of its own, besides the gate's: monitoring measures them."""
        return ()
