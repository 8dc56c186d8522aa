"""Types hold for the whole file, wherever blocks end."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from everfit.steps.extract import csv_read

LATE = 40_000
"""Rows before the surprise: more than one block."""


def late(first, last):
    return "k,x\n" + f"1,{first}\n" * LATE + f"1,{last}\n"


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(csv_read, "BLOCK", 1 << 14)


@pytest.mark.parametrize(
    ("first", "last", "kind", "value"),
    [
        ("1", "2.5", "float", 2.5),
        ("1", "x", "integer", None),
        ("", "2.5", "float", 2.5),
        ("", "7", "integer", 7),
        ("", "text", "string", "text"),
        ("", "", "float", None),
        ("true", "maybe", "boolean", None),
        ("2018-01-01", "2018-01-01 10:00:00", "timestamp", datetime(2018, 1, 1, 10)),
        ("2018-01-01 00:00:00", "later", "timestamp", None),
        (
            "2018-01-01 00:00:00",
            "2018-01-01 00:00:00.123456789",
            "timestamp",
            datetime(2018, 1, 1, 0, 0, 0, 123456),
        ),
        ("2018-01-01T02:00:00+02:00", "2018-01-01T00:00:00Z", "timestamp", datetime(2018, 1, 1)),
        ("12:30:00", "12:31:00", "string", "12:31:00"),
        ("1", "12345678901234567890", "string", "12345678901234567890"),
        ("1.5", "12345678901234567890", "float", 12345678901234567890.0),
        ("7", "007", "string", "007"),
        ("9999-12-31", "9999-12-31 23:59:59", "timestamp", datetime(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_a_late_value_widens_the_column(extract, write, small_blocks, first, last, kind, value):
    write("d/a.csv", late(first, last))
    (snapshot,) = extract("{data}/d/a.csv").snapshots
    assert snapshot.provenance["reader"]["types"] == {"k": "integer", "x": kind}
    column = extract.table(snapshot)["x"]
    assert len(column) == LATE + 1
    assert column[-1].as_py() == value
    assert (column[0].as_py() is None) == (first == "")


def test_curated_types_come_first_and_values_overrule_them(extract, write):
    write("d/a.csv", "zip,n,when,flag\n00123,1,2018-01-01,0\n04567,oops,2018-01-02,1\n")
    curated = {
        "zip": "string",
        "n": "integer",
        "when": "timestamp",
        "flag": "boolean",
        "absent": "float",
    }
    (snapshot,) = extract("{data}/d/a.csv", curated=curated).snapshots
    assert snapshot.provenance["reader"]["types"] == {
        "zip": "string",
        "n": "integer",
        "when": "timestamp",
        "flag": "boolean",
    }
    table = extract.table(snapshot)
    assert table["zip"].to_pylist() == ["00123", "04567"]
    assert table["flag"].to_pylist() == [False, True]


def test_parquet_types(extract, settings, write):
    import decimal

    import pyarrow as pa
    import pyarrow.parquet as pq

    write("d/keep.csv", "a\n1\n")
    table = pa.table(
        {
            "i8": pa.array([1, None], pa.int8()),
            "u64": pa.array([1, 2**63 + 2048], pa.uint64()),
            "f32": pa.array([0.5, 1.5], pa.float32()),
            "dec": pa.array([decimal.Decimal("1.25"), None], pa.decimal128(10, 2)),
            "day": pa.array([datetime(2018, 1, 1).date(), None], pa.date32()),
            "ns": pa.array([1_514_764_800_000_000_123, None], pa.timestamp("ns", "UTC")),
            "dict": pa.array(["a", "b"]).dictionary_encode(),
            "empty": pa.nulls(2),
            "flag": pa.array([True, None]),
        }
    )
    pq.write_table(table, settings.data / "d" / "a.parquet")
    (snapshot,) = extract("{data}/d/a.parquet", time="ns").snapshots
    assert snapshot.provenance["reader"]["types"] == {
        "i8": "integer",
        "u64": "string",
        "f32": "float",
        "dec": "float",
        "day": "timestamp",
        "ns": "timestamp",
        "dict": "string",
        "empty": "float",
        "flag": "boolean",
    }
    read = extract.table(snapshot).to_pydict()
    assert read["dec"] == [1.25, None]
    assert read["u64"] == ["1", "9223372036854777856"]
    assert read["day"] == [datetime(2018, 1, 1), None]
    assert snapshot.span.time_min == "2018-01-01T00:00:00"
    curated = {"f32": "integer", "i8": "float", "day": "string"}
    (other,) = extract("{data}/d/a.parquet", curated=curated).snapshots
    types = other.provenance["reader"]["types"]
    assert types["f32"] == "float"  # 0.5 is no integer
    assert types["i8"] == "float"


def test_columns_and_rows_are_chosen_at_the_source(extract, write, settings):
    import pyarrow.csv
    import pyarrow.parquet as pq

    path = write("d/a.csv", "x,y,z\n1,a,10\n2,b,\n3,c,30\n")
    pq.write_table(pyarrow.csv.read_csv(path), settings.data / "d" / "b.parquet")
    for uri in ("{data}/d/a.csv", "{data}/d/b.parquet"):
        (snapshot,) = extract(uri, columns=("y", "x"), where="z > 5 and x > 1").snapshots
        assert extract.table(snapshot).to_pydict() == {"y": ["c"], "x": [3]}
        assert snapshot.provenance["reader"]["where"] == "z > 5 and x > 1"


def test_row_groups_bound_what_a_reader_holds(extract, write, monkeypatch):
    import pyarrow.parquet as pq

    monkeypatch.setattr("everfit.steps.extract.parquet_write.GROUP_ROWS", 1000)
    write("d/a.csv", "x\n" + "".join(f"{i}\n" for i in range(2500)))
    (snapshot,) = extract("{data}/d/a.csv").snapshots
    file = pq.ParquetFile(
        extract.context.store.local(snapshot.span.digest, extract.context.scratch)
    )
    with file:
        groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [1000, 1000, 500]
    assert extract.table(snapshot)["x"].to_pylist() == list(range(2500))


def test_quotes_newlines_delimiters_encodings_and_gzip(extract, write):
    import gzip

    write("d/quoted.csv", 'a,b\n1,"two\nlines, and ""quotes"""\n2,5" pipe\n')
    write("d/semi.csv", "a;b\n1;x\n")
    write("d/latin.csv", "a,b\n1,é\n".encode("latin-1"))
    write("d/wide.csv", "a,b\n1,é\n".encode("utf-16"))
    write("d/bom.csv", "\ufeffa,b\n1,é\n")
    write("d/zip.csv.gz", gzip.compress(b"a,b\n1,x\n"))
    write("d/crlf.csv", b"a,b\r\n1,x\r\n")

    def table(name, **csv):
        (snapshot,) = extract("{data}/d/" + name, csv=csv).snapshots
        return extract.table(snapshot).to_pydict()

    quoted = table("quoted.csv")
    assert quoted == {"a": [1, 2], "b": ['two\nlines, and "quotes"', '5" pipe']}
    assert table("semi.csv", delimiter=";") == {"a": [1], "b": ["x"]}
    assert table("latin.csv", encoding="latin-1") == {"a": [1], "b": ["é"]}
    assert table("wide.csv", encoding="utf-16") == {"a": [1], "b": ["é"]}
    assert table("bom.csv") == {"a": [1], "b": ["é"]}
    assert table("zip.csv.gz") == {"a": [1], "b": ["x"]}
    assert table("crlf.csv") == {"a": [1], "b": ["x"]}


