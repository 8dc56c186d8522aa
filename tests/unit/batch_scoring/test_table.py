"""Predictions in a table: rows and receipt of a span and version in one transaction."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from everfit.contracts.errors import CredentialsError, Unavailable, UserError
from everfit.steps.score.destination import Receipt, open_destination
from everfit.steps.score.table import Table, table_at
from tests.services import PASSWORD

ODD = "probability_5 % (a):b"
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("at", pa.timestamp("us")),
        ("good", pa.bool_()),
        ("prediction", pa.string()),
        (ODD, pa.float64()),
        ("version", pa.int64()),
        ("scored_at", pa.timestamp("us", "UTC")),
        ("span", pa.string()),
    ]
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, monkeypatch) -> str:
    """The URL of an empty database, where a connection named ``out`` finds it."""
    if request.param == "sqlite":
        (tmp_path / "out.db").touch()
        found = f"sqlite:///{tmp_path / 'out.db'}"
    else:
        found = request.getfixturevalue("postgresql_database")
    monkeypatch.setenv("EVERFIT_CONN_OUT", found)
    return found


def staged(folder: Path, rows: int, span: str = "a.csv", version: int = 1) -> Path:
    """A file of predictions."""
    at = datetime(2026, 3, 1, 12, 30)
    columns = {
        "id": range(rows),
        "at": [at] * rows,
        "good": [None, *[True] * (rows - 1)],
        "prediction": [None, *["yes"] * (rows - 1)],
        ODD: [None, *[0.1] * (rows - 1)],
        "version": [version] * rows,
        "scored_at": [at.replace(tzinfo=UTC)] * rows,
        "span": [span] * rows,
    }
    path = folder / "staged.parquet"
    pq.write_table(pa.table(columns, schema=SCHEMA), path)
    return path


def receipt(rows: int, span: str = "a.csv", version: int = 1) -> Receipt:
    return Receipt(
        pipeline="made",
        version=version,
        run_key="0" * 64,
        span=span,
        source=f"/jan/{span}",
        digest=f"{rows:064x}",
        fingerprint="",
        asked="2" * 64,
        rows=rows,
    )


def publish(folder: Path, rows: int, span: str = "a.csv", version: int = 1, to: str = "scores"):
    """What scoring does of a span: look whether it is there, and publish it where it is not."""
    table = Table("out", to)
    name = table.name(span, version, "parquet")
    known = table.receipt(name)
    if known is not None and known.digest == f"{rows:064x}" and known.state == table.state(name):
        return known
    table.refuse_others(name, "made", f"/jan/{span}")
    return table.publish(staged(folder, rows, span, version), name, receipt(rows, span, version))


def all_rows(url: str, table: str = "scores") -> list[tuple]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        there = sa.Table(table, sa.MetaData(), autoload_with=connection)
        columns = (there.c.span, there.c.version, there.c.id)
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(*columns))]


def change(url: str, statement: str) -> None:
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text(statement))


def test_rows_of_a_span_and_version_replace_their_own_alone(url, tmp_path) -> None:
    publish(tmp_path, 3)
    publish(tmp_path, 2, version=2)
    publish(tmp_path, 2, span="b.csv")
    done = publish(tmp_path, 4)
    assert (done.state, Table("out", "scores").receipt("a.csv v1")) == ("4 rows", done)
    assert all_rows(url) == [
        *(("a.csv", 1, n) for n in range(4)),
        *(("a.csv", 2, n) for n in range(2)),
        *(("b.csv", 1, n) for n in range(2)),
    ]


def test_every_value_comes_back_as_it_was_written(url, tmp_path) -> None:
    path = staged(tmp_path, 3)
    publish(tmp_path, 3)
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        there = sa.Table("scores", sa.MetaData(), autoload_with=connection)
        found = [dict(row._mapping) for row in connection.execute(sa.select(there))]
    for row in found:  # SQLite keeps no zone
        row["scored_at"] = row["scored_at"].replace(tzinfo=UTC)
    assert sorted(found, key=lambda row: row["id"]) == pq.read_table(path).to_pylist()


def killed_at_statement(number: int, function) -> bool:
    """Run it in a child that is killed just before its Nth statement or commit."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

        for event in ("before_cursor_execute", "commit"):
            sa.event.listen(sa.Engine, event, count)
        try:
            function()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("url", "before"),
    [
        ("sqlite", 0),
        ("postgresql", 3),
        pytest.param("sqlite", 3, marks=pytest.mark.thorough),
        pytest.param("postgresql", 0, marks=pytest.mark.thorough),
    ],
    indirect=["url"],
)
def test_killed_at_any_statement_a_retry_neither_doubles_nor_skips(url, tmp_path, before) -> None:
    number, states = 1, set()
    while True:
        table = f"t{number}"
        if before:
            publish(tmp_path, before, to=table)
        killed = killed_at_statement(number, lambda table=table: publish(tmp_path, 5, to=table))
        there = Table("out", table).state("a.csv v1")
        states.add(there)
        publish(tmp_path, 5, to=table)
        assert len(all_rows(url, table)) == 5
        if not killed:
            break
        number += 1
    assert number > 5
    assert states == {f"{before} rows" if before else None, "5 rows"}


