"""What the user's own checks are called with: a candidate, its baseline and their holdout rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.contracts.errors import from_system
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.requests import GateRequest
from everfit.contracts.spec.gate import GateSpec
from everfit.contracts.spec.metrics import Task
from everfit.data.tables.frames import RESERVED, ROW, WEIGHT
from everfit.data.tables.row_digests import numbered
from everfit.engine.context import Context
from everfit.steps.gate.finding import NotAssessed

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, np.dtype[np.float64]]


class Candidate:
    """A candidate and its baseline on the same holdout rows; everything is read-only.

    Predictions and losses are computed when first accessed, so a check that needs only the
    candidate's does not wait for the baseline's.

    Attributes
    ----------
    pipeline, task, metric, target : str
        ``task`` is ``regression``, ``binary`` or ``multiclass``; ``metric`` the primary one.
    classes : tuple of str or None
        Class names in the order of the columns of ``predictions``; None for a regression.
    features : tuple of str
        Columns the candidate reads.
    baseline_name : str
        ``champion v3``, or the dummy's name while there is no champion.
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
        """The n holdout rows as prepared: features, target, and what else is kept."""
        held_out: pd.DataFrame = self._table.drop(columns=_reserved(self._table))
        return held_out

    @cached_property
    def predictions(self) -> Array:
        """The candidate's predictions: (n,) numbers, or (n, k) probabilities of the classes."""
        from everfit.ml.model import load_model
        from everfit.ml.scoring.predictions import predictions

        request, context = self._request, self._context
        with _store_errors():
            model = load_model(
                context.store,
                request.evaluated.candidate.model,
                context.scratch,
                request.estimators,
            )
        return _read_only(predictions(model, self._raw, request.task, request.prepared.classes))

    @cached_property
    def baseline_predictions(self) -> Array:
        """Those of the champion, or of the dummy while there is none; shaped as ``predictions``.

        Raises
        ------
        NotAssessed
            If the champion cannot predict these rows.
        """
        from everfit.ml.model import load_model
        from everfit.ml.scoring.predictions import champion_predictions, dummy_predictions

        request, context = self._request, self._context
        champion, classes = request.champion, request.prepared.classes
        if champion is None:
            known = self._train_target
            return _read_only(
                dummy_predictions(
                    request.gate.baseline, known, len(self._table), classes, self._train_weights
                )
            )
        with _store_errors():
            given, trouble = champion_predictions(
                lambda: load_model(context.store, champion.model, context.scratch, request.trusted),
                self._raw,
                request.task,
                classes,
            )
        if given is None:
            raise NotAssessed(f"champion v{champion.version} cannot predict: {trouble}")
        return _read_only(given)

    @cached_property
    def weights(self) -> Array:
        """How much each of the n holdout rows counts: all 1 where the spec does not weigh them."""
        weights = self._table[WEIGHT] if WEIGHT in self._table else np.ones(len(self._table))
        return _read_only(weights)

    @cached_property
    def losses(self) -> Array:
        """The candidate's loss on each row, (n,); lower is better."""
        return self._losses("candidate")

    @cached_property
    def baseline_losses(self) -> Array:
        """The baseline's loss on each row, (n,)."""
        return self._losses("baseline")

    @cached_property
    def _table(self) -> Any:
        return self._read(self._request.prepared.holdout)

    @property
    def _raw(self) -> Any:
        return self._table.drop(columns=[self.target, *_reserved(self._table)])

    @property
    def _train_target(self) -> Any:
        from everfit.ml.scoring.predictions import codes

        prepared = self._request.prepared
        values = self._read(prepared.train, [self.target])[self.target]
        if prepared.classes is None:
            return values.to_numpy(np.float64)
        return codes(values, prepared.classes)

    @property
    def _train_weights(self) -> Any:
        if self._request.prepared.weights is None:
            return None
        return self._read(self._request.prepared.train, [WEIGHT])[WEIGHT].to_numpy(np.float64)

    def _losses(self, who: str) -> Array:
        """In the order of the holdout: ROWS-SAME allows another one."""
        losses = self._read(self._request.evaluated.losses, [ROW, who])
        # Of equal rows the first goes with the first, the second with the second.
        by_row = losses.set_index(numbered(losses[ROW].to_numpy(np.uint64)))[who]
        mine = numbered(self._table[ROW].to_numpy(np.uint64))
        return _read_only(by_row.reindex(mine).to_numpy(np.float64))

    def _read(self, artifact: Artifact, columns: list[str] | None = None) -> Any:
        from everfit.data.tables.frames import read_table

        with _store_errors():
            path = self._context.store.local(artifact.digest, self._context.scratch)
            return read_table(path, columns)


@contextmanager
def _store_errors() -> Iterator[None]:
    """Tell a failing disk, which is tried again, from a failing check, which holds."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # damaged Parquet
            raise NotAssessed("the holdout rows are damaged") from error
        raise from_system(error) from error


def open_candidate(request: GateRequest, context: Context) -> Candidate:
    """The candidate of a request; nothing of it is read yet.

    Raises
    ------
    NotAssessed
        If the prepared tables name no target.
    """
    if not any(role.role == "target" for role in request.prepared.columns):
        raise NotAssessed("the prepared tables name no target")
    return Candidate(request, context)


def _reserved(table: Any) -> list[str]:
    """Columns of a prepared table that are no columns of the source."""
    return [name for name in RESERVED if name in table]


def _read_only(values: Any) -> Array:
    """A copy that cannot be written to: one check must not change what the next one sees."""
    copy = np.array(values, dtype=np.float64)
    copy.flags.writeable = False
    return copy
