"""What the estimators of all boosting libraries have in common: a text that is the model."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Booster(BaseEstimator):  # type: ignore[misc]
    """An estimator whose trees are kept as the text of its library.

    Attributes
    ----------
    text_ : str
        The trees, as the library writes and reads them.
    n_iter_ : int
        Rounds it is left with: those up to the best where rows held out were watched.
    n_features_in_ : int
    """

    _live: Any = None
    """The library's own object of ``text_``; made when first needed, and never written."""

    @abstractmethod
    def _train(
        self, matrix: Any, values: Any, weights: Any, held: tuple[Any, ...] | None, classes: int
    ) -> tuple[str, int]:
        """The text of a fitted model and its rounds; 0 classes: a regression.

        ``held`` are a matrix, values and weights (or None) of rows held out.
        """

    @abstractmethod
    def _read(self, text: str) -> Any:
        """The library's object of a text."""

    @abstractmethod
    def _predict(self, live: Any, matrix: Any) -> NDArray[np.float64]:
        """Predictions of shape (n,), or probabilities of shape (n,) or (n, k)."""

    def _learn(
        self, matrix: Any, values: Any, weights: Any, held: tuple[Any, ...] | None, classes: int
    ) -> Self:
        matrix = np.asarray(matrix)
        self.n_features_in_ = int(matrix.shape[1])
        self._live = None
        self.text_, self.n_iter_ = self._train(matrix, values, weights, held, classes)
        return self

    def _ask(self, matrix: Any) -> NDArray[np.float64]:
        # Always of the text: a model answers the same before it is saved and after.
        if self._live is None:
            self._live = self._read(self.text_)
        return self._predict(self._live, np.asarray(matrix, dtype=np.float64))

    def __getstate__(self) -> dict[str, Any]:
        """All but the library's own object."""
        return {name: value for name, value in self.__dict__.items() if name != "_live"}


class BoosterRegressor(RegressorMixin, Booster):  # type: ignore[misc]
    """A regression by boosted trees."""

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit; given ``X_val`` and ``y_val``, until they are predicted no better.

        Parameters
        ----------
        X : array of shape (n, p)
        y : array of shape (n,)
        sample_weight : array of shape (n,), optional
        X_val, y_val, sample_weight_val : arrays of m rows, optional
        """
        held = None
        if X_val is not None:
            held = (X_val, np.asarray(y_val, dtype=np.float64), sample_weight_val)
        return self._learn(X, np.asarray(y, dtype=np.float64), sample_weight, held, 0)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predictions of shape (n,)."""
        return self._ask(X)


class BoosterClassifier(ClassifierMixin, Booster):  # type: ignore[misc]
    """A classification by boosted trees."""

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit; given ``X_val`` and ``y_val``, until they are predicted no better.

        Parameters
        ----------
        X : array of shape (n, p)
        y : array of shape (n,)
            Classes, of any type that can be sorted.
        sample_weight : array of shape (n,), optional
        X_val, y_val, sample_weight_val : arrays of m rows, optional
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        held = None
        if X_val is not None:
            place = np.searchsorted(self.classes_, np.asarray(y_val))
            held = (X_val, place, sample_weight_val)
        return self._learn(X, codes, sample_weight, held, len(self.classes_))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of shape (n, k), in the order of ``classes_``."""
        found = self._ask(X)
        return np.column_stack([1 - found, found]) if found.ndim == 1 else found

    def predict(self, X: Any) -> Any:
        """The most probable class of each row, shape (n,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
