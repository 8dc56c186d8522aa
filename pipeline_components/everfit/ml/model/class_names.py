"""Classes by name: the text of a target's value, the same whatever type it is kept in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from everfit.contracts.errors import SourceError, shortlist


def class_texts(values: Any) -> Any:
    """Each target value as text.

    Whole numbers are written without a decimal point, whatever type they are kept in, and
    booleans as ``False`` and ``True``.

    Parameters
    ----------
    values : Series or array of shape (n,)
        Numbers, booleans or strings; none missing.

    Returns
    -------
    numpy array of shape (n,), object
        Python strings.
    """
    import numpy as np
    import pandas as pd

    codes, kinds = pd.factorize(values)
    return np.array([class_text(value) for value in kinds.tolist()], dtype=object)[codes]


def class_codes(values: Any, classes: Sequence[str]) -> Any:
    """The position of each target value among ``classes``.

    Parameters
    ----------
    values : Series or array of shape (n,)
        Target values in their own type; none missing.
    classes : sequence of str
        Class names as text, in the order of scikit-learn's ``classes_``.

    Returns
    -------
    numpy array of shape (n,), int64
        In 0 to ``len(classes) - 1``.

    Raises
    ------
    SourceError
        If a value is none of the classes.
    """
    import numpy as np
    import pandas as pd

    codes, kinds = pd.factorize(values)
    place = {name: position for position, name in enumerate(classes)}
    texts = [class_text(value) for value in kinds.tolist()]
    unknown = [text for text in texts if text not in place]
    if unknown:
        raise SourceError(
            "MODEL-CLASS",
            "the target",
            f"every value must be one of {shortlist(classes)}",
            f"found {shortlist(unknown)}",
            "Train on data that holds every class",
        )
    return np.array([place[text] for text in texts], dtype=np.int64)[codes]


def class_text(value: Any) -> str:
    """One target value as text."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
