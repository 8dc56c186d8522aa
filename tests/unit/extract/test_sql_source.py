"""Query windows, on SQLite."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

import pytest

from pipeline_components.contracts.errors import CredentialsError, SourceError, UserError
from pipeline_components.contracts.spec import SourceSpec
from pipeline_components.source import list_spans

QUERY = "SELECT id, at, fare, note, big FROM trips WHERE note <> 'x:y' OR note IS NULL;"


@pytest.fixture
def trips(tmp_path, monkeypatch):
    path = tmp_path / "trips.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trips (id INTEGER, at TEXT, fare, note TEXT, big, raw BLOB)")
    start = datetime(2018, 1, 30)
    rows = [
        (i, str(start + timedelta(hours=i)), 2.5 if i % 2 else 3, None if i % 3 else f"n{i}",
         None, b"\0")
        for i in range(24 * 40)
    ]  # fmt: skip
    connection.executemany("INSERT INTO trips VALUES (?, ?, ?, ?, ?, ?)", rows[::-1])
    connection.commit()
    monkeypatch.setenv("EVERFIT_CONN_WAREHOUSE", f"sqlite:///{path}")
    yield connection
    connection.close()


def source(**more):
    values = {"uri": "sql", "connection": "warehouse", "query": QUERY, "watermark": "at", **more}
    return SourceSpec.model_validate(values)


def run(extract, **more):
    spec = source(**more)
    fields = spec.model_dump(exclude={"uri"}, exclude_defaults=True)
    return extract("sql", **fields)


def test_only_windows_that_are_over_are_spans(trips, settings):
    listing = list_spans(source(), settings)
    assert [ref.name for ref in listing.spans] == ["2018-01", "2018-02"]
    assert listing.spans[1].period_start == "2018-02-01T00:00:00"
    assert listing.spans[1].period_end == "2018-03-01T00:00:00"
    assert "the month from 2018-03-01T00:00:00 is not over yet" in listing.notes[0]
    weeks = list_spans(source(every="week"), settings).spans
    assert [ref.name for ref in weeks] == [f"2018-W{n:02}" for n in (5, 6, 7, 8, 9)]
    assert len(list_spans(source(every="day"), settings).spans) == 39


def test_windows_become_snapshots(trips, extract):
    result = run(extract)
    assert [s.span.rows for s in result.snapshots] == [48, 24 * 28]
    snapshot = result.snapshots[1]
    assert snapshot.provenance["reader"]["types"] == {
        "id": "integer", "at": "timestamp", "fare": "float", "note": "string", "big": "float",
    }  # fmt: skip
    table = extract.table(snapshot)
    assert table["id"].to_pylist() == list(range(48, 48 + 24 * 28))
    assert table["at"][0].as_py() == datetime(2018, 2, 1)
    assert table["at"][-1].as_py() == datetime(2018, 2, 28, 23)
    assert "sqlite" not in snapshot.model_dump_json()
    assert run(extract) == result


def test_equal_rows_in_another_order_are_the_same_span(trips, extract):
    before = run(extract).snapshots[1]
    rows = trips.execute("SELECT * FROM trips ORDER BY random()").fetchall()
    trips.execute("DELETE FROM trips")
    trips.executemany("INSERT INTO trips VALUES (?, ?, ?, ?, ?, ?)", rows)
    trips.commit()
    record = extract.context.ledger.spans("p")[1]
    assert record.digest == before.span.digest
    fresh = run(extract, where="id > -1").snapshots[1]
    assert extract.table(fresh).equals(extract.table(before))


def test_a_late_row_makes_the_window_a_new_span(trips, extract):
    before = run(extract)
    trips.execute("INSERT INTO trips VALUES (9999, '2018-02-10 00:30:00', 1, 'late', 1, NULL)")
    trips.commit()
    after = run(extract)
    assert after.snapshots[0] == before.snapshots[0]
    assert after.snapshots[1].span.rows == before.snapshots[1].span.rows + 1
    spans = list_spans(source(), extract.context.settings).spans
    trips.execute("DELETE FROM trips WHERE id = 9999")
    trips.commit()
    request_where = {"where": "fare > 0"}  # another reader, so that it is read again
    result = extract("sql", spans=spans, connection="warehouse", query=QUERY, watermark="at",
                     **request_where)  # fmt: skip
    assert [(r.name, r.code, r.retry) for r in result.refused] == [
        ("2018-02", "SPAN-CHANGED", True)
    ]


def test_columns_and_rows_are_chosen_at_the_source(trips, extract):
    snapshot = run(extract, columns=("fare", "id"), where="note == 'n48'").snapshots[0]
    assert extract.table(snapshot).to_pydict() == {"fare": [3.0], "id": [48]}
    assert snapshot.span.name == "2018-02"


def test_watermarks_that_are_dates(trips, extract, settings):
    query = "SELECT id, date(at) AS day FROM trips"
    listing = list_spans(source(query=query, watermark="day"), settings)
    assert [ref.name for ref in listing.spans] == ["2018-01", "2018-02"]
    result = run(extract, query=query, watermark="day")
    assert [s.span.rows for s in result.snapshots] == [48, 24 * 28]


def test_bytes_are_refused_with_what_to_do(trips, extract):
    result = run(extract, query="SELECT * FROM trips")
    assert {r.code for r in result.refused} == {"SPAN-COLUMN-TYPE"}
    assert "'raw' holds bytes" in result.refused[0].message
    query = "SELECT * FROM trips"
    assert run(extract, query=query, columns=("id", "at")).snapshots[1].span.rows == 24 * 28


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ({"connection": "nowhere"}, CredentialsError, "Set EVERFIT_CONN_NOWHERE"),
        ({"query": "SELECT absent FROM trips"}, SourceError, "no such column"),
        ({"query": "SELEC 1"}, SourceError, "SOURCE-QUERY"),
        ({"query": "DROP TABLE trips"}, SourceError, "SOURCE-QUERY"),
        ({"watermark": "id"}, SourceError, "SOURCE-WATERMARK"),
        ({"watermark": "note"}, SourceError, "SOURCE-WATERMARK"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(trips, settings, more, kind, says):
    with pytest.raises(kind) as error:
        list_spans(source(**more), settings)
    assert error.value.exit_code == 2
    assert says in error.value.line
    assert trips.execute("SELECT count(*) FROM trips").fetchone() == (960,)


@pytest.mark.parametrize(
    ("url", "code"),
    [("not a url", "SOURCE-CONNECTION"), ("sqlite:////nonexistent/x.db", "SOURCE-MISSING"),
     ("nosuchdb://host/db", "SOURCE-DRIVER"), ("mysql://user:hunter2@host/db", "SOURCE-DRIVER")],
)  # fmt: skip
def test_a_wrong_connection_is_said_without_its_password(settings, monkeypatch, url, code):
    monkeypatch.setenv("EVERFIT_CONN_WAREHOUSE", url)
    with pytest.raises(UserError) as error:
        list_spans(source(), settings)
    assert error.value.code == code
    assert "hunter2" not in error.value.line


def test_an_empty_table_has_no_spans(trips, settings):
    trips.execute("DELETE FROM trips")
    trips.commit()
    assert "no row with a watermark" in list_spans(source(), settings).empty
