"""Query windows, on SQLite."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from everfit.contracts.errors import CredentialsError, SourceError, UserError
from everfit.contracts.spec.source import read_source
from everfit.data.sources import list_spans
from everfit.data.sources.sql import connect
from everfit.data.sources.sql_query import check_query

QUERY = "SELECT id, at, fare, note, big FROM trips WHERE note <> 'x:y' OR note IS NULL;"


@pytest.fixture
def trips(tmp_path, monkeypatch):
    path = tmp_path / "trips.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trips (id INTEGER, at TEXT, fare, note TEXT, big, raw BLOB)")
    start = datetime(2018, 1, 30)
    rows = [
        (
            i,
            str(start + timedelta(hours=i)),
            2.5 if i % 2 else 3,
            None if i % 3 else f"n{i}",
            None,
            b"\0",
        )
        for i in range(24 * 40)
    ]
    connection.executemany("INSERT INTO trips VALUES (?, ?, ?, ?, ?, ?)", rows[::-1])
    connection.commit()
    monkeypatch.setenv("EVERFIT_CONN_WAREHOUSE", f"sqlite:///{path}")
    yield connection
    connection.close()


def source(**more):
    values = {"uri": "sql", "connection": "warehouse", "query": QUERY, "watermark": "at", **more}
    return read_source(**values)


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
        "id": "integer",
        "at": "timestamp",
        "fare": "float",
        "note": "string",
        "big": "float",
    }
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
    result = extract(
        "sql", spans=spans, connection="warehouse", query=QUERY, watermark="at", **request_where
    )
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
        ({"query": "DROP TABLE trips"}, SourceError, "it begins with 'DROP'"),
        ({"query": "SELECT 1) AS x; DROP TABLE trips; --"}, SourceError, "nothing opened"),
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
    [
        ("not a url", "SOURCE-CONNECTION"),
        ("sqlite:////nonexistent/x.db", "SOURCE-MISSING"),
        ("nosuchdb://host/db", "SOURCE-DRIVER"),
        ("mysql://user:hunter2@host/db", "SOURCE-DRIVER"),
    ],
)
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


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM t",
        "  select ';', \"a;b\", `c` from t -- ; the end\n;",
        "WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM a, b",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT $tag$; DROP TABLE t$tag$, $$;$$ /* ; */",
        "SELECT updated, \"update\", f(x) FROM deletes WHERE x IN ('DROP TABLE t;', 'it''s')",
    ],
)
def test_one_select_is_a_query(query):
    check_query(query)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "-- SELECT 1",
        "DELETE FROM t",
        "SELECT 1; SELECT 2",
        "SELECT 1) AS x; COMMIT; DROP TABLE t; SELECT * FROM (SELECT 1",
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "WITH x AS (\n /* a */ insert into t values (1) returning 1) SELECT * FROM x",
        "SELECT * INTO copy FROM t",
        "SELECT 'a\\'; DROP TABLE t; --'",
        "SELECT 1 /* /* */ ; DROP TABLE t; -- */",
        "SELECT 1 /*! ; DROP TABLE t */",
        "SELECT 'never closed",
        "SELECT (1",
    ],
)
def test_anything_else_is_none(query):
    with pytest.raises(SourceError, match="SOURCE-QUERY"):
        check_query(query)


def test_a_row_of_the_future_closes_no_window(trips, settings):
    trips.execute("INSERT INTO trips VALUES (1, '2999-01-01 00:00:00', 1, 'typo', 1, NULL)")
    trips.commit()
    listing = list_spans(source(), settings)
    assert [ref.name for ref in listing.spans] == ["2018-01", "2018-02"]
    assert "1 row is dated after now, up to 2999-01-01" in listing.notes[0]
    assert "the month from 2018-03-01" in listing.notes[1]


def test_a_window_waits_for_late_rows(trips, settings):
    now = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    trips.execute("UPDATE trips SET at = ?", (str(now - timedelta(days=3)),))
    trips.execute("INSERT INTO trips VALUES (1, ?, 1, 'n', 1, NULL)", (str(now),))
    trips.commit()
    assert len(list_spans(source(every="day"), settings).spans) == 1
    assert not list_spans(source(every="day", late="5d"), settings).spans


def test_the_database_itself_refuses_to_be_changed(trips):
    import sqlalchemy as sa

    with pytest.raises(SourceError, match="readonly"), connect(source()) as database:
        database._connection.execute(sa.text("DELETE FROM trips"))
    assert trips.execute("SELECT count(*) FROM trips").fetchone() == (960,)


def test_postgresql_is_read_only_and_sees_an_update(postgresql_database, monkeypatch, extract):
    """A query that ended its transaction dropped a table; a label that came late was not seen."""
    import sqlalchemy as sa

    monkeypatch.setenv("EVERFIT_CONN_WAREHOUSE", postgresql_database)
    engine = sa.create_engine(postgresql_database)
    with engine.begin() as database:
        database.execute(sa.text("CREATE TABLE trips (id int, at timestamp, label int, j json)"))
        database.execute(
            sa.text(
                "INSERT INTO trips SELECT i, timestamp '2024-01-30' + i * interval '1 hour', 0, "
                "'{}' FROM generate_series(0, 959) AS i"
            )
        )
    attack = "SELECT id, at FROM trips) AS x; COMMIT; DROP TABLE trips; SELECT * FROM (SELECT 1"
    with pytest.raises(SourceError, match="SOURCE-QUERY"):
        list_spans(source(query=attack), extract.context.settings)
    with pytest.raises(SourceError, match="read-only"), connect(source()) as database:
        database._connection.execute(sa.text("DELETE FROM trips"))
    query = "SELECT id, at, label, j::text AS j FROM trips"
    before = run(extract, query=query)
    assert [snapshot.span.rows for snapshot in before.snapshots] == [48, 24 * 29]
    assert run(extract, query=query) == before
    with engine.begin() as database:
        database.execute(sa.text("UPDATE trips SET label = 1 WHERE id = 50"))
    after = run(extract, query=query)
    assert after.snapshots[0] == before.snapshots[0]
    assert after.snapshots[1].span.digest != before.snapshots[1].span.digest
    engine.dispose()
