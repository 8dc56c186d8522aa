"""Search and fit one family: encode once a fold, try every setting on it, refit the winner."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import TrainRequest, Trial
from pipeline_components.model.class_names import class_codes, class_text
from pipeline_components.model.derived_columns import DerivedColumns
from pipeline_components.model.raw_columns import RawColumns
from pipeline_components.model.table_encoder import TableEncoder

from .families import Family, family_of
from .folds import make_folds
from .score import metric_score
from .search_settings import settings_to_try

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from pipeline_components.table.row_digests import Hashes

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


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
        Called with fits done and fits in all.

    Raises
    ------
    UserError
        If no setting could be fitted and scored.
    """
    family = family_of(request.family, request.task, request.metric, request.seed, request.threads)
    target = frame.pop(request.target)
    truth = _truth(target, request)
    settings = settings_to_try(
        family.space, family.defaults, request.trials, request.seed,
        defaults_first=request.family.search is None,
    )  # fmt: skip
    some = _search_places(len(frame), request)
    folds = make_folds(
        len(frame.iloc[some]),
        request.folds,
        by_time=request.time is not None,
        entities=None if entities is None else entities[some],
        classes=None if request.classes is None else truth[some],
    )
    steps = len(folds) * len(settings) + 1
    scores = np.full((len(settings), len(folds)), np.nan)
    reasons: list[str] = []
    warned: Warned = {}
    prepared = preparation(request, frame, family)
    typed = prepared.apply(frame.iloc[some])
    values = _values(target, request)
    del target
    for number, (fit, score) in enumerate(folds):
        encoder = prepared.encoder()
        fit_matrix = encoder.fit_transform(typed.iloc[fit])
        score_matrix = encoder.transform(typed.iloc[score])
        fit_values = values[some][fit]
        for place, setting in enumerate(settings):
            try:
                tried = {**setting, **family.in_search(setting)}
                estimator = _estimator(family, tried, len(fit), encoder)
                _fit(estimator, fit_matrix, fit_values, warned)
                given = _answers(estimator, score_matrix, request)
                scores[place, number] = metric_score(
                    request.metric, truth[some][score], given, _positive(request)
                )
            except UserError:
                raise
            except Exception as error:  # one setting may be impossible; the others go on
                reasons.append(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
                log.debug("a trial of %s failed", request.family.name, exc_info=True)
            progress(number * len(settings) + place + 1, steps)
        del fit_matrix, score_matrix
    del typed
    trials = tuple(_trial(setting, row) for setting, row in zip(settings, scores, strict=True))
    best = _best(trials, request, reasons, len(folds))
    model = _refit(family, trials[best].params, prepared, frame, values, warned)
    _tell(request.family.name, warned)
    progress(steps, steps)
    return Fitted(model, trials[best].params, float(trials[best].score or 0.0), trials)


@dataclass(frozen=True)
class Preparation:
    """The steps before the estimator: stateless ones built once, the encoder anew per fold."""

    raw: RawColumns
    derived: DerivedColumns | None
    features: list[str]
    style: str
    high_cardinality: int

    def apply(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Raw rows to typed rows with the derived columns."""
        typed = self.raw.transform(frame)
        return typed if self.derived is None else self.derived.transform(typed)

    def encoder(self) -> TableEncoder:
        """A fresh encoder."""
        return TableEncoder(self.features, self.style, self.high_cardinality)


def preparation(request: TrainRequest, frame: pd.DataFrame, family: Family) -> Preparation:
    """Name what the model reads and what it encodes.

    An entity column is read where an expression needs it, and never encoded itself.
    """
    read = {c.name: c.type for c in request.columns if c.role == "feature"}
    raw = RawColumns(read).fit(frame)
    derive = request.features.derive
    derived = None
    if derive:
        derived = DerivedColumns(dict(derive)).fit(raw.transform(frame.iloc[:1000]))
    features = [name for name in read if name not in request.entity and name not in derive]
    return Preparation(
        raw, derived, [*features, *derive], family.style, request.features.high_cardinality
    )


def _refit(
    family: Family,
    params: dict[str, Any],
    prepared: Preparation,
    frame: pd.DataFrame,
    values: Any,
    warned: Warned,
) -> Pipeline:
    from sklearn.pipeline import Pipeline

    from pipeline_components.model.predict import pin_jobs

    encoder = prepared.encoder()
    matrix = encoder.fit_transform(prepared.apply(frame))
    # The raw columns are encoded now; fitting needs the memory more.
    frame.drop(columns=list(frame.columns), inplace=True)
    estimator = _estimator(family, params, len(values), encoder)
    _fit(estimator, matrix, values, warned)
    steps: list[tuple[str, Any]] = [("columns", prepared.raw)]
    if prepared.derived is not None:
        steps.append(("derive", prepared.derived))
    model = Pipeline([*steps, ("encode", encoder), ("model", estimator)])
    pin_jobs(model)
    return model


def _estimator(family: Family, params: dict[str, Any], rows: int, encoder: TableEncoder) -> Any:
    bounds = family.by_shape(rows, len(encoder.names_))
    if "min_samples_leaf" in params and "min_samples_leaf" in bounds:
        bounds["min_samples_leaf"] = max(params["min_samples_leaf"], bounds["min_samples_leaf"])
    estimator = family.build({**params, **bounds})
    if family.style == "codes" and encoder.categorical_ and "categorical_features" not in params:
        estimator.set_params(categorical_features=list(encoder.categorical_))
    return estimator


Warned = dict[str, tuple[int, str]]
"""Kind of warning → how often it came, and the first one's first line."""


def _fit(estimator: Any, matrix: Any, values: Any, warned: Warned) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(matrix, values)
    for warning in caught:
        kind = warning.category.__name__
        text = " ".join(str(warning.message).split())[:200]
        count, first = warned.get(kind, (0, text))
        warned[kind] = (count + 1, first)


def _tell(family: str, warned: Warned) -> None:
    """A line for each kind of warning, however many fits gave it."""
    for kind, (count, first) in sorted(warned.items()):
        log.info("%s: %d × %s while fitting: %s", family, count, kind, first)


def _answers(estimator: Any, matrix: Any, request: TrainRequest) -> Any:
    if request.classes is None:
        return np.asarray(estimator.predict(matrix), dtype=np.float64)
    given = np.asarray(estimator.predict_proba(matrix), dtype=np.float64)
    scores = np.zeros((len(given), len(request.classes)))
    scores[:, class_codes(estimator.classes_, request.classes)] = given
    return scores


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


def _positive(request: TrainRequest) -> int:
    if request.classes is None or request.positive is None:
        return 1
    return request.classes.index(class_text(request.positive))


def _search_places(rows: int, request: TrainRequest) -> slice:
    """The most recent rows, or those with the smallest digests: the table is in that order."""
    most = request.search_rows
    return slice(max(0, rows - most), rows) if request.time is not None else slice(0, most)


def _trial(setting: dict[str, Any], scores: Any) -> Trial:
    if not len(scores) or not np.isfinite(scores).all():
        return Trial(params=setting, score=None, spread=None)
    return Trial(params=setting, score=float(scores.mean()), spread=float(scores.std()))


def _best(trials: tuple[Trial, ...], request: TrainRequest, reasons: list[str], folds: int) -> int:
    """The first of the best; a fixed order decides ties."""
    sign = -1.0 if METRICS[request.metric].greater_is_better else 1.0
    scored = [(sign * t.score, n) for n, t in enumerate(trials) if t.score is not None]
    scored = [(score, n) for score, n in scored if math.isfinite(score)]
    if scored:
        return min(scored)[1]
    if not folds:
        lacking = "rows" if request.classes is None else "rows of every class"
        found = f"no fold has {lacking} to fit on"
        todo = "Widen the window, or lower train.folds"
    else:
        found = reasons[0] if reasons else f"{request.metric} is not defined on any fold"
        todo = "Correct the family's params or search, or widen the window"
    raise UserError(
        "TRAIN-FAILED", f"family {request.family.name}",
        "at least one setting must fit and score on every fold", found[:200], todo,
    )  # fmt: skip
