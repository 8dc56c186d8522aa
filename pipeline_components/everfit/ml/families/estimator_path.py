"""Any estimator by its import path, with every mistake named before anything is fitted."""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.metrics import Task


def import_estimator(path: str, task: Task) -> Any:
    """The class at an import path.

    Parameters
    ----------
    path : str
        Such as ``sklearn.neighbors.KNeighborsRegressor``.
    task : str
        It must be a regressor for a regression, else a classifier with ``predict_proba``.

    Returns
    -------
    type

    Raises
    ------
    UserError
        If it cannot be imported, or is no estimator of the task.
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module is the user's: it may fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _refuse(
            path,
            "an estimator's import path must be importable",
            reason,
            "Correct the path, or install its package",
        ) from error
    kind = getattr(module, name, None)
    if kind is None:
        near = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"Did you mean {module_name}.{near[0]}?" if near else "Correct the path"
        raise _refuse(path, f"the class must be in {module_name}", f"{name} is not", hint)
    if not (inspect.isclass(kind) and hasattr(kind, "fit") and hasattr(kind, "get_params")):
        raise _refuse(
            path,
            "it must be a class of a scikit-learn estimator",
            f"it is a {type(kind).__name__}",
            "Name the class itself",
        )
    _check_task(path, kind, task)
    return kind


def build_estimator(path: str, kind: Any, params: dict[str, Any]) -> Any:
    """An unfitted estimator with these parameters.

    Parameters
    ----------
    path : str
        Its import path, for the message.
    kind : type
        Its class, as ``import_estimator`` returns it.
    params : dict
        Parameter → value.

    Raises
    ------
    UserError
        If it does not know a parameter.
    """
    try:
        estimator = kind()
    except TypeError:
        try:
            estimator = kind(**params)
        except TypeError as error:
            raise _refuse(
                path,
                "it must be constructible from its params",
                str(error),
                "Give the missing ones in params",
            ) from error
    known = estimator.get_params()
    unknown = sorted(name for name in params if name not in known)
    if unknown:
        near = [name for name in known if name.lower() == unknown[0].lower()]
        near = near or difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has {shortlist(sorted(known))}"
        raise _refuse(
            path,
            "every parameter must be one of the estimator's",
            f"{shortlist(map(repr, unknown))} is not",
            hint,
        )
    return estimator.set_params(**params)


def _check_task(path: str, kind: Any, task: Task) -> None:
    from sklearn.base import is_classifier, is_regressor

    try:
        example = kind()
    except TypeError:  # it needs arguments; whether it fits shows when it is fitted
        return
    if task == "regression":
        if not is_regressor(example):
            raise _refuse(
                path,
                "a regression needs a regressor",
                "it is none",
                "Name a regressor, or change the task",
            )
    elif not is_classifier(example):
        raise _refuse(
            path,
            f"a {task} task needs a classifier",
            "it is none",
            "Name a classifier, or change the task",
        )
    elif not hasattr(example, "predict_proba"):
        raise _refuse(
            path,
            "a classifier must give probabilities",
            "it has no predict_proba",
            "Set the parameter that turns them on, or wrap it in "
            "sklearn.calibration.CalibratedClassifierCV",
        )


def _refuse(path: str, must: str, found: str, todo: str) -> UserError:
    return UserError("TRAIN-ESTIMATOR", path, must, found, todo)
