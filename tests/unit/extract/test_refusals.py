"""Every refusal on a planted file: its code, its line, nothing kept, the other spans go on."""

from __future__ import annotations

import gzip
import io
import os
import re
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.contracts.errors import SourceError
from everfit.steps.extract.step import Extract

REPOSITORY = Path(__file__).resolve().parents[3]


def parquet(**columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def damaged():
    data = bytearray(parquet(x=list(range(5000))))
    data[100:400] = os.urandom(300)
    return bytes(data)


def sqlite_file(tmp="a"):
    connection = sqlite3.connect(":memory:")
    connection.execute("create table a (x)")
    return connection.serialize()


GOOD = "x,y\n1,2\n"
WIDE = "\n".join([",".join(f"c{n}" for n in range(10_001)), ",".join("1" * 10_001), ""])

PLANTED = [
    ("SPAN-EMPTY", "a.csv", "", {}, "0 bytes"),
    ("SPAN-EMPTY", "a.csv", "\n \n", {}, "white space"),
    ("SPAN-EMPTY", "a.parquet", "", {}, "0 bytes"),
    ("SPAN-HEADER-ONLY", "a.csv", "x,y\n", {}, "only a header"),
    ("SPAN-HEADER-ONLY", "a.csv", "x,y", {}, "only a header"),
    ("SPAN-NO-ROWS", "a.parquet", lambda: parquet(x=[]), {}, "there are none"),
    ("SPAN-NO-ROWS", "a.csv", GOOD, {"where": "x > 5"}, "none of its 1"),
    ("SPAN-TRUNCATED", "a.csv", "x,y\n1,2\n3", {}, "the last line has 1 of 2 fields"),
    ("SPAN-TRUNCATED", "a.csv", 'x,y\n1,2\n3,"abc', {}, "opens on line 3"),
    ("SPAN-TRUNCATED", "a.csv.gz", lambda: gzip.compress(GOOD.encode() * 999)[:-12], {}, "gzip"),
    ("SPAN-TRUNCATED", "a.parquet", lambda: parquet(x=[1, 2])[:-5], {}, "footer is missing"),
    ("SPAN-MISMATCH", "a.csv", lambda: parquet(x=[1]), {}, "it holds Parquet"),
    ("SPAN-MISMATCH", "a.csv", lambda: gzip.compress(b"x\n1\n"), {}, "it holds gzip"),
    ("SPAN-MISMATCH", "a.csv", "<!DOCTYPE html><p>404", {}, "a web page"),
    ("SPAN-MISMATCH", "a.csv", '{"error": "quota"}', {}, "it holds JSON"),
    ("SPAN-MISMATCH", "a.csv", b"PK\x03\x04....", {}, "zip"),
    ("SPAN-MISMATCH", "a.csv", sqlite_file, {}, "SQLite"),
    ("SPAN-MISMATCH", "a.csv", b"x,y\n1,\0\n", {}, "NUL"),
    ("SPAN-MISMATCH", "a.parquet", GOOD, {}, "text or something else"),
    ("SPAN-MISMATCH", "a.csv.gz", GOOD, {}, "not gzip"),
    ("SPAN-MISMATCH", "a.csv.gz", lambda: gzip.compress(parquet(x=[1])), {}, "it holds Parquet"),
    ("SPAN-ENCODING", "a.csv", "x,y\n1,Привет\n".encode("cp1251"), {}, "nor surely cp1252"),
    ("SPAN-ENCODING", "a.csv", "x,é\n1,é\n".encode() + b"2,\xe9\n", {}, "others are"),
    (
        "SPAN-ENCODING",
        "a.csv",
        "x,é\n1,2\n".encode("latin-1"),
        {"csv": {"encoding": "utf-8"}},
        "utf-8",
    ),
    (
        "SPAN-ENCODING",
        "a.csv",
        "x,y\n1,2\n".encode("utf-16"),
        {"csv": {"encoding": "utf-8"}},
        "like UTF-16",
    ),
    ("SPAN-ENCODING", "a.csv", "x,y\n1,é\n", {"csv": {"encoding": "ascii"}}, "ascii"),
    ("SPAN-ENCODING", "a.csv", b"x,y\n" + b"1,a\n" * 300_000 + b"1,\xff\n", {}, "not UTF-8"),
    ("SPAN-ENCODING", "a.csv", b"x,y\n" + b"1,2\n" * 300_000 + b"1,\xff\n", {}, "not"),
    ("SPAN-RAGGED", "a.csv", "x,y\n1,2\n3\n4,5\n", {}, "row 3 has 1"),
    ("SPAN-RAGGED", "a.csv", "x,y\n1,2\n3,4,5\n", {}, "row 3 has 3"),
    ("SPAN-RAGGED", "a.csv", "x,y\n1\n3\n", {}, "row 2 has 1"),
    ("SPAN-RAGGED", "a.csv", 'x,y\n1,"' + "a" * (3 << 20) + '"\n', {}, "longer"),
    ("SPAN-HEADER", "a.csv", "x,x\n1,2\n", {}, "'x' is there twice"),
    ("SPAN-HEADER", "a.csv", ",x\n1,2\n1,3\n", {}, "column 1 of 2 has none"),
    ("SPAN-HEADER", "a.csv", "x,,y\n1,2,3\n1,3,4\n", {}, "column 2 of 3 has none"),
    ("SPAN-HEADER", "a.csv", "x;y\n1;2\n", {"csv": {"delimiter": ","}}, "delimiter to ';'"),
    ("SPAN-HEADER", "a.csv", "A10,0,0,1\nA11,1,37,2\n", {}, "it looks like data: 'A10,0,0,1'"),
    ("SPAN-HEADER", "a.csv", "1.5,red\n2.5,blue\n", {}, "Set source.csv.names"),
    ("SPAN-HEADER", "a.csv", "red,big\nblue,big\nred,low\n", {}, "it looks like data"),
    ("SPAN-HEADER", "a.csv", GOOD, {"csv": {"names": ["x"]}}, "1 name and a row 2 fields"),
    ("SPAN-RAGGED", "a.csv", "x,y\n1,2,3\n4,5,6\n", {}, "Name every column in source.csv.names"),
    ("SPAN-RAGGED", "a.csv", "x,y,z\n1,2\n4,5\n7,8\n", {}, "row 2 has 2"),
    ("SPAN-COLUMN-MISSING", "a.csv", GOOD, {"columns": ("x", "yy")}, "Did you mean 'y'"),
    ("SPAN-COLUMN-MISSING", "a.csv", GOOD, {"where": "z > 1"}, "no 'z'"),
    ("SPAN-COLUMNS", "a.csv", WIDE, {}, "10,001 were found, such as c0, c1, c2"),
    ("SPAN-COLUMN-TYPE", "a.parquet", lambda: parquet(x=[[1], [2]]), {}, "'x' holds list"),
    ("SPAN-WHERE", "a.csv", "x,y\na,2\n", {"where": "x + 1 > 2"}, "source.where"),
    ("SPAN-CORRUPT", "a.parquet", damaged, {}, "cannot be"),
    ("SPAN-CORRUPT", "a.csv.gz", b"\x1f\x8b\x08\x00" + b"\xff" * 60, {}, "gzip says"),
    ("SPAN-FORMAT", "a.dat", GOOD, {"uri": "{data}/d/a.dat"}, "it is .dat"),
]


@pytest.mark.parametrize(
    ("code", "name", "content", "more", "says"),
    PLANTED,
    ids=[f"{code}-{i}" for i, (code, *_) in enumerate(PLANTED)],
)
def test_a_bad_span_is_refused_and_the_others_go_on(
    extract, write, context, code, name, content, more, says
):
    write(f"d/{name}", content() if callable(content) else content)
    result = extract(**{"uri": "{data}/d/*", **more})
    (refusal,) = result.refused
    assert refusal.code == code
    assert not refusal.retry
    assert says in refusal.message
    assert refusal.message.startswith(f"{code} {name}: ")
    assert "\n" not in refusal.message
    assert not result.snapshots
    assert not list(context.store.keys("results/snapshot/"))
    assert not list(context.store.keys("blobs/"))
    (record,) = context.ledger.spans("p")
    assert (record.code, record.digest, record.message) == (code, None, refusal.message)


def test_the_others_go_on(extract, write, context):
    write("d/1.csv", GOOD)
    write("d/2.csv", "")
    write("d/3.csv", "x,y\n1,2\n3\n4,5\n")
    write("d/4.csv", GOOD.replace("1", "7"))
    result = extract("{data}/d/*.csv")
    assert [s.span.name for s in result.snapshots] == ["1.csv", "4.csv"]
    assert [r.code for r in result.refused] == ["SPAN-EMPTY", "SPAN-RAGGED"]
    assert len(context.ledger.spans("p")) == 4
    again = extract("{data}/d/*.csv")
    assert again == result
    assert len(context.ledger.spans("p")) == 4


def test_nothing_readable_is_an_error_with_the_first_lines(extract, write, context):
    from everfit.contracts.messages.steps import Order

    for number in range(5):
        write(f"d/{number}.csv", "")
    request = extract.request("{data}/d/*.csv")
    result = Extract().run(request, context)
    with pytest.raises(SourceError) as error:
        Extract().record(request, result, context, Order.model_construct(component="extract"))
    assert error.value.exit_code == 2
    assert "5 of 5 refused" in error.value.line
    assert "SPAN-EMPTY 0.csv" in error.value.line
    assert "and 2 more" in error.value.line
    assert len(context.ledger.spans("p")) == 5


def test_changed_while_read(extract, write, context, monkeypatch):
    """The file is rewritten after its bytes were looked at and before reading ends."""
    from everfit.steps.extract import snapshot

    path = write("d/a.csv", GOOD)
    write("d/b.csv", "x,y\n7,7\n")
    convert = snapshot.convert_file

    for content, code in ((GOOD + "3,4\n", "SPAN-GROWING"), ("x,y\n9,9\n", "SPAN-CHANGED")):
        path.write_text(GOOD)

        def meddle(read, *args, content=content, **kwargs):
            written = convert(read, *args, **kwargs)
            if args[0].name == "a.csv":
                path.write_text(content)
                os.utime(path, ns=(5, 5))
            return written

        monkeypatch.setattr(snapshot, "convert_file", meddle)
        result = extract("{data}/d/*.csv")
        assert [(r.name, r.code, r.retry) for r in result.refused] == [("a.csv", code, True)]
        assert [s.span.name for s in result.snapshots] == ["b.csv"]
    assert [record.name for record in context.ledger.spans("p")] == ["b.csv"]


def test_an_unknown_encoding_is_an_error_of_the_spec(extract, write):
    write("d/a.csv", GOOD)
    with pytest.raises(SourceError, match="SOURCE-ENCODING"):
        extract("{data}/d/a.csv", csv={"encoding": "utf8000"})


def test_nothing_is_left_in_the_private_folder(extract, write, context):
    write("d/a.csv", GOOD)
    write("d/b.csv", "x,y\n1,2\n3\n4,5\n")
    extract("{data}/d/*.csv")
    assert not list(context.scratch.iterdir())


SCRAPS = st.lists(
    st.sampled_from(
        [
            '"',
            ",",
            "\n",
            "\r",
            "a",
            "1",
            "2.5",
            "\n\n",
            '""',
            " ",
            "é",
            "\ufeff",
            "\0",
            "2018-01-01",
        ]
    ),
    max_size=40,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(SCRAPS.map(lambda parts: "".join(parts).encode()), st.binary(max_size=60)))
def test_whatever_the_bytes_a_span_is_read_or_refused(extract, write, data):
    write("f/a.csv", data)
    request = extract.request("{data}/f/a.csv")
    result = Extract().run(request, extract.context)
    assert len(result.snapshots) + len(result.refused) == 1
    for refusal in result.refused:
        assert refusal.code.startswith("SPAN-")
    for snapshot in result.snapshots:
        assert snapshot.span.rows > 0


def test_every_code_is_documented():
    text = (REPOSITORY / "docs" / "reference" / "refusals.md").read_text()
    documented = set(re.findall(r"^\| `((?:SPAN|SOURCE)-[A-Z-]+)`", text, re.MULTILINE))
    used = set()
    for package in ("data/sources", "steps/extract"):
        for path in (REPOSITORY / "pipeline_components" / "everfit" / package).glob("*.py"):
            used |= set(re.findall(r'"((?:SPAN|SOURCE)-[A-Z-]+)"', path.read_text()))
    assert used == documented


def test_a_few_columns_of_very_many_are_read_where_they_are_named(extract, write):
    write("d/a.csv", WIDE)
    (snapshot,) = extract(uri="{data}/d/*", columns=("c7", "c10000")).snapshots
    assert snapshot.provenance["reader"]["types"] == {"c7": "integer", "c10000": "integer"}
