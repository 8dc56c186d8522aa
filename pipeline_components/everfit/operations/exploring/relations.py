"""Relations between columns, measured on a sample of rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

ROWS = 20_000
"""Rows of the sample, over all spans."""

GROUPS = 20
"""Groups that the values of a column are divided into: equal parts, or the most frequent texts."""

STRONG = 0.7
"""Rank correlation from which a pair of columns is told."""

_BATCH = 65_536
_COLUMNS = 60


class Pair(NamedTuple):
    """Two columns that rise and fall together."""

    first: str
    second: str
    correlation: float
    """Of Spearman, -1 to 1."""


def sample_rows(paths: Sequence[Path], rows: int = ROWS) -> pd.DataFrame:
    """Rows of several Parquet tables, evenly spaced.

    Parameters
    ----------
    paths : sequence of Path
    rows : int
        About so many, over all tables; all where there are no more.

    Returns
    -------
    pandas.DataFrame
        (n, ...); a column that a table lacks is missing there.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    from everfit.data.tables.frames import to_frame

    total = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            total += file.metadata.num_rows
    step = max(total // rows, 1)
    parts = []
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH, use_threads=False):
                parts.append(to_frame(batch).iloc[::step])
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def explained(values: pd.Series[Any], target: pd.Series[Any], *, classes: bool) -> float | None:
    """Share of the target's variation that one column explains on its own.

    The values are divided into groups, what is missing being one of them. Of a number its ranks are
    explained, of classes the indicators of all; chance is taken off (epsilon squared) [1]_.

    Parameters
    ----------
    values, target : (n,) Series
        Rows without a target are left out.
    classes : bool
        Whether the target names classes.

    Returns
    -------
    float or None
        0 to 1; None where there is too little to say.

    References
    ----------
    .. [1] Kelley, T. L. (1935). An unbiased correlation ratio measure. PNAS 21, 554-559.

    Examples
    --------
    >>> import pandas as pd
    >>> same = pd.Series([1.0, 2.0, 3.0, 4.0] * 5)
    >>> explained(same, 10 * same, classes=False)
    1.0
    """
    import numpy as np
    import pandas as pd

    known = target.notna().to_numpy()
    group = _groups(values[known])
    if classes:
        measured = pd.get_dummies(target[known].astype(str)).to_numpy(np.float64)
    else:
        ranks = target[known].astype("float64").rank()
        measured = ranks.to_numpy(np.float64)[:, None]
    rows, count = len(measured), int(group.max(initial=-1)) + 1
    if rows <= count or not count:
        return None
    total = float(((measured - measured.mean(axis=0)) ** 2).sum())
    if not total:
        return None
    sizes = np.bincount(group, minlength=count)
    within = 0.0
    for column in measured.T:
        sums = np.bincount(group, weights=column, minlength=count)
        means = sums / np.maximum(sizes, 1)
        within += float(((column - means[group]) ** 2).sum())
    share = 1 - (within / (rows - count)) / (total / (rows - 1))
    return round(min(max(share, 0.0), 1.0), 4)


def correlated(frame: pd.DataFrame) -> list[Pair]:
    """Pairs of numbers and times whose rank correlation is strong, the strongest first."""
    import pandas as pd

    columns = {}
    for name in list(frame.columns):
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            values = values.astype("int64").where(values.notna())
        if pd.api.types.is_numeric_dtype(values.dtype) and values.nunique() > 1:
            columns[str(name)] = values.astype("float64").rank()
    names = list(columns)[:_COLUMNS]
    found = pd.DataFrame({name: columns[name] for name in names}).corr()
    each = found.to_numpy()
    pairs = [
        Pair(names[i], names[j], float(each[i, j])) for i, j in combinations(range(len(names)), 2)
    ]
    strong = [pair for pair in pairs if abs(pair.correlation) >= STRONG]
    return sorted(strong, key=lambda pair: (-abs(pair.correlation), pair.first, pair.second))


def _groups(values: pd.Series[Any]) -> Any:
    """The number of each value's group, from 0; what is missing has one of its own."""
    import numpy as np
    import pandas as pd

    kind = values.dtype
    if pd.api.types.is_datetime64_any_dtype(kind):
        values = values.astype("int64").where(values.notna())
    if not pd.api.types.is_bool_dtype(kind) and pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.astype("float64").to_numpy(np.float64, na_value=np.nan)
        there = numbers[np.isfinite(numbers)]
        inner = np.linspace(0, 1, GROUPS + 1)[1:-1]
        edges = np.unique(np.quantile(there, inner)) if len(there) else there
        codes = np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="left"))
    else:
        texts = values.astype("object").where(values.notna(), None)
        frequent = texts.value_counts().index[: GROUPS - 1]
        codes = pd.Categorical(texts, frequent).codes.astype(np.int64)
        codes = np.where((codes < 0) & values.notna().to_numpy(), len(frequent), codes)
    return np.unique(codes, return_inverse=True)[1].reshape(-1)
