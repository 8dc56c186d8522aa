"""The whole chain from every kind of source, and on every kind of store and ledger."""

from __future__ import annotations

import csv
import functools
import http.server
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from everfit.contracts.errors import NothingToDo
from everfit.engine.context import open_context
from everfit.storage.mlflow import champion_alias
from tests.world import World, new_checkout


@contextmanager
def world_on(settings, **places) -> Iterator[World]:
    """A world on another store or ledger."""
    with open_context(settings.model_copy(update=places)) as context:
        yield World(context)


def reaches_a_champion(world: World) -> dict[str, Any]:
    """Run the chain, then again: a champion, then nothing to do. Returns what each step told."""
    outcomes = world.run()
    told = {outcome.component: outcome.summary for outcome in outcomes}
    assert told["gate"].verdict == "promote", told["gate"]
    assert champion_alias(world.context.settings, "quick") == 1
    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()
    return told


def rows_of(*paths: Path) -> list[dict[str, str]]:
    rows = []
    for path in sorted(paths):
        with path.open() as file:
            rows += csv.DictReader(file)
    return rows


def whole_table(world: World, months: int = 2) -> bytes:
    """The months as one CSV."""
    world.months(months, rows=300)
    header, *lines = [path.read_bytes() for path in sorted(world.trips.iterdir())]
    return header + b"".join(text.partition(b"\n")[2] for text in lines)


def test_a_folder_of_parquet(world) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    world.months(3, rows=300)
    for path in world.trips.iterdir():
        pyarrow.parquet.write_table(pyarrow.csv.read_csv(path), path.with_suffix(".parquet"))
        path.unlink()
    world.spec["source"]["uri"] = "{data}/trips/*.parquet"
    assert reaches_a_champion(world)["prepare"].rows_holdout == 300


@pytest.mark.thorough
def test_one_csv_divided_by_entity(world) -> None:
    table = whole_table(world)
    (world.context.settings.data / "table.csv").write_bytes(table)
    world.spec["source"] = {"uri": "{data}/table.csv"}
    world.spec["entity"] = ["pickup_location_id"]
    world.spec["features"]["drop"].append("pickup_location_id")
    world.spec["holdout"] = {"fraction": 0.3}
    world.spec["window"] = {}
    told = reaches_a_champion(world)["prepare"]
    assert told.rows_train + told.rows_holdout == table.count(b"\n") - 1
    assert told.rows_holdout > 0


@pytest.mark.thorough
def test_objects_below_an_s3_prefix_with_an_s3_store(settings, bucket) -> None:
    import boto3

    with world_on(settings, store=f"s3://{bucket}/store") as world:
        world.months(3, rows=300)
        client = boto3.client("s3")
        for path in world.trips.iterdir():
            client.put_object(Bucket=bucket, Key=f"trips/{path.name}", Body=path.read_bytes())
            path.unlink()
        world.spec["source"]["uri"] = f"s3://{bucket}/trips/"
        assert reaches_a_champion(world)["extract"].spans == 3
        assert not (settings.home / "store").exists()


def test_the_data_folder_in_s3_gives_the_very_run_that_a_folder_gives(
    world, bucket, tmp_path
) -> None:
    import boto3

    world.months(3, rows=300)
    client = boto3.client("s3")
    for path in world.trips.iterdir():
        client.put_object(Bucket=bucket, Key=f"in/trips/{path.name}", Body=path.read_bytes())
    client.close()
    here = world.run()
    elsewhere = new_checkout(tmp_path / "elsewhere")
    with world_on(elsewhere, data=f"s3://{bucket}/in") as other:
        assert other.spec == world.spec
        there = other.run()
        mine, others = world.result(here, "validate"), other.result(there, "validate")
        assert others.run_key == mine.run_key
        assert (others.window, others.holdout) == (mine.window, mine.holdout)
        assert len({span.digest for span in (*mine.window, *mine.holdout)}) == 3
        models = [
            w.result(o, "evaluate").candidate.model for w, o in ((world, here), (other, there))
        ]
        assert models[0] == models[1]
        assert not list((elsewhere.root / "data").iterdir())
        with pytest.raises(NothingToDo, match="nothing changed"):
            other.run()


def columns(rows: list[dict[str, str]], moment: str, text: str, number: str) -> str:
    """The column definitions of CREATE TABLE."""
    kinds = {"store_and_fwd_flag": text}
    return ", ".join(
        f"{name} {moment if 'datetime' in name else kinds.get(name, number)}" for name in rows[0]
    )


def sqlite_table(world: World, path: Path) -> None:
    world.months(4, rows=300)
    rows = rows_of(*world.trips.iterdir())
    with sqlite3.connect(path) as connection:
        kinds = columns(rows, "TEXT", "TEXT", "REAL")
        connection.execute(f"CREATE TABLE trips ({kinds})")
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(
            f"INSERT INTO trips VALUES ({marks})",
            [[value or None for value in row.values()] for row in rows],
        )
    connection.close()


def sql_source(world: World) -> None:
    world.spec["source"] = {
        "uri": "sql",
        "connection": "warehouse",
        "query": "SELECT * FROM trips",
        "watermark": "pickup_datetime",
    }


@pytest.mark.thorough
def test_windows_of_a_query(world, tmp_path, monkeypatch) -> None:
    sqlite_table(world, tmp_path / "trips.db")
    monkeypatch.setenv("EVERFIT_CONN_WAREHOUSE", f"sqlite:///{tmp_path / 'trips.db'}")
    sql_source(world)
    assert reaches_a_champion(world)["extract"].spans == 3  # the fourth month is not over


def test_windows_of_a_query_on_postgresql_with_the_ledger_there(
    settings, postgresql_database, monkeypatch
) -> None:
    import psycopg

    with world_on(settings, ledger=postgresql_database) as world:
        world.months(4, rows=300)
        rows = rows_of(*world.trips.iterdir())
        kinds = columns(rows, "timestamp", "text", "double precision")
        with psycopg.connect(postgresql_database.replace("+psycopg", "")) as connection:
            connection.execute("CREATE SCHEMA warehouse")
            connection.execute(f"CREATE TABLE warehouse.trips ({kinds})")
            with connection.cursor().copy("COPY warehouse.trips FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([value or None for value in row.values()])
        monkeypatch.setenv("EVERFIT_CONN_WAREHOUSE", postgresql_database)
        sql_source(world)
        world.spec["source"]["query"] = "SELECT * FROM warehouse.trips"
        assert reaches_a_champion(world)["extract"].spans == 3
        assert not (settings.home / "ledger.db").exists()


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"allowed_hosts": "127.0.0.1"})


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def test_a_file_behind_an_address(world, tmp_path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "trips.csv").write_bytes(whole_table(world))
    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        world.spec["source"] = {"uri": f"http://127.0.0.1:{server.server_port}/trips.csv"}
        world.spec["holdout"] = {"fraction": 0.3}
        world.spec["window"] = {}
        try:
            assert reaches_a_champion(world)["extract"].spans == 1
        finally:
            server.shutdown()
            thread.join()
