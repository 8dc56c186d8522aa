"""How far a rebuilt model predicts as the recorded one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.messages.training import TrainResult
from everfit.operations.reproduce.answer import Apart
from everfit.storage.store import Store


def predictions_apart(
    dossier: Dossier, rebuilt: TrainResult, fresh: Store, real: Store, scratch: Path
) -> Apart | None:
    """Predict the recorded holdout, or the published sample of it, with both models.

    Parameters
    ----------
    dossier : Dossier
    rebuilt : TrainResult
        Its model is in ``fresh``.
    fresh, real : Store
    scratch : Path
        A private folder.

    Returns
    -------
    Apart or None
        None where the predictions have not even the same shape.

    Raises
    ------
    IntegrityError
        If the recorded model is missing or altered.
    """
    from everfit.data.tables.frames import read_table
    from everfit.ml.model import load_model
    from everfit.ml.model.predict import predict_scores

    request = dossier.request
    estimators = tuple(f.estimator for f in request.spec.train.families if f.estimator)
    recorded = load_model(real, request.evaluated.candidate.model, scratch, estimators)
    found = load_model(fresh, rebuilt.model, scratch, estimators)
    features = [column.name for column in request.prepared.columns if column.role == "feature"]
    try:
        path, of = real.local(request.prepared.holdout.digest, scratch), "holdout"
    except IntegrityError:
        path, of = real.local(request.evaluated.sample.digest, scratch), "sample"
    frame = read_table(path, features)
    task = request.spec.task
    one = predict_scores(recorded, frame, task)
    other = predict_scores(found, frame, task)
    if one.shape != other.shape or _classes(recorded) != _classes(found):
        return None
    absolute, relative = largest_difference(one, other)
    return Apart.model_validate(
        {"rows": len(frame), "of": of, "absolute": absolute, "relative": relative}
    )


def largest_difference(one: Any, other: Any) -> tuple[float, float]:
    """The largest difference of two arrays, absolute and relative to the largest of ``one``.

    Parameters
    ----------
    one, other : float64 arrays of one shape

    Returns
    -------
    absolute, relative : float
        Both 0 for equal arrays; the largest float where either holds something not finite that
        the other does not hold in the same place.
    """
    if np.array_equal(one, other, equal_nan=True):
        return 0.0, 0.0
    most = float(np.finfo(np.float64).max)
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return most, most
    absolute = float(np.max(np.abs(one - other)))
    scale = float(np.max(np.abs(one)))
    return absolute, min(absolute / scale, most) if scale else most


def _classes(model: Any) -> list[str]:
    return [str(name) for name in getattr(model, "classes_", ())]
