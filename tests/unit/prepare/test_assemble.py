"""Snapshots become two tables: targets computed, leaks gone, order and content as promised."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from everfit.contracts.errors import SourceError
from everfit.contracts.messages.requests import PrepareRequest
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.pipeline import FeatureSpec
from everfit.steps.prepare import read_spans as read_spans_module
from everfit.steps.prepare.step import Prepare

TYPES = {
    "int64": "integer",
    "double": "float",
    "string": "string",
    "bool": "boolean",
    "timestamp[us]": "timestamp",
    "timestamp[s]": "timestamp",
    "null": "float",
}


def snapshot(context, name, table):
    path = context.scratch / f"{name}.parquet"
    pq.write_table(table, path)
    stored = context.store.put(path.name, path)
    return Span(name=name, digest=stored.digest, rows=table.num_rows, size=stored.size)


def prepare(context, window, holdout=(), columns=None, **fields):
    types = columns or {}
    if columns is None:
        for table in (*window, *holdout):
            types |= {f.name: TYPES[str(f.type)] for f in table.schema}
    request = PrepareRequest.model_validate(
        {
            "run_key": "0" * 64,
            "task": "regression",
            "target": "y",
            "target_expression": None,
            "positive": None,
            "time": None,
            "entity": (),
            "features": FeatureSpec(),
            "kept_columns": (),
            "columns": types,
            "fraction": None if holdout else 0.3,
            "window": [snapshot(context, f"w{i}", t) for i, t in enumerate(window)],
            "holdout": [snapshot(context, f"h{i}", t) for i, t in enumerate(holdout)],
            **fields,
        }
    )
    result = Prepare().run(request, context)
    tables = [
        pq.read_table(context.store.local(a.digest, context.scratch))
        for a in (result.train, result.holdout)
    ]
    return result, *tables


def trips(first, rows, **extra):
    places = np.arange(first, first + rows)
    when = [dt.datetime(2020, 1, 1) + dt.timedelta(minutes=int(-p)) for p in places]
    columns = {"x": places * 0.5, "y": places * 1.0, "when": pa.array(when, pa.timestamp("us"))}
    return pa.table({**columns, **extra})


def test_spans_train_and_judge_in_times_order(context):
    result, train, holdout = prepare(
        context, [trips(0, 50), trips(50, 50)], [trips(100, 20)], time="when"
    )
    assert train.column("when").to_pylist() == sorted(train.column("when").to_pylist())
    assert sorted(train.column("y").to_pylist()) == list(range(100))
    assert sorted(holdout.column("y").to_pylist()) == list(range(100, 120))
    assert [(c.name, c.role) for c in result.columns] == [
        ("x", "feature"),
        ("when", "feature"),
        ("y", "target"),
    ]
    proof = json.loads(context.store.get(result.proof.digest))
    assert proof["overlap"] == {"rows": 0, "entities": None, "equal_contents": 0}
    assert [(s["name"], s["rows_train"], s["rows_holdout"]) for s in proof["spans"]] == [
        ("w0", 50, 0),
        ("w1", 50, 0),
        ("h0", 0, 20),
    ]
    rows = np.sort(train.column("__row").to_numpy()).astype("<u8").tobytes()
    assert proof["train"]["digest"] == hashlib.sha256(rows).hexdigest()


def test_equal_rows_are_observations_wherever_they_are(context):
    window, holdout = [trips(0, 60), trips(40, 40)], [trips(70, 40)]
    result, train, judged = prepare(context, window, holdout, time="when")
    assert sorted(train.column("y").to_pylist()) == sorted([*range(60), *range(40, 80)])
    assert sorted(judged.column("y").to_pylist()) == list(range(70, 110))
    assert result.dropped == {} and result.rows_read == 140
    proof = json.loads(context.store.get(result.proof.digest))
    assert proof["overlap"] == {"rows": 0, "entities": None, "equal_contents": 10}


def test_entities_of_the_holdout_do_not_train(context):
    def with_rider(first, rows):
        return trips(first, rows, rider=[f"r{p % 7}" for p in range(first, first + rows)])

    result, train, holdout = prepare(
        context, [with_rider(0, 70)], [with_rider(70, 3)], time="when", entity=("rider",)
    )
    assert result.dropped == {"entity_in_holdout": 30}
    shared = set(train.column("rider").to_pylist()) & set(holdout.column("rider").to_pylist())
    assert not shared
    roles = {c.name: c.role for c in result.columns}
    assert roles["rider"] == "entity"
    proof = json.loads(context.store.get(result.proof.digest))
    assert proof["overlap"] == {"rows": 0, "entities": 0, "equal_contents": 0}
    assert proof["holdout"]["entities"] == 3


def with_riders(riders, first=0):
    return trips(first, len(riders), rider=riders)


def champion_of(context, table, **fields):
    """A training table as an earlier run would have written it."""
    result, _, _ = prepare(
        context, [table], [with_riders(["nobody"], first=900)], entity=("rider",), **fields
    )
    return result.train


def test_what_the_champion_saw_is_not_judged_on(context):
    old = champion_of(context, with_riders([f"r{i}" for i in range(10)]))
    holdout = with_riders(["r3", "r3", "new", "r4", "other"], first=8)  # row 8 is r3, not r8
    repeated = pa.concat_tables([holdout, with_riders([f"r{i}" for i in range(10)]).slice(5, 1)])
    result, train, judged = prepare(
        context,
        [with_riders(["r3", "new", "r9"], first=50)],
        [repeated],
        entity=("rider",),
        champion_train=old,
    )
    assert result.dropped == {"entity_in_holdout": 1, "entity_seen_by_champion": 4}
    assert judged.column("rider").to_pylist() == ["new", "other"]
    # those left out of the holdout do not keep their rows in the window out of training
    assert sorted(train.column("rider").to_pylist()) == ["r3", "r9"]


def test_where_the_champion_saw_everything_all_stays_for_the_gate_to_hold(context):
    old = champion_of(context, with_riders(["a", "b", "c"]))
    result, _, judged = prepare(
        context,
        [with_riders(["x", "y"], first=50)],
        [with_riders(["a", "b"], first=90)],
        entity=("rider",),
        champion_train=old,
    )
    assert result.dropped == {}
    assert judged.num_rows == 2


def test_a_row_wise_holdout_leaves_out_what_the_champion_saw(context):
    table = with_riders([f"r{i}" for i in range(200)])
    _, _, before = prepare(context, [table], entity=("rider",), fraction=0.2)
    # held out by another share than now: the champion was trained on some that would judge
    _, seen, _ = prepare(context, [table], entity=("rider",), fraction=0.1)
    old = context.store.put("old.parquet", _written(context, seen))
    result, train, judged = prepare(
        context, [table], entity=("rider",), fraction=0.2, champion_train=old
    )
    both = set(before.column("rider").to_pylist()) - set(seen.column("rider").to_pylist())
    assert set(judged.column("rider").to_pylist()) == both
    assert 0 < len(both) < before.num_rows
    assert result.dropped == {"seen_by_champion": before.num_rows - len(both)}
    assert train.num_rows + before.num_rows == 200


@pytest.mark.parametrize("kind", ["gone", "damaged", "other columns", "other kind"])
def test_a_champion_s_table_that_tells_nothing_leaves_all_for_the_gate(context, kind):
    old = champion_of(context, with_riders(["a", "b"]))
    if kind == "gone":
        old = old.model_copy(update={"digest": "0" * 64})
    elif kind == "damaged":
        old = context.store.put("old.parquet", b"PAR1 no PAR1")
    elif kind == "other columns":
        old = context.store.put("old.parquet", _written(context, pa.table({"__row": [1]})))
    else:
        numbers = pa.table({"__row": pa.array([1], pa.uint64()), "rider": [7]})
        old = context.store.put("old.parquet", _written(context, numbers))
    _, _, judged = prepare(
        context,
        [with_riders(["x", "y"], first=50)],
        [with_riders(["a", "z"], first=90)],
        entity=("rider",),
        champion_train=old,
    )
    assert judged.num_rows == 2


def _written(context, table):
    path = context.scratch / "written.parquet"
    pq.write_table(table, path)
    return path


def test_row_wise_sides_do_not_depend_on_other_rows_nor_on_spans(context):
    columns = {"x": "float", "y": "float", "when": "timestamp"}
    _, _, first = prepare(context, [trips(0, 300)], columns=columns)
    _, _, second = prepare(context, [trips(200, 200), trips(0, 200)], columns=columns)
    judged = {y for y in second.column("y").to_pylist() if y < 300}
    assert judged == set(first.column("y").to_pylist())
    assert first.column("__row").to_pylist() == sorted(first.column("__row").to_pylist())


def test_batches_change_nothing(context, monkeypatch):
    whole, *_ = prepare(context, [trips(0, 90)], [trips(90, 30)], time="when")
    monkeypatch.setattr(read_spans_module, "BATCH_ROWS", 7)
    pieces, *_ = prepare(context, [trips(0, 90)], [trips(90, 30)], time="when")
    assert whole == pieces


def test_rows_without_a_target_are_counted(context):
    table = pa.table({"x": [1.0, 2, 3, 4], "y": pa.array([1.0, None, np.nan, np.inf])})
    result, train, _ = prepare(context, [table], [trips(9, 3).select(["x", "y"])])
    assert result.dropped == {"target_missing": 3}
    assert train.num_rows == 1


def test_dropped_columns_go_unless_a_slice_or_time_needs_them(context):
    table = trips(0, 60, leak=np.arange(60) * 1.0, zone=["a", "b"] * 30, key=np.arange(60))
    result, train, _ = prepare(
        context,
        [table],
        features=FeatureSpec(drop=("leak", "zone", "when")),
        time="when",
        kept_columns=("zone",),
    )
    roles = {c.name: c.role for c in result.columns}
    assert roles == {
        "x": "feature",
        "key": "feature",
        "y": "target",
        "when": "time",
        "zone": "kept",
    }
    assert set(train.schema.names) == {*roles, "__row", "__shown", "__piece"}
    (zone,) = [c for c in result.columns if c.name == "zone"]
    assert zone.distinct == 2


def test_an_integer_column_with_gaps_in_one_span_is_one_column(context):
    one = pa.table({"x": pa.array([1, 2], pa.int32()), "y": [1.0, 2.0]})
    other = pa.table({"x": pa.array([3, None], pa.int64()), "y": [3.0, 4.0]})
    result, train, holdout = prepare(
        context, [one], [other], columns={"x": "integer", "y": "float"}
    )
    assert str(train.schema.field("x").type) == str(holdout.schema.field("x").type) == "int64"
    assert result.rows_train == 2


def test_classes_are_named_and_unseen_ones_left_out(context):
    window = pa.table({"x": np.arange(9.0), "y": [10.0, 9.0, 2.0] * 3})
    judged = pa.table({"x": [20.0, 21.0], "y": [2.0, 77.0]})
    result, train, holdout = prepare(context, [window], [judged], task="multiclass")
    assert result.classes == ("2", "9", "10")
    assert str(train.schema.field("y").type) == "int64"
    assert result.dropped == {"class_unseen_in_training": 1}
    assert holdout.column("y").to_pylist() == [2]


@pytest.mark.parametrize(
    ("target", "fields", "says"),
    [
        (["a", "b"] * 30, {}, "PREPARE-TARGET target 'y': the target of a regression must be"),
        ([1, 2, 3] * 20, {"task": "binary"}, "found 3: 1, 2, 3"),
        ([1] * 60, {"task": "multiclass"}, "must hold more than one class"),
        ([1, 2] * 30, {"task": "binary", "positive": 3}, "target.positive must be one of the"),
        ([1.0] * 60, {"time": "then"}, "PREPARE-COLUMN time: every column a spec names"),
        ([1.0] * 60, {"features": FeatureSpec(drop=("x",))}, "PREPARE-FEATURES features.drop"),
        (pa.nulls(60, pa.float64()), {}, "PREPARE-EMPTY"),
    ],
)
def test_data_that_cannot_be_used_is_refused(context, target, fields, says):
    table = pa.table({"x": np.arange(60.0), "y": target})
    with pytest.raises(SourceError) as refused:
        prepare(context, [table], **fields)
    assert says in refused.value.line
    assert refused.value.exit_code == 2


def test_a_real_table_with_a_computed_target(context, shared_data):
    table = pyarrow.csv.read_csv(shared_data / "chicago_taxi" / "data.csv")
    result, train, holdout = prepare(
        context,
        [table],
        task="binary",
        target="big_tip",
        target_expression="tips > 0.2 * fare",
        features=FeatureSpec(drop=("tips",), keep=("fare",)),
    )
    assert result.classes == ("False", "True")
    assert "tips" not in train.schema.names
    tips, fare = table.column("tips").to_numpy(), table.column("fare").to_numpy()
    told = train.column("big_tip").to_pylist() + holdout.column("big_tip").to_pylist()
    assert sum(told) == int((tips > 0.2 * fare).sum())
    assert len(told) == len(np.unique(train.column("__row"))) + holdout.num_rows
