"""A window's statistics from its spans' against those of all its rows at once."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from everfit.contracts.base import canonical_json
from everfit.contracts.messages.statistics import QUANTILES
from everfit.ml.profiles.bins import from_bins, rank
from everfit.ml.profiles.merge import merge_statistics
from everfit.ml.profiles.span_statistics import profile_table

DIGEST = "0" * 64


@pytest.fixture(scope="module")
def both(months):
    tables = [months[name] for name in ("2018-11", "2018-12", "2019-01", "2019-02")]
    merged = merge_statistics([profile_table(table, DIGEST) for table in tables])
    # congestion_surcharge is null-typed in the empty months
    whole = pa.concat_tables(tables, promote_options="permissive")
    return merged, profile_table(whole, DIGEST), whole


def test_what_is_additive_is_exact(both):
    merged, whole, _ = both
    assert merged.rows == whole.rows
    for one, other in zip(merged.columns, whole.columns, strict=True):
        for field in ("name", "type", "rows", "nulls", "min", "max", "time_min", "categories"):
            assert getattr(one, field) == getattr(other, field)
        if one.distinct_exact and one.type == "string":
            assert one.distinct == other.distinct
        if one.mean is not None:
            assert math.isclose(one.mean, other.mean, rel_tol=1e-9)
            assert math.isclose(one.std, other.std, rel_tol=1e-9)


def test_ranks_and_quantiles_are_within_the_stated_error(both):
    """At most the largest bin of a part (1.3 % of it) and one bin of the whole."""
    merged, _, table = both
    for column in merged.columns:
        if column.bins is None:
            continue
        values = table.column(column.name).drop_null()
        if column.type == "timestamp":
            values = values.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy() / 1e6
        ordered = np.sort(np.asarray(values, dtype=float))
        at = np.quantile(ordered, np.linspace(0, 1, 101))
        off = rank(from_bins(column.bins), at) - np.searchsorted(ordered, at, side="right")
        assert np.abs(off).max() <= 0.026 * len(ordered), column.name
        assert sum(column.bins.count) == len(ordered)
        for q, value in zip(QUANTILES, column.quantiles, strict=True):
            assert np.mean(ordered < value) - 0.026 <= q <= np.mean(ordered <= value) + 0.026


def test_values_listed_one_by_one_merge_exactly(both):
    """Passengers, codes and zones: few values, so bins are counts."""
    merged, whole, _ = both
    for name in ("passenger_count", "payment_type", "extra", "pickup_location_id"):
        assert merged.column(name).bins == whole.column(name).bins
        assert merged.column(name).distinct == whole.column(name).distinct


def test_a_column_that_is_not_everywhere_is_null_where_it_is_not():
    one = profile_table(pa.table({"a": [1, 2, 3]}), DIGEST)
    other = profile_table(pa.table({"a": [4.5], "b": ["x"]}), DIGEST)
    merged = merge_statistics([one, other])
    assert [(c.name, c.type, c.rows, c.nulls) for c in merged.columns] == [
        ("a", "float", 4, 0),
        ("b", "string", 4, 3),
    ]


def test_numbers_and_texts_do_not_mix():
    one = profile_table(pa.table({"a": [1, 2, 3]}), DIGEST)
    other = profile_table(pa.table({"a": ["x"]}), DIGEST)
    column = merge_statistics([one, other]).columns[0]
    assert (column.type, column.rows, column.nulls, column.categories) == (
        "string",
        4,
        3,
        (("x", 1),),
    )


def test_merging_is_deterministic_and_of_one_is_itself(both, months):
    spans = [profile_table(months[name], DIGEST) for name in ("2018-01", "2018-02")]
    assert merge_statistics(spans[:1]) == spans[0]
    assert canonical_json(merge_statistics(spans)) == canonical_json(merge_statistics(spans))
    with pytest.raises(ValueError, match="at least one span"):
        merge_statistics([])
