"""What a check of the user's looks at: the holdout, both models' answers to it, and the spec."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.errors import from_system
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.metrics import Task
from pipeline_components.contracts.requests import GateRequest
from pipeline_components.table.frames import ROW

from .evidence import NotAssessed

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, np.dtype[np.float64]]


class Shown:
    """One candidate beside its baseline on the same holdout rows; everything can only be read.

    Answers and losses are read when they are first asked for, so a check that does not look at
    the champion's does not wait for them.

    Attributes
    ----------
    pipeline, task, metric, target : str
        ``task`` is ``regression``, ``binary`` or ``multiclass``; ``metric`` the primary one.
    classes : tuple of str or None
        Class names in the order of the columns of the answers; None for a regression.
    features : tuple of str
        Columns the candidate reads.
    baseline_name : str
        ``champion v3``, or the name of the dummy while there is no champion.
    gate : GateSpec
        The gate as the spec declares it.
    scores : dict
        ``candidate``, ``baseline``, ``dummy``, ``family:<name>`` → metric → score.
    """

    def __init__(self, request: GateRequest, context: Context) -> None:
        self._request, self._context = request, context
        roles = request.prepared.columns
        self.pipeline: str = request.pipeline
        self.task: Task = request.task
        self.metric: str = request.metric
        self.target: str = next(role.name for role in roles if role.role == "target")
        self.classes = request.prepared.classes
        self.features = tuple(role.name for role in roles if role.role == "feature")
        self.baseline_name: str = request.evaluated.baseline
        self.gate: GateSpec = request.gate
        self.scores = {
            who: {name: estimate.value for name, estimate in metrics.items()}
            for who, metrics in request.evaluated.scores.items()
        }

    @property
    def holdout(self) -> pd.DataFrame:
        """The n holdout rows as prepared: features, target and what else is kept of them."""
        held_out: pd.DataFrame = self._table.drop(columns=[ROW])
        return held_out

    @cached_property
    def candidate(self) -> Array:
        """The candidate's answers: (n,) predictions, or (n, k) probabilities of the classes."""
        from pipeline_components.model import load_model
        from pipeline_components.scoring.answers import answers

        request, context = self._request, self._context
        with _of_the_store():
            model = load_model(
                context.store, request.evaluated.candidate.model, context.scratch,
                request.estimators,
            )  # fmt: skip
        return _fixed(answers(model, self._raw, request.task, request.prepared.classes))

    @cached_property
    def baseline(self) -> Array:
        """The champion's answers, or the dummy's while there is no champion; as ``candidate``.

        Raises
        ------
        NotAssessed
            If the champion cannot answer.
        """
        from pipeline_components.model import load_model
        from pipeline_components.scoring.answers import champion_answers, dummy_answers

        request, context = self._request, self._context
        champion, classes = request.champion, request.prepared.classes
        if champion is None:
            known = self._train_target
            return _fixed(dummy_answers(request.gate.baseline, known, len(self._table), classes))
        with _of_the_store():
            given, trouble = champion_answers(
                lambda: load_model(context.store, champion.model, context.scratch, request.trusted),
                self._raw, request.task, classes,
            )  # fmt: skip
        if given is None:
            raise NotAssessed(f"champion v{champion.version} cannot be asked: {trouble}")
        return _fixed(given)

    @cached_property
    def candidate_losses(self) -> Array:
        """The candidate's loss of each row, (n,); less is better."""
        return self._losses("candidate")

    @cached_property
    def baseline_losses(self) -> Array:
        """The baseline's loss of each row, (n,)."""
        return self._losses("baseline")

    @cached_property
    def _table(self) -> Any:
        return self._read(self._request.prepared.holdout)

    @property
    def _raw(self) -> Any:
        return self._table.drop(columns=[self.target, ROW])

    @property
    def _train_target(self) -> Any:
        from pipeline_components.scoring.answers import codes

        prepared = self._request.prepared
        values = self._read(prepared.train, [self.target])[self.target]
        if prepared.classes is None:
            return values.to_numpy(np.float64)
        return codes(values, prepared.classes)

    def _losses(self, who: str) -> Array:
        """In the order of the holdout: ROWS-SAME allows another one."""
        losses = self._read(self._request.evaluated.losses, [ROW, who])
        by_row = losses.set_index(ROW)[who]
        if not by_row.index.is_unique:
            raise NotAssessed("the row losses name a row twice")
        return _fixed(by_row.reindex(self._table[ROW]).to_numpy(np.float64))

    def _read(self, artifact: Artifact, columns: list[str] | None = None) -> Any:
        from pipeline_components.table.frames import read_table

        with _of_the_store():
            path = self._context.store.local(artifact.digest, self._context.scratch)
            return read_table(path, columns)


@contextmanager
def _of_the_store() -> Iterator[None]:
    """Tell a disk that fails from a check that does: the one is tried again, the other is held."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # damaged Parquet
            raise NotAssessed("the rows it is shown are damaged") from error
        raise from_system(error) from error


def show(request: GateRequest, context: Context) -> Shown:
    """What the checks of the user's look at; nothing of it is read yet.

    Raises
    ------
    NotAssessed
        If the prepared tables name no target.
    """
    if not any(role.role == "target" for role in request.prepared.columns):
        raise NotAssessed("the prepared tables name no target")
    return Shown(request, context)


def _fixed(values: Any) -> Array:
    """Its own copy, that nobody can write to: one check must not change what the next one sees."""
    fixed = np.array(values, dtype=np.float64)
    fixed.flags.writeable = False
    return fixed
