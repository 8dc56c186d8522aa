"""Statistics of several spans as one, from what is stored of each; no row is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from everfit.contracts.base import digest_of
from everfit.contracts.messages.statistics import QUANTILES, ColumnStatistics, SpanStatistics
from everfit.ml.profiles.bins import STORED, from_bins, merge_cells, quantile, to_bins
from everfit.ml.profiles.column_profile import CATEGORIES, finite_or_none
from everfit.ml.profiles.unify_columns import unify_columns


def merge_statistics(spans: Sequence[SpanStatistics]) -> SpanStatistics:
    """Statistics of a window.

    Rows, nulls, extremes, means and listed categories are those of all rows together; bins and
    quantiles are within the error of the bins merged (see ``bins.merge_cells``). Distinct values
    are exact where every value is known, else the most that one span has. Rows repeated across
    spans are not counted.

    Parameters
    ----------
    spans : sequence of SpanStatistics
        At least one; columns may be missing in some, and are then null there.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not spans:
        raise ValueError("a window has at least one span")
    if len(spans) == 1:
        return spans[0]
    columns = []
    for name, kind in unify_columns(spans).items():
        known = [column for span in spans if (column := span.column(name))]
        absent = sum(span.rows for span in spans if span.column(name) is None)
        same = [c for c in known if _comparable(c, kind)]
        unlike = sum(c.rows for c in known if not _comparable(c, kind))
        columns.append(_merge_column(name, kind, same, absent + unlike))
    return SpanStatistics(
        digest=digest_of([span.digest for span in spans]),
        rows=sum(span.rows for span in spans),
        duplicates=sum(span.duplicates for span in spans),
        duplicates_exact=all(span.duplicates_exact for span in spans),
        columns=tuple(columns),
    )


def _comparable(column: ColumnStatistics, kind: str) -> bool:
    """Whether a span's values are of the window's type; numbers made texts are not."""
    return column.all_missing or (column.type == "string") == (kind == "string")


def _merge_column(
    name: str, kind: Any, columns: Sequence[ColumnStatistics], absent: int
) -> ColumnStatistics:
    fields: dict[str, Any] = {
        "name": name,
        "type": kind,
        "rows": sum(c.rows for c in columns) + absent,
        "nulls": sum(c.nulls for c in columns) + absent,
        "nans": sum(c.nans for c in columns),
        "infinities": sum(c.infinities for c in columns),
    }
    held = [c for c in columns if not c.all_missing]
    if kind == "string":
        return ColumnStatistics(**fields, **_texts(held))
    outside = [c.outside_period for c in columns if c.outside_period is not None]
    fields["outside_period"] = sum(outside) if outside else None
    return ColumnStatistics(**fields, **_numbers(held))


def _texts(columns: Sequence[ColumnStatistics]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for column in columns:
        for text, count in column.categories or ():
            counts[text] = counts.get(text, 0) + count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    known = all(column.categories_complete for column in columns)
    return {
        "categories": tuple(ranked[:CATEGORIES]),
        "categories_complete": known and len(ranked) <= CATEGORIES,
        "distinct": len(ranked) if known else max((c.distinct for c in columns), default=0),
        "distinct_exact": known,
    }


def _numbers(columns: Sequence[ColumnStatistics]) -> dict[str, Any]:
    full = [c for c in columns if c.bins is not None and c.bins.count]
    if not full:
        return {"distinct": 0}
    cells = merge_cells([from_bins(c.bins) for c in full if c.bins], STORED)
    values = [set(c.bins.low) if c.bins and c.bins.low == c.bins.high else None for c in full]
    singles = [some for some in values if some is not None]
    exact = len(singles) == len(full)
    counts = [sum(c.bins.count) if c.bins else 0 for c in full]
    mean, std = _moments(full, counts)
    earliest = [c.time_min for c in full if c.time_min]
    latest = [c.time_max for c in full if c.time_max]
    return {
        "distinct": len(set().union(*singles)) if exact else max(c.distinct for c in full),
        "distinct_exact": exact,
        "min": min(c.min for c in full if c.min is not None),
        "max": max(c.max for c in full if c.max is not None),
        "mean": mean,
        "std": std,
        "quantiles": tuple(quantile(cells, np.array(QUANTILES)).tolist()),
        "bins": to_bins(cells),
        "time_min": min(earliest) if earliest else None,
        "time_max": max(latest) if latest else None,
    }


def _moments(
    columns: Sequence[ColumnStatistics], counts: Sequence[int]
) -> tuple[float | None, float | None]:
    """Pooled mean and standard deviation, or None where a part is unknown."""
    known = [(c.mean, c.std) for c in columns if c.mean is not None and c.std is not None]
    if len(known) < len(columns):
        return None, None
    total = sum(counts)
    mean = math.fsum(m * (n / total) for (m, _), n in zip(known, counts, strict=True))
    spread = [
        math.hypot(s, m - mean) * math.sqrt(n / total)
        for (m, s), n in zip(known, counts, strict=True)
    ]
    return finite_or_none(mean), finite_or_none(math.hypot(*spread))
