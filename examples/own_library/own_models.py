"""An estimator of one's own: any class with scikit-learn's interface will do."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.linear_model import Ridge


class CappedRidge(Ridge):
    """Ridge regression that never predicts beyond the targets it has seen."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803
        """Fit, and remember the range of the targets."""
        super().fit(X, y, sample_weight)
        self.least_, self.most_ = float(np.min(y)), float(np.max(y))
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        """Predict, within that range. Shape (n,)."""
        return np.clip(super().predict(X), self.least_, self.most_)
