"""Search and fit one family: encode once a fold, try every setting on it, refit the winner."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from everfit.contracts.messages.requests import TrainRequest, Trial
from everfit.ml.families.resolve import ReadyFamily, family_of
from everfit.ml.model.class_names import class_codes
from everfit.steps.train.folds import make_folds
from everfit.steps.train.preparation import Preparation, preparation
from everfit.steps.train.search import Progress, Search, Warned, build, fit
from everfit.steps.train.search_settings import settings_to_try

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from everfit.data.tables.row_digests import Hashes

log = logging.getLogger(__name__)


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

    Raises
    ------
    UserError
        If no setting could be fitted and scored.
    """
    family = family_of(request.family, request.task, request.metric, request.seed, request.threads)
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
    values = _values(target, request)
    del target
    search = Search(request, family, prepared, settings)
    trials, best = search.run(
        prepared.apply(frame.iloc[some]), truth[some], values[some], folds, progress
    )
    model = _refit(family, trials[best].params, prepared, frame, values, search.warned)
    _log_warnings(request.family.name, search.warned)
    progress(search.steps, search.steps)
    return Fitted(model, trials[best].params, float(trials[best].score or 0.0), trials)


def _refit(
    family: ReadyFamily,
    params: dict[str, Any],
    prepared: Preparation,
    frame: pd.DataFrame,
    values: Any,
    warned: Warned,
) -> Pipeline:
    from sklearn.pipeline import Pipeline

    from everfit.ml.model.predict import pin_jobs

    encoder = prepared.encoder()
    matrix = encoder.fit_transform(prepared.apply(frame))
    # The raw columns are encoded now; fitting needs the memory more.
    frame.drop(columns=list(frame.columns), inplace=True)
    estimator = build(family, params, len(values), encoder)
    fit(estimator, matrix, values, warned)
    steps: list[tuple[str, Any]] = [("columns", prepared.raw)]
    if prepared.derived is not None:
        steps.append(("derive", prepared.derived))
    model = Pipeline([*steps, ("encode", encoder), ("model", estimator)])
    pin_jobs(model)
    return model


def _log_warnings(family: str, warned: Warned) -> None:
    """A line for each kind of warning, however many fits gave it."""
    for kind, (count, first) in sorted(warned.items()):
        log.info("%s: %d × %s while fitting: %s", family, count, kind, first)


def _values(target: pd.Series[Any], request: TrainRequest) -> Any:
    """What an estimator is fitted on: numbers, or classes in their own type."""
    if request.task == "regression":
        return target.to_numpy(dtype=np.float64)
    if isinstance(target.dtype, pd.StringDtype):
        # Fixed-width text: an array of Python objects has no canonical bytes.
        return target.to_numpy(dtype=object).astype(str)
    return target.to_numpy()


def _truth(target: pd.Series[Any], request: TrainRequest) -> Any:
    if request.classes is None:
        return target.to_numpy(dtype=np.float64)
    return class_codes(target, request.classes)


def _search_places(rows: int, request: TrainRequest) -> slice:
    """The most recent rows, or those with the smallest digests: the table is in that order."""
    most = request.search_rows
    return slice(max(0, rows - most), rows) if request.time is not None else slice(0, most)
