"""Rows are observations: repeats stay, a key names versions, and a delivery made twice is told."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest

from everfit.contracts.errors import SourceError
from everfit.contracts.spec.pipeline import FeatureSpec
from everfit.steps.prepare.step import Prepare
from tests.unit.prepare.test_assemble import prepare, trips


def by_id(first, rows, **extra):
    return trips(first, rows, id=np.arange(first, first + rows), **extra)


def with_y(table, values):
    return table.set_column(table.schema.get_field_index("y"), "y", pa.array(values, pa.float64()))


def test_with_a_key_the_newest_version_counts_within_a_span_and_across_spans(context):
    corrected = with_y(by_id(10, 5), [-1.0, -2.0, -3.0, -4.0, -5.0])
    window = [pa.concat_tables([by_id(0, 40), by_id(0, 3)]), by_id(40, 20)]
    result, train, judged = prepare(
        context, window, [pa.concat_tables([by_id(60, 20), corrected])], time="when", key=("id",)
    )
    assert result.dropped == {"older_version": 3 + 5} and result.rows_read == 43 + 20 + 25
    assert sorted(train.column("id").to_pylist()) == [*range(10), *range(15, 60)]
    assert sorted(judged.column("id").to_pylist()) == [*range(10, 15), *range(60, 80)]
    assert sorted(judged.column("y").to_pylist())[:5] == [-5.0, -4.0, -3.0, -2.0, -1.0]
    assert {column.name: column.role for column in result.columns}["id"] == "key"
    proof = json.loads(context.store.get(result.proof.digest))
    assert proof["overlap"]["rows"] == 0


def test_in_one_span_the_later_time_is_the_newer_version_and_else_the_later_row(context):
    when = pa.array([dt.datetime(2020, 1, day) for day in (3, 1, 2, 2)], pa.timestamp("us"))
    table = pa.table({"x": [0.0] * 4, "y": [3.0, 1.0, 1.0, 2.0], "when": when, "id": [1, 1, 2, 2]})
    judged = [by_id(60, 20)]
    _, train, _ = prepare(context, [table], judged, time="when", key=("id",))
    assert train.column("y").to_pylist() == [2.0, 3.0]
    _, train, _ = prepare(context, [table], judged, key=("id",))
    assert sorted(train.column("y").to_pylist()) == [1.0, 2.0]


def test_a_row_that_nothing_names_is_its_own(context):
    table = pa.table(
        {"x": [0.0] * 4, "y": [1.0, 1.0, 2.0, 3.0], "id": pa.array([None, None, 1, 1])}
    )
    judged = by_id(60, 20).drop_columns(["when"])
    result, train, _ = prepare(context, [table], [judged], key=("id",))
    assert sorted(train.column("y").to_pylist()) == [1.0, 1.0, 3.0]
    assert result.dropped == {"older_version": 1}


def test_a_newer_version_without_a_target_replaces_the_older_one(context):
    late = with_y(by_id(5, 1), [None])
    result, train, _ = prepare(context, [by_id(0, 20), late], [by_id(60, 20)], key=("id",))
    assert sorted(train.column("id").to_pylist()) == [*range(5), *range(6, 20)]
    assert result.dropped == {"older_version": 1, "target_missing": 1}


def test_the_columns_of_a_key_of_several_are_features(context):
    table = trips(0, 60, store=np.arange(60) % 5, day=np.arange(60) // 5)
    result, train, judged = prepare(context, [table, table], key=("store", "day"), fraction=0.3)
    assert train.num_rows + judged.num_rows == 60 and result.dropped == {"older_version": 60}
    assert {"store", "day"} <= {c.name for c in result.columns if c.role == "feature"}


def test_rows_that_look_alike_to_a_model_are_divided_together_and_none_is_lost(context):
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "plan": random.choice(["a", "b", "c", "d"], 600),
            "age": random.integers(0, 20, 600),
            "id": np.arange(600),
            "y": random.integers(0, 2, 600) * 1.0,
        }
    )
    result, train, judged = prepare(context, [table], features=FeatureSpec(drop=("id",)))
    looks = [
        {(row["plan"], row["age"]) for row in side.select(["plan", "age"]).to_pylist()}
        for side in (train, judged)
    ]
    assert looks[1] and not looks[0] & looks[1]
    assert train.num_rows + judged.num_rows == 600 and result.dropped == {}


def with_riders(first):
    return trips(first, 40, rider=[f"r{p % 7}" for p in range(40)])


@pytest.mark.parametrize(
    ("window", "holdout", "fields", "advice"),
    [
        (with_riders(0), with_riders(60), {"entity": ("rider",)}, r"rider.*holdout\.fraction"),
        (by_id(0, 40), by_id(0, 40), {"key": ("id",)}, r"every row anew.*holdout\.fraction"),
    ],
)
def test_where_nothing_is_left_the_advice_follows_from_what_took_the_rows(
    context, window, holdout, fields, advice
):
    with pytest.raises(SourceError, match=advice):
        prepare(context, [window], [holdout], time="when", **fields)


def copied(context, share, **fields):
    """Three spans of noise, and one of which a part is the second one's rows under new ids."""
    random = np.random.default_rng(1)
    noise, labels = random.normal(size=(2, 4, 400)).round(6)
    rows = int(400 * share)
    noise[3, :rows], labels[3, :rows] = noise[1, :rows], labels[1, :rows]
    spans = [
        with_y(by_id(1000 * n, 400, noise=noise[n]).drop_columns(["x"]), labels[n])
        for n in range(4)
    ]
    return prepare(context, spans[:3], spans[3:], time="when", **fields)[0]


