"""Real tables become snapshots; row counts and values are those of the files, read by csv."""

from __future__ import annotations

import csv
import os
import shutil

import pytest


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def nyc(shared_data, settings):
    folder = settings.data / "nyc"
    folder.mkdir()
    for month in ("2018-11", "2018-12", "2019-01"):
        shutil.copyfile(shared_data / "nyc_yellow" / f"{month}.csv", folder / f"{month}.csv")
    return folder


def test_nyc_months(nyc, extract):
    result = extract("{data}/nyc/*.csv", period="%Y-%m", time="pickup_datetime")
    assert [s.span.name for s in result.snapshots] == ["2018-11.csv", "2018-12.csv", "2019-01.csv"]
    assert not result.refused
    for snapshot in result.snapshots:
        rows = rows_of(nyc / snapshot.span.name)
        table = extract.table(snapshot)
        assert snapshot.span.rows == table.num_rows == len(rows)
        times = sorted(row["pickup_datetime"] for row in rows)
        assert snapshot.span.time_min == times[0].replace(" ", "T")
        assert snapshot.span.time_max == times[-1].replace(" ", "T")
        fares = [float(row["fare_amount"]) for row in rows]
        assert table["fare_amount"].to_pylist() == fares
        types = snapshot.provenance["reader"]["types"]
        assert types["congestion_surcharge"] == "float"
        assert types["pickup_datetime"] == "timestamp"
        assert types["passenger_count"] == "integer"
        assert types["store_and_fwd_flag"] == "string"
        gaps = [row["congestion_surcharge"] == "" for row in rows]
        assert table["congestion_surcharge"].is_null().to_pylist() == gaps
    assert all(row["congestion_surcharge"] == "" for row in rows_of(nyc / "2018-12.csv"))
    assert result.snapshots[0].span.period_start == "2018-11-01T00:00:00"


def test_chicago_has_gaps_and_mixed_numbers(shared_data, settings, extract):
    shutil.copyfile(shared_data / "chicago_taxi" / "data.csv", settings.data / "chicago.csv")
    (snapshot,) = extract("{data}/chicago.csv").snapshots
    rows, table = rows_of(settings.data / "chicago.csv"), extract.table(snapshot)
    assert snapshot.span.rows == len(rows) == 15_002
    types = snapshot.provenance["reader"]["types"]
    assert types["fare"] == "float"
    assert types["trip_start_timestamp"] == "integer"
    assert types["company"] == "string"
    for column in ("company", "dropoff_census_tract", "trip_seconds"):
        gaps = sum(row[column] == "" for row in rows)
        assert table[column].null_count == gaps


def test_penguins(shared_data, settings, extract):
    shutil.copyfile(shared_data / "penguins" / "penguins.csv", settings.data / "penguins.csv")
    (snapshot,) = extract("{data}/penguins.csv").snapshots
    assert snapshot.span.rows == len(rows_of(settings.data / "penguins.csv"))
    assert snapshot.provenance["reader"]["types"]["species"] == "integer"


def test_equal_bytes_on_a_rerun_in_another_home(nyc, extract, tmp_path):
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context

    first = extract("{data}/nyc/*.csv", time="pickup_datetime")
    environ = {"EVERFIT_ROOT": str(tmp_path), "EVERFIT_HOME": str(tmp_path / "second")}
    with open_context(Settings.from_environment(environ)) as context:
        second = type(extract)(context)("{data}/nyc/*.csv", time="pickup_datetime")
    assert second == first


def test_a_touched_file_is_not_converted_again(nyc, extract, context, monkeypatch):
    before = extract("{data}/nyc/*.csv")
    blobs = list(context.store.keys("blobs/"))
    for path in nyc.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    shutil.copyfile(nyc / "2018-11.csv", nyc / "copy.csv")

    def never(*args, **kwargs):
        raise AssertionError("converted again")

    monkeypatch.setattr("everfit.steps.extract.snapshot.convert_file", never)
    after = extract("{data}/nyc/*.csv")
    assert [s.span.digest for s in after.snapshots[:3]] == [s.span.digest for s in before.snapshots]
    assert after.snapshots[0].fingerprint != before.snapshots[0].fingerprint
    assert after.snapshots[3].span.digest == before.snapshots[0].span.digest
    assert list(context.store.keys("blobs/")) == blobs


def test_a_known_span_is_not_even_opened(nyc, extract, context, monkeypatch):
    before = extract("{data}/nyc/*.csv")

    def never(*args, **kwargs):
        raise AssertionError("opened again")

    monkeypatch.setattr("everfit.steps.extract.inspect_bytes.look", never)
    assert extract("{data}/nyc/*.csv") == before
    assert len(context.ledger.spans("p")) == 3


def test_a_lost_table_is_made_again(nyc, extract, context):
    before = extract("{data}/nyc/*.csv")
    digest = before.snapshots[1].span.digest
    (context.store.root / "blobs" / digest[:2] / digest).unlink()
    assert extract("{data}/nyc/*.csv") == before
    assert extract.table(before.snapshots[1]).num_rows == 10_000
