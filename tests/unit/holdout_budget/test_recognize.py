"""Rows that were evaluated before are recognized, and rows that only look alike are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everfit.contracts.base import digest_of
from everfit.ml.holdout_budget.policy import EvaluatedRun
from everfit.ml.holdout_budget.recognize import EvaluatedTable

START = datetime(2024, 1, 1)
RUN = EvaluatedRun(digest_of("run"), "trips", "fare")


def trips(seed: int, rows: int = 2000) -> pa.Table:
    """Rows as a city has them: measurements, counts, a few categories, and a number to predict."""
    random = np.random.default_rng(seed)
    distance = random.lognormal(1, 0.6, rows).round(2)
    return pa.table(
        {
            "at": [START + timedelta(minutes=int(m)) for m in random.integers(0, 43_200, rows)],
            "distance": distance,
            "passengers": random.integers(1, 6, rows),
            "paid": random.choice(["card", "cash", "none"], rows),
            "fare": (3 + 2.5 * distance + random.normal(0, 1, rows)).round(2),
        }
    )


def few(seed: int, rows: int = 2000) -> pa.Table:
    """Nothing but a handful of categories: every row is like many others."""
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "paid": random.choice(["card", "cash", "none"], rows),
            "kind": random.choice(["a", "b", "c", "d"], rows),
            "fare": random.integers(0, 2, rows),
        }
    )


def partly(seed: int, rows: int = 2000) -> pa.Table:
    """About half of the rows are like another one."""
    random = np.random.default_rng(seed)
    return pa.table({"size": random.integers(0, 60, rows), "fare": random.integers(0, 50, rows)})


@pytest.fixture
def opened(tmp_path):
    made = []

    def write(table: pa.Table) -> EvaluatedTable:
        path = tmp_path / f"{len(made)}.parquet"
        pq.write_table(table, path)
        made.append(path)
        features = [name for name in table.column_names if name != "fare"]
        time = "at" if "at" in features else None
        return EvaluatedTable(path, "fare", features, time)

    return write


def test_the_same_rows_are_recognized_in_any_order_and_at_any_time(opened):
    table = trips(1)
    sample = opened(table).sample(RUN)
    order = np.random.default_rng(0).permutation(len(table))
    later = [moment + timedelta(days=300) for moment in table.column("at").to_pylist()]
    again = table.take(order).set_column(0, "at", pa.array(later))
    assert opened(again).share_of(sample) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kept", [0.5, 0.2])
def test_a_filter_does_not_make_new_rows_of_old_ones(opened, kept):
    table = trips(1)
    sample = opened(table).sample(RUN)
    some = table.filter(pa.array(np.random.default_rng(5).random(len(table)) < kept))
    assert opened(some).share_of(sample) > 0.7


def test_another_list_of_columns_does_not_make_new_rows_of_old_ones(opened):
    table = trips(1)
    sample = opened(table).sample(RUN)
    more = table.append_column("random", pa.array(np.random.default_rng(4).random(len(table))))
    for columns in (["at", "distance", "fare"], ["paid", "distance", "fare"], ["distance", "fare"]):
        assert opened(table.select(columns)).share_of(sample) == pytest.approx(1, abs=0.02)
    assert opened(more).share_of(sample) == pytest.approx(1, abs=0.02)
    some = more.filter(pa.array(np.random.default_rng(5).random(len(table)) < 0.5))
    assert opened(some.select(["distance", "random", "fare"])).share_of(sample) > 0.7


def test_a_file_that_grew_is_partly_known(opened):
    old, new = trips(1, 1500), trips(2, 500)
    share = opened(pa.concat_tables([old, new])).share_of(opened(old).sample(RUN))
    assert share == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("world", [trips, few, partly])
def test_new_rows_of_the_same_kind_are_never_taken_for_old_ones(opened, world):
    sample = opened(world(0)).sample(RUN)
    shares = [opened(world(seed)).share_of(sample) for seed in range(1, 60)]
    assert max(shares) < 0.05
    larger = opened(world(0, 20_000)).sample(RUN)
    assert max(opened(world(seed)).share_of(larger) for seed in range(1, 30)) < 0.2


def test_rows_that_are_partly_alike_are_recognized_where_they_are_the_same(opened):
    table = partly(3)
    assert opened(table).share_of(opened(table).sample(RUN)) > 0.9


def test_whole_numbers_are_the_same_as_floats_and_text_is_told_apart(opened):
    table = trips(1)
    sample = opened(table).sample(RUN)
    at = table.column_names.index("passengers")
    floats = table.set_column(at, "passengers", table.column("passengers").cast(pa.float64()))
    assert opened(floats).share_of(sample) == pytest.approx(1, abs=0.02)
    text = table.set_column(at, "passengers", table.column("passengers").cast(pa.string()))
    assert opened(text).share_of(sample) == 0


def test_the_same_rows_give_the_same_sample_and_no_value_can_be_read_from_it(opened):
    table = trips(1)
    one, other = opened(table).sample(RUN), opened(table.slice(0)).sample(RUN)
    assert one == other
    assert "card" not in one.model_dump_json()
    assert len(one.cells) < 12_000


def test_a_table_without_rows_is_not_recognized(opened):
    sample = opened(trips(1).slice(0, 0)).sample(RUN)
    assert (sample.rows, opened(trips(1)).share_of(sample)) == (0, 0.0)
    assert opened(trips(1).slice(0, 0)).share_of(opened(trips(1)).sample(RUN)) == 0.0


def test_wrong_times_in_a_few_rows_are_not_usual(opened):
    table = trips(1, 400)
    times = table.column("at").to_pylist()
    times[7], times[20], times[60] = (
        datetime(2099, 1, 1),
        datetime(1970, 1, 1),
        datetime(9999, 12, 31),
    )
    low, high = opened(table.set_column(0, "at", pa.array(times))).usual_times()
    zone = START.replace(tzinfo=UTC)
    # thirty days, and a quarter of the middle 90 % of them beyond
    assert zone - timedelta(days=8) < low <= zone
    assert zone + timedelta(days=30) <= high < zone + timedelta(days=38)


def test_without_timestamps_there_are_no_usual_times(opened):
    assert opened(few(1)).usual_times() is None
