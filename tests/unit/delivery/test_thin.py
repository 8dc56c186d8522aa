"""Fewer rows: the same ones every time, whole entities, independent of what is held out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.operations.delivery.thin import chosen, thin
from everfit.steps.prepare.split import held_out

KEYS = st.lists(st.integers(0, 2**64 - 1), max_size=200).map(lambda k: np.array(k, np.uint64))


@given(keys=KEYS, rows=st.integers(1, 250))
def test_at_least_so_many_rows_and_equal_keys_stay_together(keys, rows) -> None:
    kept = chosen(keys, rows)
    assert kept.sum() >= min(rows, len(keys))
    assert not set(keys[kept]) & set(keys[~kept])
    if len(np.unique(keys)) == len(keys):
        assert kept.sum() == min(rows, len(keys))
    back = chosen(keys[::-1], rows)[::-1]
    assert (back == kept).all()  # by content, wherever a row stands


def test_being_in_a_sample_says_nothing_about_being_held_out() -> None:
    keys = np.random.default_rng(5).integers(0, 2**64, 40_000, dtype=np.uint64)
    kept = chosen(keys, 10_000)
    share = held_out(keys, 0.2)[kept].mean()
    # Five standard errors of a share of 10,000: sqrt(0.2 * 0.8 / 10,000) = 0.004.
    assert abs(share - 0.2) < 0.02


def spec(**more: object) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "fares",
            "task": "regression",
            "target": "fare",
            "source": {"uri": "{data}/*.csv"},
            "gate": {"superior_by": "1%", "baseline": "median"},
            **more,
        }
    )


def snapshot(context, table) -> Snapshot:
    path = context.scratch / "whole.parquet"
    pq.write_table(table, path)
    stored = context.store.put("snapshot.parquet", path)
    path.unlink()
    span = Span(name="a", digest=stored.digest, rows=table.num_rows, size=stored.size)
    return Snapshot(span=span, fingerprint="f", provenance={})


def test_a_large_span_is_made_smaller_and_keeps_the_order_of_its_rows(context) -> None:
    number = np.arange(5_000)
    table = pa.table({"id": number, "fare": number * 1.5, "driver": number % 50})
    whole = snapshot(context, table)
    some = thin(whole, spec(), 700, context)
    kept = pq.read_table(context.store.local(some.span.digest, context.scratch))
    assert some.span.rows == kept.num_rows == 700
    assert (np.diff(kept.column("id").to_numpy()) > 0).all()
    assert thin(whole, spec(), 700, context) == some
    assert some.provenance == {"sample_of_rows": 5_000}
    assert thin(whole, spec(), 5_000, context) == whole

    drivers = thin(whole, spec(entity=["driver"]), 700, context)
    kept = pq.read_table(context.store.local(drivers.span.digest, context.scratch))
    counts = np.bincount(kept.column("driver").to_numpy(), minlength=50)
    assert set(counts) == {0, 100}  # all rows of a driver, or none
    assert kept.num_rows == 700
