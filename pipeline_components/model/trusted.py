"""The types a model file of ours may hold, beyond the ones skops itself trusts.

skops trusts scikit-learn's public estimators, Python's plain types and numpy's by default. What
is added here was read in the source: each only holds arrays and numbers, and runs nothing of the
file's choosing. ``Tree`` and ``TreePredictor`` are walked without bounds checks, so a crafted one
could crash a process; a file is only ever opened after its digest was found in the ledger.
"""

from __future__ import annotations

OURS = (
    "pipeline_components.model.derived_columns.DerivedColumns",
    "pipeline_components.model.raw_columns.RawColumns",
    "pipeline_components.model.table_encoder.TableEncoder",
)
"""The preparation that travels with every model."""

SCIKIT_LEARN = (
    "functools.partial",  # of check_array; skops calls neither while it loads
    "sklearn._loss._loss.CyAbsoluteError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
    "numpy.dtype",
)
"""Private parts of scikit-learn's fitted estimators."""

SKRUB = (
    "builtins.map",
    "skrub._apply_to_cols.ApplyToCols",
    "skrub._apply_to_each_col.ApplyToEachCol",
    "skrub._apply_to_frame.ApplyToFrame",
    "skrub._check_input.CheckInputDataFrame",
    "skrub._clean_categories.CleanCategories",
    "skrub._clean_null_strings.CleanNullStrings",
    "skrub._datetime_encoder.DatetimeEncoder",
    "skrub._drop_uninformative.DropUninformative",
    "skrub._gap_encoder.GapEncoder",
    "skrub._minhash_encoder.MinHashEncoder",
    "skrub._on_each_column.RejectColumn",
    "skrub._string_encoder.StringEncoder",
    "skrub._table_vectorizer.PassThrough",
    "skrub._table_vectorizer.TableVectorizer",
    "skrub._to_categorical.ToCategorical",
    "skrub._to_datetime.ToDatetime",
    "skrub._to_float.ToFloat",
    "skrub._to_float32.ToFloat32",
    "skrub._to_str.ToStr",
)
"""skrub's TableVectorizer and its encoders, for estimators that bring their own."""

TRUSTED: tuple[str, ...] = (*OURS, *SCIKIT_LEARN)
