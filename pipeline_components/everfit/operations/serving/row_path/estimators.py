"""Estimators on a few encoded rows: their own arithmetic, without what they check on every call."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, nan
from typing import Any

from everfit.contracts.spec.metrics import Task
from everfit.operations.serving.row_path.functions import NotCompiled

Predict = Callable[[list[list[float]]], Any]
"""Rows of the matrix → (n,) predictions, or (n, k) probabilities; float64."""


def compile_estimator(estimator: Any, encoder: Any, task: Task) -> Predict:
    """An estimator as a function of rows of the matrix.

    Parameters
    ----------
    estimator : estimator
        Fitted. Histogram gradient boosting and forests by their trees; any other by its own
        ``predict`` or ``predict_proba``.
    encoder : TableEncoder
        Fitted; gives the type and the order of the matrix.
    task : str

    Raises
    ------
    NotCompiled
        If it is built otherwise than this release of scikit-learn builds it.
    """
    make = _BY_TREES.get(type(estimator).__name__)
    if make is not None and type(estimator).__module__.startswith("sklearn.ensemble."):
        try:
            return make(estimator, task)
        except (AttributeError, TypeError, ValueError, KeyError, IndexError, ImportError) as error:
            raise NotCompiled(f"its trees are not as expected: {type(error).__name__}") from error
    return _own(estimator, encoder, task)


def _own(estimator: Any, encoder: Any, task: Task) -> Predict:
    import numpy as np

    ask = estimator.predict if task == "regression" else estimator.predict_proba
    dtype: Any = np.dtype(encoder.dtype_)
    order: Any = "C" if encoder.style == "scaled" else "F"

    def predict(rows: list[list[float]]) -> Any:
        found = np.asarray(ask(_matrix(rows, dtype, order)), dtype=np.float64)
        return found.reshape(-1) if task == "regression" else found

    return predict


def _matrix(rows: list[list[float]], dtype: Any, order: Any) -> Any:
    """The matrix as ``TableEncoder`` gives it: what is beyond float32 is its largest."""
    import numpy as np

    matrix = np.array(rows, dtype=np.float64, order=order)
    if dtype == np.float32:
        limit = np.finfo(np.float32).max
        matrix = np.clip(matrix, -limit, limit).astype(np.float32, order=order)
    return matrix


def _boosting(estimator: Any, task: Task) -> Predict:
    """All trees as one, whose root asks for the number of the tree: one call for all of them."""
    import numpy as np
    from sklearn.ensemble._hist_gradient_boosting._predictor import _predict_from_raw_data

    arranged = _arrangement(estimator._preprocessor)
    trees = [tree for of_round in estimator._predictors for tree in of_round]
    columns = int(estimator._bin_mapper.is_categorical_.size)
    nodes, bitsets = _one_tree(trees, columns)
    known, places = estimator._bin_mapper.make_known_categories_bitsets()
    places = np.append(places, 0).astype(places.dtype)
    outputs = int(estimator.n_trees_per_iteration_)
    baseline = np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(outputs)
    number, loss = np.arange(len(trees), dtype=np.float64), estimator._loss
    rounds = len(trees) // outputs

    def predict(rows: list[list[float]]) -> Any:
        asked = np.empty((len(rows), len(trees), columns + 1))
        asked[:, :, :columns] = [[arranged(row)] for row in rows]
        asked[:, :, columns] = number
        leaves = np.empty(len(rows) * len(trees))
        flat = asked.reshape(len(leaves), columns + 1)
        _predict_from_raw_data(nodes, flat, bitsets, known, places, 1, leaves)
        terms = np.empty((len(rows), rounds + 1, outputs))
        terms[:, 0] = baseline
        terms[:, 1:] = leaves.reshape(len(rows), rounds, outputs)
        # One after the other, as the estimator adds them.
        raw = np.add.accumulate(terms, axis=1)[:, -1]
        if task == "regression":
            return np.asarray(loss.link.inverse(raw.ravel()), dtype=np.float64)
        return np.asarray(loss.predict_proba(raw), dtype=np.float64)

    return predict


def _arrangement(preprocessor: Any) -> Callable[[list[float]], list[float]]:
    """A row as the trees see it: category codes first, numbered by those of the training rows."""
    import numpy as np

    if preprocessor is None:
        return lambda row: row
    (_, encoder, coded), (_, _, plain) = preprocessor.transformers_[:2]
    places = np.arange(preprocessor.n_features_in_)
    codes: list[tuple[int, dict[float, float]]] = [
        (place, {value: float(k) for k, value in enumerate(kinds.tolist()) if not isnan(value)})
        for place, kinds in zip(places[coded].tolist(), encoder.categories_, strict=True)
    ]
    others = places[plain].tolist()

    def arranged(row: list[float]) -> list[float]:
        found = [kinds.get(row[place], nan) for place, kinds in codes]
        found += [row[place] for place in others]
        return found

    return arranged


def _one_tree(trees: list[Any], column: int) -> tuple[Any, Any]:
    """The nodes and bitsets of all trees, below splits by the number of the tree in a column."""
    import numpy as np

    above = np.zeros(len(trees) - 1, dtype=trees[0].nodes.dtype)
    roots = np.cumsum([len(above), *(len(tree.nodes) for tree in trees)])[:-1]
    free = iter(range(len(above)))

    def split(first: int, last: int) -> int:
        """The node above the trees from first to last."""
        if first == last:
            return int(roots[first])
        at, middle = next(free), (first + last) // 2
        above[at]["feature_idx"], above[at]["num_threshold"] = column, middle + 0.5
        above[at]["left"], above[at]["right"] = split(first, middle), split(middle + 1, last)
        return at

    split(0, len(trees) - 1)
    moved, offset = [above], 0
    for tree, root in zip(trees, roots, strict=True):
        nodes = tree.nodes.copy()
        nodes["left"] += root.astype(nodes["left"].dtype)
        nodes["right"] += root.astype(nodes["right"].dtype)
        nodes["bitset_idx"] += np.uint32(offset)
        offset += len(tree.raw_left_cat_bitsets)
        moved.append(nodes)
    bitsets = np.concatenate([tree.raw_left_cat_bitsets for tree in trees])
    return np.concatenate(moved), np.ascontiguousarray(bitsets)


def _forest(estimator: Any, task: Task) -> Predict:
    """The mean over the trees, in their order."""
    import numpy as np

    if estimator.n_outputs_ != 1:
        raise NotCompiled("it has several outputs")
    trees = [one.tree_ for one in estimator.estimators_]
    width = 1 if task == "regression" else int(estimator.n_classes_)

    def predict(rows: list[list[float]]) -> Any:
        matrix = _matrix(rows, np.dtype(np.float32), "C")
        found = np.zeros((len(rows), width))
        for tree in trees:
            found += tree.predict(matrix)[:, :width]
        found /= len(trees)
        return found.reshape(-1) if task == "regression" else found

    return predict


_BY_TREES: dict[str, Callable[[Any, Task], Predict]] = {
    "HistGradientBoostingRegressor": _boosting,
    "HistGradientBoostingClassifier": _boosting,
    "RandomForestRegressor": _forest,
    "RandomForestClassifier": _forest,
    "ExtraTreesRegressor": _forest,
    "ExtraTreesClassifier": _forest,
}
"""Estimators whose trees are asked directly."""
