"""The target's type and classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from everfit.contracts.errors import SourceError, shortlist
from everfit.contracts.spec.metrics import Task
from everfit.ml.model.class_names import class_text

MOST_CLASSES = 1000
"""More than this is an identifier or a number, not a class."""


def settle_target(values: Any, task: Task, name: str) -> Any:
    """Give the target its final type.

    Parameters
    ----------
    values : pyarrow.ChunkedArray of shape (n,)
        Targets of all rows; none missing or infinite.
    task : str
    name : str
        Of the target, for errors.

    Returns
    -------
    pyarrow.ChunkedArray
        Numbers for a regression (booleans count as 0 and 1). For classes integers, booleans,
        texts, or floats where some are not whole; whole floats become integers.

    Raises
    ------
    SourceError
        If a regression's target is text or a date, or a classification's a date.
    """
    kind = values.type
    if task == "regression":
        if pa.types.is_boolean(kind):
            return values.cast(pa.float64())
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return values
        raise _refuse(
            name,
            "the target of a regression must be a number",
            f"it is {kind}",
            "Name another column, or set task to binary or multiclass",
        )
    if pa.types.is_timestamp(kind):
        raise _refuse(
            name,
            "a class must be a number, a boolean or a text",
            "it is a timestamp",
            "Name another column or compute the target",
        )
    if pa.types.is_floating(kind) and pc.all(pc.equal(pc.floor(values), values)).as_py():
        return values.cast(pa.int64())
    return values


def class_list(values: Any, task: Task, name: str, positive: Any) -> tuple[str, ...]:
    """The classes of the training side as text, sorted by value.

    Parameters
    ----------
    values : pyarrow array of shape (n,)
        Training targets.
    task : {"binary", "multiclass"}
    name : str
        Of the target, for errors.
    positive : str, number, bool or None
        The class the spec calls positive.

    Raises
    ------
    SourceError
        If there are too few or too many classes, or the positive one is none of them.
    """
    found = sorted(pc.unique(values).to_pylist())
    if len(found) > MOST_CLASSES:
        raise _refuse(
            name,
            f"a class column has at most {MOST_CLASSES:,} values",
            f"this has {len(found):,}",
            "Set task to regression or name another column",
        )
    texts = tuple(class_text(value) for value in found)
    if task == "binary" and len(texts) != 2:
        raise _refuse(
            name,
            "a binary target has two classes in the training rows",
            f"found {len(texts)}: {shortlist(texts)}",
            "Set task to multiclass, or compute the target by an expression",
        )
    if len(texts) < 2:
        raise _refuse(
            name,
            "the training rows must hold more than one class",
            f"all {len(values):,} are {shortlist(texts)}",
            "Widen the window",
        )
    if positive is not None and class_text(positive) not in texts:
        raise _refuse(
            name,
            "target.positive must be one of the classes",
            f"{class_text(positive)!r} is not in {shortlist(texts)}",
            "Correct target.positive",
        )
    return texts


def of_classes(values: Any, classes: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each target is one of the classes. Shape (n,)."""
    known = [value for value in pc.unique(values).to_pylist() if class_text(value) in classes]
    inside = pc.is_in(values, value_set=pa.array(known, values.type))
    mask: np.ndarray[Any, np.dtype[np.bool_]] = inside.to_numpy(zero_copy_only=False)
    return mask


def _refuse(name: str, must: str, found: str, todo: str) -> SourceError:
    return SourceError("PREPARE-TARGET", f"target {name!r}", must, found, todo)
