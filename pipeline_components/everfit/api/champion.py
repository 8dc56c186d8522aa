"""The model that serves, in this process."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from everfit.contracts.errors import UserError, shortlist

if TYPE_CHECKING:
    import pandas as pd

    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.storage.ledger.records import VersionRecord


class Champion:
    """The champion of a pipeline; its model is verified and loaded when it is first needed.

    Attributes
    ----------
    version : int
    features : tuple of str
        The columns its model reads.
    metrics : dict
        Metric → score on the holdout it was judged on.
    """

    def __init__(self, spec: PipelineSpec, record: VersionRecord, settings: Settings) -> None:
        self._spec, self._record, self._settings = spec, record, settings
        self.version = record.version
        self.features = record.champion.features
        self.metrics = dict(record.champion.scores)

    def __repr__(self) -> str:
        return f"<champion of {self._spec.name}: version {self.version}>"

    @cached_property
    def model(self) -> Any:
        """The fitted scikit-learn pipeline: raw rows in, predictions out.

        Raises
        ------
        IntegrityError
            If the version's record or its bytes are not what was signed.
        """
        from everfit.champion.version.signing import verified
        from everfit.engine.context import open_context
        from everfit.ml.model import load_model

        estimators = tuple(f.estimator for f in self._spec.train.families if f.estimator)
        with open_context(self._settings) as context:
            verified(self._record, self._spec.name, context)
            artifact = self._record.champion.model
            return load_model(context.store, artifact, context.scratch, estimators)

    def predict(self, rows: pd.DataFrame) -> pd.Series:
        """Predict the target: a number, or the most probable class.

        Parameters
        ----------
        rows : DataFrame of n rows
            Raw rows, as the source has them; columns that the model does not read are ignored.

        Returns
        -------
        Series of n values, with the index of ``rows``

        Raises
        ------
        UserError
            If a column is missing; says which is near.
        """
        import numpy as np
        import pandas as pd

        scores = self._scores(rows)
        if self._spec.task != "regression":
            scores = np.asarray(self.model.classes_)[scores.argmax(axis=1)]
        return pd.Series(scores, index=rows.index, name=self._spec.target.name)

    def predict_proba(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Probabilities of the classes, a column each.

        Raises
        ------
        UserError
            If the target has no classes, or a column is missing.
        """
        import pandas as pd

        if self._spec.task == "regression":
            raise UserError(
                "API-CLASSES",
                self._spec.name,
                "probabilities are of classes",
                "it predicts a number",
                "Call predict",
            )
        scores = self._scores(rows)
        return pd.DataFrame(scores, index=rows.index, columns=list(self.model.classes_))

    def explain(self, rows: pd.DataFrame) -> pd.DataFrame:
        """How much each feature moves each prediction away from that of a typical value.

        Of each row, one feature at a time is replaced by its typical value in ``rows``, the median
        of numbers and the most frequent of anything else; what the prediction loses by that is what
        the feature contributed.

        Parameters
        ----------
        rows : DataFrame of n rows

        Returns
        -------
        DataFrame of n rows, a column for each feature
            In the unit of the prediction; of classes, of the probability of the one that is
            predicted. Sums to nothing in particular where features work together.
        """
        import pandas as pd

        whole = self._told(rows)
        moved = {}
        for name in self.features:
            moved[name] = whole - self._told(rows.assign(**{name: _typical(rows[name])}), rows)
        return pd.DataFrame(moved, index=rows.index)

    def _told(self, rows: pd.DataFrame, of: pd.DataFrame | None = None) -> Any:
        """The number to explain; of classes, the probability of the one predicted for ``of``."""
        import numpy as np

        scores = self._scores(rows)
        if self._spec.task == "regression":
            return scores
        chosen = (scores if of is None else self._scores(of)).argmax(axis=1)
        return scores[np.arange(len(scores)), chosen]

    def _scores(self, rows: pd.DataFrame) -> Any:
        from difflib import get_close_matches

        from everfit.ml.model.predict import predict_scores

        missing = [name for name in self.features if name not in rows.columns]
        if missing:
            near = get_close_matches(missing[0], list(map(str, rows.columns)), n=1)
            raise UserError(
                "API-COLUMNS",
                f"{self._spec.name} v{self.version}",
                "the rows must have every column that the model reads",
                f"missing: {shortlist(missing)}",
                f"Did you mean {near[0]!r}?" if near else "Give the rows as the source has them",
            )
        return predict_scores(self.model, rows, self._spec.task)


def _typical(column: pd.Series) -> Any:
    """The median of numbers, else the most frequent value; missing where there is none."""
    import pandas as pd

    held = column.dropna()
    if held.empty:
        return None
    if pd.api.types.is_numeric_dtype(held) and not pd.api.types.is_bool_dtype(held):
        return type(held.iloc[0])(held.median())
    return held.mode().iloc[0]
