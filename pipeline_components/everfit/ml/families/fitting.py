"""Fit an estimator of a family: on some rows while settings are compared, then on all of them."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.metrics import Task
from everfit.contracts.spec.train import FamilySpec
from everfit.ml.families.preparation import Preparation
from everfit.ml.families.resolve import ReadyFamily
from everfit.ml.families.rounds import fit_until_best
from everfit.ml.model.table_encoder import TableEncoder

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

log = logging.getLogger(__name__)

Warned = dict[str, tuple[int, str]]
"""Kind of warning → how often it came, and the first one's first line."""


def build(family: ReadyFamily, params: dict[str, Any], rows: int, encoder: TableEncoder) -> Any:
    """An unfitted estimator with these parameters and what goes with the rows and the encoding.

    Parameters
    ----------
    family : ReadyFamily
    params : dict
        Of a trial, complete.
    rows : int
        That it will be fitted on.
    encoder : TableEncoder
        Fitted: it says which columns there are, and which are codes of categories.
    """
    estimator = family.build({**params, **family.bounds(rows, len(encoder.names_), params)})
    name = family.categories_as
    if name is not None and encoder.categorical_ and name not in params:
        estimator.set_params(**{name: list(encoder.categorical_)})
    return estimator


def fit(
    estimator: Any,
    matrix: Any,
    values: Any,
    warned: Warned,
    held: tuple[Any, Any] | None = None,
    *,
    weights: Any = None,
    held_weights: Any = None,
) -> int:
    """Fit; given rows held out, until they are predicted no better: the rounds that took, or 0.

    Parameters
    ----------
    estimator : estimator
        Fitted in place.
    matrix : (n, k) array
    values : (n,) array
        As ``fitted_on`` gives them.
    warned : dict
        What the fit warns of is added to it.
    held : (matrix, values), optional
        Rows held out.
    weights : (n,) array, optional
        How much each row counts.
    held_weights : array, optional
        The same of the rows held out.
    """
    rounds = 0
    weighed = {} if weights is None else {"sample_weight": weights}
    if weighed and "copy_X" in estimator.get_params(deep=False):
        estimator.set_params(copy_X=True)  # else it weighs the matrix, which others are fitted on
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if held is None:
            estimator.fit(matrix, values, **weighed)
        else:
            rounds = fit_until_best(
                estimator, matrix, values, *held, weights=weights, held_weights=held_weights
            )
    for warning in caught:
        kind = warning.category.__name__
        text = " ".join(str(warning.message).split())[:200]
        count, first = warned.get(kind, (0, text))
        warned[kind] = (count + 1, first)
    return rounds


def fit_on_all(
    family: ReadyFamily,
    params: dict[str, Any],
    prepared: Preparation,
    frame: pd.DataFrame,
    values: Any,
    warned: Warned,
    weights: Any = None,
) -> Pipeline:
    """Fit on every row, encoding and all.

    Parameters
    ----------
    family : ReadyFamily
    params : dict
        Complete, as the search has found them.
    prepared : Preparation
    frame : DataFrame of n rows
        Raw features; it is emptied as soon as they are encoded.
    values : array of shape (n,)
        As ``fitted_on`` gives them.
    warned : dict
        What the fit warns of is added to it.
    weights : array of shape (n,), optional
        How much each row counts.
    """
    from sklearn.pipeline import Pipeline

    from everfit.ml.model.predict import pin_jobs

    encoder = prepared.encoder()
    matrix = encoder.fit_transform(prepared.apply(frame))
    # The raw columns are encoded now; fitting needs the memory more.
    frame.drop(columns=list(frame.columns), inplace=True)
    estimator = build(family, params, len(values), encoder)
    fit(estimator, matrix, values, warned, weights=weights)
    steps: list[tuple[str, Any]] = [("columns", prepared.raw)]
    if prepared.derived is not None:
        steps.append(("derive", prepared.derived))
    model = Pipeline([*steps, ("encode", encoder), ("model", estimator)])
    pin_jobs(model)
    return model


def save_fitted(model: Pipeline, family: FamilySpec) -> tuple[bytes, tuple[str, ...]]:
    """A fitted pipeline in canonical bytes, and the types in it beyond skops' defaults.

    Raises
    ------
    UserError
        If it holds a type that is not safe to load.
    """
    from everfit.ml.model.load import untrusted
    from everfit.ml.model.save import save_model

    data, types = save_model(model)
    own = (family.estimator,) if family.estimator else ()
    if refused := untrusted(types, own):
        raise UserError(
            "TRAIN-TYPES",
            f"family {family.name}",
            "a model may hold only types that are safe to load",
            f"this one holds {shortlist(refused)}",
            "Name another estimator",
        )
    return data, types


def log_warnings(family: str, warned: Warned) -> None:
    """A line for each kind of warning, however many fits gave it."""
    for kind, (count, first) in sorted(warned.items()):
        log.info("%s: %d × %s while fitting: %s", family, count, kind, first)


def fitted_on(target: pd.Series[Any], task: Task) -> Any:
    """What an estimator is fitted on: numbers, or classes in their own type."""
    if task == "regression":
        return target.to_numpy(dtype=np.float64)
    if isinstance(target.dtype, pd.StringDtype):
        # Fixed-width text: an array of Python objects has no canonical bytes.
        return target.to_numpy(dtype=object).astype(str)
    return target.to_numpy()
