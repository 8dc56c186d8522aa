"""Search and fit one family: encode once a fold, try every setting on it, refit the winner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from everfit.contracts.messages.training import TrainRequest, Trial
from everfit.ml.families.fitting import fit_on_all, fitted_on, log_warnings
from everfit.ml.families.preparation import preparation
from everfit.ml.families.resolve import family_of
from everfit.ml.model.class_names import class_codes
from everfit.steps.train.folds import make_folds
from everfit.steps.train.search import Progress, Search
from everfit.steps.train.search_settings import settings_to_try

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from everfit.data.tables.row_digests import Hashes


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline and how it was found."""

    model: Pipeline
    params: dict[str, Any]
    score: float
    trials: tuple[Trial, ...]


def fit_family(
    request: TrainRequest,
    frame: pd.DataFrame,
    entities: Hashes | None = None,
    progress: Progress = lambda *_: None,
    weights: Any = None,
) -> Fitted:
    """Search a family's settings by cross-validation and fit the best on all rows.

    Parameters
    ----------
    request : TrainRequest
    frame : DataFrame of n rows
        The prepared training table: features and target, in the table's order. It is emptied
        column by column as soon as its rows are encoded, where memory is short.
    entities : uint64 array of shape (n,), optional
        Entity digests, where the spec declares an entity.
    progress : callable
        Called with fits done and fits in total.
    weights : float64 array of shape (n,), optional
        How much each row counts, above 0.

    Raises
    ------
    UserError
        If no setting could be fitted and scored.
    """
    family = family_of(
        request.family,
        request.task,
        request.metric,
        request.seed,
        request.threads,
        weighted=weights is not None,
    )
    target = frame.pop(request.target)
    truth = _truth(target, request)
    settings = settings_to_try(
        family.space,
        family.defaults,
        request.trials,
        request.seed,
        first=family.first,
    )
    some = _search_places(len(frame), request)
    folds = make_folds(
        len(frame.iloc[some]),
        request.folds,
        by_time=request.time is not None,
        entities=None if entities is None else entities[some],
        classes=None if request.classes is None else truth[some],
    )
    prepared = preparation(request, frame, family)
    values = fitted_on(target, request.task)
    del target
    search = Search(request, family, prepared, settings)
    trials, best = search.run(
        prepared.apply(frame.iloc[some]),
        truth[some],
        values[some],
        folds,
        progress,
        None if weights is None else weights[some],
    )
    params = trials[best].params
    model = fit_on_all(family, params, prepared, frame, values, search.warned, weights)
    log_warnings(request.family.name, search.warned)
    progress(search.steps, search.steps)
    return Fitted(model, params, float(trials[best].score or 0.0), trials)


def _truth(target: pd.Series[Any], request: TrainRequest) -> Any:
    if request.classes is None:
        return target.to_numpy(dtype=np.float64)
    return class_codes(target, request.classes)


def _search_places(rows: int, request: TrainRequest) -> slice:
    """The most recent rows, or those with the smallest digests: the table is in that order."""
    most = request.search_rows
    return slice(max(0, rows - most), rows) if request.time is not None else slice(0, most)
