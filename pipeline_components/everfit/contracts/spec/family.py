"""A model family: its estimator, what a search tries, and how it wants the table encoded.

Each family is one file in ``families/``, which a registry finds. It names its estimators by import
path: what imports, checks and builds them is ``everfit.ml.families``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import ClassVar, Literal

from everfit.contracts.spec.metrics import Metric, Task

Encoding = Literal["scaled", "onehot", "codes"]
"""Scaled columns without missing values; text as columns of 0 and 1; text as codes."""

Value = bool | int | float | str | None
Params = Mapping[str, Value]
Space = Mapping[str, tuple[Value, ...]]
"""Parameter → values a search tries."""


class Family(ABC):
    """Everything that is to be said of a model family.

    Attributes
    ----------
    name : str
        As specs write it; the name of its module.
    title : str
        As people write it, in the middle of a sentence: ``gradient boosting``.
    words : str
        What it fits and what it is good for, in a phrase.
    encoding : str
        How the table is encoded for it.
    regressor, classifier : str
        Import paths of its estimators; those that begin with ``boosters.`` are of ``ml/model``.
    categories_as : str or None
        The parameter that names the columns that are codes of categories, where there is one.
    rounds : str or None
        The parameter that says how many rounds are fitted, where fitting goes in rounds and can
        stop by itself: the estimator's ``fit`` then takes ``X_val`` and ``y_val``.
    most_rounds : int
        Rounds of a fit that is to stop by itself, at most.
    needs : str or None
        The package that it needs beyond those always installed, named like its extra.
    stands_for : tuple of str
        Families in whose place it stands: the first that is installed is fitted.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    words: ClassVar[str]
    encoding: ClassVar[Encoding]
    regressor: ClassVar[str]
    classifier: ClassVar[str]
    categories_as: ClassVar[str | None] = None
    rounds: ClassVar[str | None] = None
    most_rounds: ClassVar[int] = 600
    needs: ClassVar[str | None] = None
    stands_for: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def defaults(self, task: Task) -> Params:
        """Parameters of the first trial."""

    def ladder(self, task: Task, metric: Metric) -> tuple[Params, ...]:  # noqa: ARG002
        """Settings that are tried after the defaults and before any is drawn, laid over them."""
        return ()

    @abstractmethod
    def space(self, task: Task, metric: Metric) -> Space:
        """What a search tries, where the spec does not say."""

    def fitting(self, task: Task, threads: int) -> Params:  # noqa: ARG002
        """Parameters that change how a model is fitted, and never which model."""
        return {}

    def stops(self, said: Collection[str]) -> bool:
        """Whether fits stop by themselves, given the parameters that the spec names."""
        return self.rounds is not None and self.rounds not in said

    def stopping(self, task: Task, metric: Metric) -> Params:  # noqa: ARG002
        """Parameters of a fit that stops by itself; for families with ``rounds``."""
        return {}

    def bounds(
        self,
        task: Task,  # noqa: ARG002
        rows: int,  # noqa: ARG002
        columns: int,  # noqa: ARG002
        params: Params,  # noqa: ARG002
        fixed: Collection[str],  # noqa: ARG002
    ) -> Params:
        """Parameters that bound memory, given what is fitted on; they win over the trial's.

        Parameters
        ----------
        task : str
        rows, columns : int
            Of the encoded table.
        params : mapping
            Of the trial.
        fixed : collection of str
            Names of the parameters that the spec fixes.
        """
        return {}

    def in_search(self, params: Params) -> Params:  # noqa: ARG002
        """Substitutes for some parameters while settings are compared."""
        return {}
