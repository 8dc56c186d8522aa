"""Rows of a request: JSON in, the frame that Parquet would have given out."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from everfit.data.tables.frames import to_frame
from everfit.operations.serving.rows import (
    MOST_ERRORS,
    Problem,
    as_frame,
    as_records,
    parse_json,
    read_records,
)

COLUMNS = {
    "count": "integer",
    "size": "float",
    "kind": "string",
    "new": "boolean",
    "at": "timestamp",
}
ARROW = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}
RECORD = {"count": 3, "size": 1.5, "kind": "a", "new": True, "at": "2026-03-31T14:00:00Z"}

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))
rows = st.fixed_dictionaries(
    {
        "count": st.none() | st.integers(-(2**53), 2**53),
        "size": st.none() | numbers,
        "kind": st.none() | texts,
        "new": st.none() | st.booleans(),
        "at": st.none() | times,
    }
)


def read(body: bytes, columns=COLUMNS):
    return as_frame(read_records(parse_json(body), columns, 1000), columns)


@given(st.lists(rows, min_size=1, max_size=5))
def test_any_rows_come_out_as_they_do_of_parquet(given_rows) -> None:
    schema = pa.schema([(name, ARROW[kind]) for name, kind in COLUMNS.items()])
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(given_rows, schema), file)
    wanted = to_frame(pq.read_table(file))
    sent = [row | {"at": row["at"] and row["at"].isoformat()} for row in given_rows]
    assert_frame_equal(read(json.dumps(sent).encode()), wanted)


@given(st.lists(rows, min_size=1, max_size=5))
def test_a_frame_sent_as_records_comes_back(given_rows) -> None:
    schema = pa.schema([(name, ARROW[kind]) for name, kind in COLUMNS.items()])
    frame = to_frame(pa.Table.from_pylist(given_rows, schema))
    assert_frame_equal(read(json.dumps(as_records(frame, COLUMNS)).encode()), frame)


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_other_body_is_a_problem_and_no_crash(body) -> None:
    with pytest.raises(Problem) as caught:
        read(body)
    assert caught.value.status == 422
    json.dumps(caught.value.document())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 1.5),
        ("count", True),
        ("count", "3"),
        ("count", 2**63),
        ("size", False),
        ("size", "1.5"),
        ("size", 10**400),
        ("kind", 3),
        ("kind", "\ud800"),
        ("new", 1),
        ("new", "true"),
        ("at", 1774965600),
        ("at", "yesterday"),
        ("at", "0001-01-01T00:00:00+14:00"),
        ("at", ["2026-03-31"]),
    ],
)
def test_a_value_of_another_type_is_named(name, value) -> None:
    with pytest.raises(Problem) as caught:
        read(json.dumps([RECORD, RECORD | {name: value}]).encode())
    ((error,), status) = caught.value.errors, caught.value.status
    assert (status, error.row, error.field) == (422, 1, name)


def test_a_whole_number_may_be_written_with_a_point_and_a_time_with_a_zone() -> None:
    moment = datetime(2026, 3, 31, 16, tzinfo=timezone(timedelta(hours=2)))
    frame = read(json.dumps([RECORD | {"count": 3.0, "at": moment.isoformat()}]).encode())
    assert_frame_equal(frame, read(json.dumps([RECORD]).encode()))
    assert frame["at"][0] == moment.astimezone(UTC).replace(tzinfo=None)


def test_many_errors_are_counted_and_a_few_are_listed() -> None:
    with pytest.raises(Problem) as caught:
        read(json.dumps([RECORD | {"size": "x" * 500}] * 100).encode())
    document = caught.value.document()
    assert (document["errors_in_total"], len(document["errors"])) == (100, MOST_ERRORS)
    assert len(document["errors"][0]["message"]) < 100
