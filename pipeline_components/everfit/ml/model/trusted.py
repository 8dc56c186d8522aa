"""The types a model file of ours may hold, beyond the ones skops itself trusts.

skops trusts scikit-learn's public estimators, Python's plain types and numpy's by default. What
is added here was read in the source: each only holds arrays and numbers, and runs nothing of the
file's choosing. ``Tree`` and ``TreePredictor`` are walked without bounds checks, so a crafted one
could crash a process; a file is only ever opened after its digest was found in the ledger.
"""

from __future__ import annotations

from everfit.ml.model.boosters import BOOSTER_TYPES

PARTIAL = "functools.partial"
CHECK_ARRAY = "sklearn.utils.validation.check_array"
"""No types: ``load`` lets them stand only as histogram gradient boosting on categories has them."""

KNOWN_FUNCTION = {
    "__class__": "check_array",
    "__module__": "sklearn.utils.validation",
    "__loader__": "FunctionNode",
}
"""The one function a ``partial`` may be of, as a file writes it."""

OURS = (
    "everfit.ml.model.derived_columns.DerivedColumns",
    "everfit.ml.model.raw_columns.RawColumns",
    "everfit.ml.model.table_encoder.TableEncoder",
    *BOOSTER_TYPES,
)
"""The preparation that travels with every model, and estimators that are a library's text."""

SCIKIT_LEARN = (
    PARTIAL,
    "sklearn._loss._loss.CyAbsoluteError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    CHECK_ARRAY,
    "numpy.dtype",
)
"""Private parts of scikit-learn's fitted estimators."""

TRUSTED: tuple[str, ...] = (*OURS, *SCIKIT_LEARN)