def test_of_two_writers_one_goes_on_and_the_other_tries_again(
    postgresql_database, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("EVERFIT_CONN_OUT", postgresql_database)
    publish(tmp_path, 3, span="first.csv")
    raised: list[Exception] = []

    def second() -> None:
        try:
            publish(tmp_path, 5)
        except Exception as error:
            raised.append(error)

    engine = sa.create_engine(postgresql_database, poolclass=sa.NullPool)
    with engine.begin() as connection:
        row = {"span": "a.csv", "version": 1, "receipt": "{}"}
        connection.execute(
            sa.text("INSERT INTO scores_scored VALUES (:span, :version, :receipt)"), row
        )
        writer = threading.Thread(target=second)
        writer.start()
        writer.join(0.3)
        assert writer.is_alive()  # waits for the first
    writer.join(20)
    assert isinstance(raised[0], Unavailable)
    assert raised[0].line.startswith("SCORE-UNAVAILABLE sql:out:scores: one process writes")
    assert all_rows(postgresql_database) == [("first.csv", 1, n) for n in range(3)]


def test_rows_that_scoring_did_not_write_are_never_replaced(url, tmp_path) -> None:
    publish(tmp_path, 3)
    change(url, "DELETE FROM scores_scored")
    with pytest.raises(UserError, match=r"SCORE-TAKEN sql:out:scores a.csv v1: .*there are rows"):
        publish(tmp_path, 4)
    with pytest.raises(UserError, match=r"it holds those of the pipeline made"):
        publish(tmp_path, 3, version=2)
        Table("out", "scores").refuse_others("a.csv v2", "other", "/jan/a.csv")
    assert len(all_rows(url)) == 6


def test_rows_that_were_removed_are_written_again(url, tmp_path) -> None:
    publish(tmp_path, 3)
    change(url, "DELETE FROM scores WHERE id = 1")
    publish(tmp_path, 3)
    assert len(all_rows(url)) == 3


def test_a_table_without_a_column_is_refused_by_name(url, tmp_path) -> None:
    change(url, "CREATE TABLE scores (id INTEGER, span VARCHAR(99), version BIGINT)")
    with pytest.raises(UserError, match=r"SCORE-COLUMNS sql:out:scores a.csv v1: the table must"):
        publish(tmp_path, 3)
    assert all_rows(url) == []


def test_a_password_is_in_no_error(postgresql_database, monkeypatch, tmp_path) -> None:
    assert PASSWORD in postgresql_database
    for url, kind in (
        (postgresql_database.replace(PASSWORD, "wr0ng-horse"), CredentialsError),
        (postgresql_database.replace("127.0.0.1:", "127.0.0.1:1"), Exception),
        (f"mysql+none://u:{PASSWORD}@h/d", UserError),
        (f"postgresql://u:{PASSWORD}@@h:x/d", UserError),
    ):
        monkeypatch.setenv("EVERFIT_CONN_OUT", url)
        with pytest.raises(kind) as raised:
            publish(tmp_path, 3)
        assert "horse" not in str(raised.value)


def test_a_connection_that_is_not_set_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("EVERFIT_CONN_OUT", raising=False)
    with pytest.raises(UserError, match="EVERFIT_CONN_OUT: the connection of predictions must be"):
        publish(tmp_path, 3)


@pytest.mark.parametrize("address", ["sql:out", "sql:out:a b", "sql:Out:t", f"sql:out:{'t' * 57}"])
def test_a_table_is_named_with_its_connection(address) -> None:
    with pytest.raises(UserError, match="SCORE-OUTPUT --output: a table is written"):
        table_at(address)


def test_an_address_is_a_table(settings) -> None:
    table, single, _ = open_destination("sql:out:ml.scores", settings)
    assert isinstance(table, Table)
    assert (table.address, single) == ("sql:out:ml.scores", None)