@pytest.mark.parametrize("dropped", [("id",), ()])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.2])
def test_a_span_delivered_before_is_told_also_under_new_ids_and_times(context, share, dropped):
    (found,) = copied(context, share, features=FeatureSpec(drop=dropped)).delivered_before
    assert found.large and found.span == "h0" and found.columns == ("noise",)
    assert abs(found.part - share) < 0.02 and found.repeated == 400 * share


def test_a_fresh_span_is_told_to_be_fresh(context):
    (found,) = copied(context, 0.0).delivered_before
    assert not found.large and found.repeated == 0


def test_what_repeats_by_nature_is_no_delivery(context):
    """Three categories and a label: nearly every row of the holdout is in the window, too."""
    random = np.random.default_rng(2)

    def month():
        plan, region = random.integers(0, 10, 600), random.integers(0, 8, 600)
        left = random.random(600) < 1 / (1 + np.exp(plan - region))
        return pa.table({"plan": plan, "region": region, "y": left})

    spans = [month() for _ in range(4)]
    result, train, judged = prepare(context, spans[:3], spans[3:], task="binary")
    assert (train.num_rows, judged.num_rows) == (1800, 600)
    (found,) = result.delivered_before
    assert not found.large and found.repeated > 550 and found.by_chance > 0.9


def test_what_is_left_out_stands_in_the_data_report_with_a_warning(context):
    drawn = context.store.put(
        "data_report.html", b"<h2>Spans</h2>\n<!-- rows left out -->\n<h2>Columns</h2>"
    )
    half = pa.concat_tables([by_id(0, 40), by_id(0, 40)])
    result, _, _ = prepare(
        context, [half], [by_id(60, 20)], key=("id",), data_report=drawn.model_dump()
    )
    page = context.store.get(result.report.digest).decode()
    assert "40 rows (40 %) that are older versions of a row (key)" in page
    assert "Warning: 40 % of the 100 rows that were read" in page
    assert page.index("Spans") < page.index("40 rows") < page.index("Columns")
    summary = Prepare().report(result, context)
    assert summary.reports == {"data_report": result.report}
    assert summary.summary.left_out == {"older_version": 40} and summary.summary.rows_read == 100


def test_where_nothing_is_left_out_the_report_says_so(context):
    drawn = context.store.put("data_report.html", b"<!-- rows left out -->")
    result, _, _ = prepare(context, [by_id(0, 40)], [by_id(60, 20)], data_report=drawn.model_dump())
    page = context.store.get(result.report.digest).decode()
    assert "None of 60 rows" in page and "Warning" not in page