CELL = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, width=32),
    st.booleans(),
    st.datetimes().map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=5),
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CELL, min_size=1, max_size=30))
def test_any_column_is_read_whole_and_alike_at_any_block_size(extract, write, monkeypatch, cells):
    import csv
    import io

    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerow(["k", "x"])
    rows.writerows([position, "" if cell is None else cell] for position, cell in enumerate(cells))
    write("h/a.csv", text.getvalue())
    found = []
    for block in (1 << 20, 1 << 8):
        monkeypatch.setattr(csv_read, "BLOCK", block)
        monkeypatch.setattr(
            "everfit.steps.extract.snapshot.find_converted", lambda context, key: None
        )
        request = extract.request("{data}/h/a.csv")
        from everfit.steps.extract.step import Extract

        result = Extract().run(request, extract.context)
        assert not result.refused
        found.append(result.snapshots[0].span.digest)
        assert result.snapshots[0].span.rows == len(cells)
    assert found[0] == found[1]


def test_whole_numbers_in_a_compressed_file(extract, write):
    import gzip

    write("d/a.csv.gz", gzip.compress(b"a,b\n1,2\n3,40\n"))
    (snapshot,) = extract("{data}/d/a.csv.gz").snapshots
    assert extract.table(snapshot).to_pydict() == {"a": [1, 3], "b": [2, 40]}
