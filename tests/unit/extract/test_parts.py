"""A span may be a folder, a period or a data set: one table of several files, in order of time."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everfit.contracts.errors import SourceError
from everfit.contracts.spec.source import read_source
from everfit.data.sources import list_spans


@pytest.fixture
def table(settings):
    def write(name, **columns):
        path = settings.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)

    return write


@pytest.fixture
def spans(settings):
    def listed(uri, **source):
        return list_spans(read_source(uri=uri, **source), settings)

    return listed


def test_hive_folders_of_a_time_are_spans_in_its_order_and_columns(extract, table, spans):
    for region in ("EU", "US"):
        for month in ("2024-02", "2024-01"):
            table(f"s/region={region}/month={month}/part-0.parquet", x=[1, 2])
    listing = spans("{data}/s/**/*.parquet")
    assert [(ref.name, len(ref.parts)) for ref in listing.spans] == [
        ("month=2024-01", 2),
        ("month=2024-02", 2),
    ]
    assert listing.spans[0].period_start == "2024-01-01T00:00:00"
    assert listing.notes == ()
    result = extract("{data}/s/**/*.parquet")
    assert extract.table(result.snapshots[1]).to_pydict() == {
        "x": [1, 2, 1, 2],
        "region": ["EU", "EU", "US", "US"],
        "month": ["2024-02"] * 4,
    }
    assert result.snapshots[0].notes == ("2 files are one span",)
    assert [file["uri"] for file in result.snapshots[0].provenance["files"]] == [
        f"{{data}}/s/region={region}/month=2024-01/part-0.parquet" for region in ("EU", "US")
    ]
    again = extract("{data}/s/**/*.parquet")
    assert again == result


def test_columns_of_folders_have_types_and_can_be_chosen_and_filtered(extract, table):
    table("s/year=2024/month=9/day=30/a.parquet", x=[1])
    table("s/year=2024/month=10/day=01/a.parquet", x=[2])
    result = extract("{data}/s/", columns=["x", "month"], where="year == 2024 and day < 31")
    assert [s.span.name for s in result.snapshots] == [
        "year=2024/month=9/day=30",
        "year=2024/month=10/day=01",
    ]
    assert extract.table(result.snapshots[1]).to_pydict() == {"x": [2], "month": [10]}


def test_a_folder_without_a_time_is_a_column_all_the_same(extract, table):
    table("s/shop=b%20c/a.parquet", x=[1])
    table("s/shop=__HIVE_DEFAULT_PARTITION__/a.parquet", x=[2])
    result = extract("{data}/s/**/*.parquet")
    tables = [extract.table(snapshot).to_pydict() for snapshot in result.snapshots]
    assert tables == [{"x": [2], "shop": [None]}, {"x": [1], "shop": ["b c"]}]


def test_equal_files_in_two_folders_are_two_tables(extract, table):
    table("s/shop=a/a.parquet", x=[1])
    table("s/shop=b/a.parquet", x=[1])
    one, two = extract("{data}/s/**/*.parquet").snapshots
    assert one.span.digest != two.span.digest


def test_a_column_in_the_file_wins_over_its_folder(extract, table):
    table("s/day=2024-01-31/a.parquet", x=[1], day=["Wednesday"])
    (snapshot,) = extract("{data}/s/**/*.parquet").snapshots
    assert extract.table(snapshot).to_pydict() == {"x": [1], "day": ["Wednesday"]}


def test_a_date_of_a_folder_is_a_time(extract, table):
    table("s/dt=2024-01-31/a.parquet", x=[1])
    (snapshot,) = extract("{data}/s/**/*.parquet").snapshots
    assert extract.table(snapshot)["dt"].to_pylist() == [dt.datetime(2024, 1, 31)]


@pytest.mark.parametrize("source", [{"span": "%Y-%m"}, {"period": "%Y-%m"}])
def test_a_period_in_the_path_groups_its_files(extract, write, source):
    write("s/2024-02/b.csv", "x,y\n1,007\n")
    write("s/2024-02/a.csv", "x\n2.5\n")
    write("s/2023-12/a.csv", "x\n9\n")
    write("s/readme/a.csv", "x\n9\n")
    result = extract("{data}/s/**/*.csv", **source)
    assert [s.span.name for s in result.snapshots] == ["2023-12", "2024-02"]
    found = extract.table(result.snapshots[1]).to_pydict()
    assert found["x"] == [2.5, 1.0]
    assert any("a.csv: without the columns y" in note for note in result.snapshots[1].notes)


def test_a_period_in_the_files_own_names_groups_nothing(spans, write):
    write("s/a/2024-02.csv", "x\n1\n")
    write("s/b/2024-02.csv", "x\n1\n")
    listing = spans("{data}/s/**/*.csv", period="%Y-%m")
    assert [ref.name for ref in listing.spans] == ["a/2024-02.csv", "b/2024-02.csv"]


def test_each_folder_is_a_span_where_the_spec_says_so(extract, write):
    write("s/batch 9/a.csv", "x\n1\n")
    write("s/batch 9/b.csv", "")
    write("s/batch 10/a.csv", "x\n3\n")
    write("s/batch 10/b.csv", "x\ntext\n")
    result = extract("{data}/s/**/*.csv", span="folder")
    (refusal,) = result.refused
    assert (refusal.name, refusal.code) == ("batch 9", "SPAN-EMPTY")
    assert "of batch 9/b.csv" in refusal.message
    (snapshot,) = result.snapshots
    assert extract.table(snapshot).to_pydict() == {"x": ["3", "text"]}


def test_texts_of_one_file_make_texts_of_the_others_as_written(extract, write):
    write("s/f/a.csv", "x,t\n01.50,\n")
    write("s/f/b.csv", "x,t\nabc,2024-01-31\n")
    (snapshot,) = extract("{data}/s/**/*.csv", span="folder").snapshots
    assert extract.table(snapshot).to_pydict() == {
        "x": ["01.50", "abc"],
        "t": [None, dt.datetime(2024, 1, 31)],
    }


SPARK = "part-0000{}-2f6f8c2e-6b7a-4c5e-9a51-000000000000-c000.snappy.parquet"


def test_a_data_set_of_spark_is_one_span_as_it_lies(extract, table, write, spans):
    for month in ("2024-02", "2024-01"):
        for number in range(3):
            table(f"s/{month}.parquet/{SPARK.format(number)}", x=[number])
        write(f"s/{month}.parquet/_SUCCESS", "")
        write(f"s/{month}.parquet/.{SPARK.format(0)}.crc", "crc")
        write(f"s/{month}.parquet/_metadata", "metadata")
    for uri in ("{data}/s/*.parquet", "{data}/s", "{data}/s/**/*.parquet"):
        assert [ref.name for ref in spans(uri).spans] == ["2024-01.parquet", "2024-02.parquet"]
    result = extract("{data}/s/*.parquet", period="%Y-%m")
    assert [s.span.rows for s in result.snapshots] == [3, 3]
    (one,) = extract("{data}/s/2024-01.parquet").snapshots
    assert (one.span.name, one.span.rows) == ("2024-01.parquet", 3)


def test_a_changed_part_is_another_span(spans, table, extract):
    table("s/m=2024-01/a.parquet", x=[1])
    table("s/m=2024-01/b.parquet", x=[1])
    before = spans("{data}/s/**/*.parquet").spans
    table("s/m=2024-01/b.parquet", x=[1, 2, 3])
    after = spans("{data}/s/**/*.parquet").spans
    assert before[0].fingerprint != after[0].fingerprint
    (refusal,) = extract("{data}/s/**/*.parquet", spans=before).refused
    assert refusal.retry


@pytest.mark.parametrize(
    "log", ["_delta_log/00000000000000000000.json", ".hoodie/x", "metadata/v1.metadata.json"]
)
def test_a_table_with_a_log_of_its_own_is_no_folder_of_files(spans, table, write, log):
    table("s/t/data/a.parquet", x=[1])
    write(f"s/t/{log}", "{}")
    for uri in ("{data}/s/t", "{data}/s/**/*.parquet"):
        with pytest.raises(SourceError, match="SOURCE-TABLE"):
            spans(uri)


def test_files_that_do_not_fit_are_counted_and_named(spans, write):
    for number in range(1, 13):
        write(f"s/elec_{number:02}.csv", "x\n1\n")
    for number in range(21):
        write(f"s/elec_old{number:02}.csv", "x\n1\n")
    (note,) = spans("{data}/s/*.csv", period="elec_%m").notes
    assert note.startswith("21 of 33 files do not fit elec_%m: elec_old00.csv, ")
