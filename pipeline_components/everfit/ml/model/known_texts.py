"""The texts of each column that a model was trained on; any other it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from everfit.ml.model.table_encoder import TableEncoder


def known_texts(pipeline: Any) -> dict[str, NDArray[np.str_]]:
    """Column → its known texts; a column whose rare texts are hashed knows any.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted.

    Returns
    -------
    dict of str to array of str
    """
    return {
        part["column"]: part["texts"]
        for _, step in pipeline.steps
        if isinstance(step, TableEncoder)
        for part in step.parts_
        if "texts" in part and not part["hashed"]
    }
