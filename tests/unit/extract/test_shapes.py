"""Every common shape of a file: read as what it is and said how, or refused by name."""

from __future__ import annotations

import bz2
import csv
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROWS = {"x": [1, 2, 3], "name": ["ann", "bo", "cy"]}
PLAIN = "x,name\n1,ann\n2,bo\n3,cy\n"


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return out.getvalue()


def compressed(text, codec):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(text.encode())
    return sink.getvalue().to_pybytes()


def feather():
    out = io.BytesIO()
    pa.feather.write_feather(pa.table(ROWS), out)
    return out.getvalue()


def lines(*objects):
    return "".join(json.dumps(item) + "\n" for item in objects)


OBJECTS = lines(*({"x": x, "name": name} for x, name in zip(*ROWS.values(), strict=True)))

SHAPES = [
    ("a.csv", PLAIN, {}, ""),
    ("a.csv", PLAIN.replace(",", ";"), {}, "semicolon"),
    ("a.tsv", PLAIN.replace(",", "\t"), {}, "tab"),
    ("a.txt", PLAIN.replace(",", "|"), {}, "vertical bar"),
    ("a.csv", "sep=;\n" + PLAIN.replace(",", ";"), {}, "sep=;"),
    ("a.csv", "sep=,\r\n" + PLAIN.replace("\n", "\r\n"), {}, "sep=,"),
    ("a.csv", b"\xef\xbb\xbf" + PLAIN.encode(), {}, ""),
    ("a.csv", b"\xef\xbb\xbfsep=;\n" + PLAIN.replace(",", ";").encode(), {}, "sep=;"),
    ("a.csv", PLAIN.encode("utf-16"), {}, "UTF-16"),
    ("a.csv", PLAIN.encode("utf-16-le"), {}, "UTF-16-LE"),
    ("a.csv", PLAIN.encode("utf-16-be"), {}, "UTF-16-BE"),
    ("a.csv", "Sales of May\nby hand\n\n" + PLAIN, {}, "2 lines above the header"),
    ("a.csv", "Sales, of May\nby, hand, once\n" + PLAIN, {"csv": {"skip_rows": 2}}, ""),
    ("a.csv", "# made by hand\n" + PLAIN + "# the end\n", {"csv": {"comment": "#"}}, ""),
    ("a.csv", ",x,name\n0,1,ann\n1,2,bo\n2,3,cy\n", {}, "its first column has no name"),
    ("a.csv", ",x,name\n7,1,ann\n7,2,bo\n7,3,cy\n", {"columns": ["x", "name"]}, ""),
    ("a.csv", "x,x,name,x\n1,1,ann,9\n", {"columns": ["name"]}, None),
    ("a.csv", "x,name,\n1,ann,\n2,bo,\n3,cy,\n", {}, ""),
    ("a.csv", "x,name\n1,ann,\n2,bo,\n3,cy,\n", {}, ""),
    ("a.csv", "x,name,,\n1,ann\n2,bo\n3,cy\n", {}, ""),
    ("a.csv", "1,ann\n2,bo\n3,cy\n", {"csv": {"names": ["x", "name"]}}, ""),
    ("a.csv", "no,who\n1,ann\n2,bo\n3,cy\n", {"csv": {"names": ["x", "name"]}}, "replaced"),
    ("a.csv", PLAIN, {"csv": {"names": ["x", "name"]}}, "replaced"),
    ("a.csv", PLAIN, {"csv": {"names": ["x", "name"], "skip_rows": 1}}, ""),
    ("a.csv", "x,name\n1,'ann'\n2,'bo'\n3,'cy'\n", {"csv": {"quote": "'"}}, ""),
    ("a.csv.bz2", bz2.compress(PLAIN.encode()), {}, ""),
    ("a.csv.zst", compressed(PLAIN, "zstd"), {}, ""),
    ("a.tsv.gz", compressed(PLAIN.replace(",", "\t"), "gzip"), {}, "tab"),
    ("a.csv.zip", zipped(**{"inside.csv": PLAIN}), {}, ""),
    ("a.zip", zipped(**{"inside.csv": PLAIN, "__MACOSX__._inside.csv": "x"}), {}, ""),
    ("a.zip", zipped(**{"inside.jsonl": OBJECTS}), {}, ""),
    ("a.jsonl", OBJECTS, {}, ""),
    ("a.ndjson.gz", compressed(OBJECTS, "gzip"), {}, ""),
    ("a.dat", OBJECTS, {"format": "jsonl"}, ""),
    ("a.feather", feather, {}, ""),
    ("a.arrow", feather, {}, ""),
]


@pytest.mark.parametrize(
    ("name", "content", "more", "says"),
    SHAPES,
    ids=[f"{i}-{n}" for i, (n, *_) in enumerate(SHAPES)],
)
def test_a_shape_is_read_and_said(extract, write, name, content, more, says):
    write(f"d/{name}", content() if callable(content) else content)
    result = extract(f"{{data}}/d/{name}", **more)
    assert not result.refused
    (snapshot,) = result.snapshots
    rows = extract.table(snapshot).to_pydict()
    if says is None:
        assert rows == {"name": ["ann"]}
        return
    assert rows == ROWS
    if says:
        assert any(says in note for note in snapshot.notes)
    else:
        assert snapshot.notes == ()
    if "csv" in snapshot.provenance["kind"]:
        found = snapshot.provenance["reader"]["csv"]
        assert found["delimiter"]
        assert found["encoding"]


def test_western_european_bytes_are_read_as_cp1252_and_said(extract, write):
    write("d/a.csv", "x,straße\n1,Zürich 5 €\n".encode("cp1252"))
    (snapshot,) = extract("{data}/d/a.csv").snapshots
    assert extract.table(snapshot).to_pydict() == {"x": [1], "straße": ["Zürich 5 €"]}
    assert any("cp1252" in note for note in snapshot.notes)
    assert snapshot.provenance["reader"]["csv"]["encoding"] == "cp1252"


def test_ragged_rows_within_the_tolerance_are_left_out_and_counted(extract, write):
    text = "x,y\n" + "1,2\n" * 200 + "1,2,3\n4\n" + "1,2\n" * 100
    write("d/a.csv", text)
    (snapshot,) = extract("{data}/d/a.csv").snapshots
    assert snapshot.span.rows == 300
    (note,) = snapshot.notes
    assert "2 rows with more or fewer than 2 fields are left out (row 202 has 3" in note
    (refusal,) = extract("{data}/d/a.csv", csv={"max_ragged": 0.001}).refused
    assert refusal.code == "SPAN-RAGGED"
    assert "2 of 302 rows differ" in refusal.message


def test_a_last_line_cut_off_is_refused_whatever_the_tolerance(extract, write):
    write("d/a.csv", "x,y\n" + "1,2\n" * 500 + "1")
    (refusal,) = extract("{data}/d/a.csv", csv={"max_ragged": 0.5}).refused
    assert refusal.code == "SPAN-TRUNCATED"


def test_a_nameless_last_column_that_holds_something_late_is_refused(extract, write):
    """Trailing delimiters in the sample, and a value far below it."""
    write("d/a.csv", "x,y,\n" + "1,2,\n" * 300_000 + "1,2,3\n" + "1,2,\n" * 10)
    (refusal,) = extract("{data}/d/a.csv").refused
    assert (refusal.code, "it holds '3'" in refusal.message) == ("SPAN-HEADER", True)


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("a.zip", zipped(**{"a.csv": PLAIN, "b.csv": PLAIN}), "SPAN-ARCHIVE", "2: a.csv, b.csv"),
        ("a.zip", zipped(), "SPAN-ARCHIVE", "it holds 0"),
        ("a.zip", zipped(**{"a.dat": PLAIN}), "SPAN-FORMAT", "'a.dat'"),
        ("a.csv.zip", zipped(**{"a.csv": PLAIN * 99})[:-40], "SPAN-TRUNCATED", "zip says"),
        ("a.csv.zip", PLAIN, "SPAN-MISMATCH", "zip"),
        ("a.csv.bz2", bz2.compress(PLAIN.encode() * 999)[:-12], "SPAN-TRUNCATED", "bzip2"),
        ("a.csv.zst", compressed(PLAIN * 999, "zstd")[:-12], "SPAN-TRUNCATED", "zstd"),
        ("a.csv.zst", PLAIN, "SPAN-MISMATCH", "not zstd"),
        ("a.jsonl", "{}\n", "SPAN-NO-ROWS", "no keys"),
        ("a.jsonl", '{"x": 1}\n[1]\n', "SPAN-JSON", "line 2 is a list"),
        ("a.jsonl", '{"x": 1}\n{"x": \n', "SPAN-JSON", "line 2 is no JSON"),
        ("a.jsonl", lines({"x": 1, "y": [1]}), "SPAN-COLUMN-TYPE", "'y' holds list"),
        ("a.feather", feather()[:-30], "SPAN-CORRUPT", "Arrow says"),
        ("a.xlsx", PLAIN, "SPAN-MISMATCH", "Excel"),
    ],
)
def test_what_is_no_such_file_is_refused_by_name(extract, write, name, content, code, says):
    write(f"d/{name}", content)
    (refusal,) = extract(f"{{data}}/d/{name}").refused
    assert refusal.code == code
    assert says in refusal.message


def test_an_archive_that_unpacks_without_end_is_refused(extract, write, monkeypatch):
    from everfit.steps.extract import packed

    monkeypatch.setattr(packed, "_SURE", 1 << 20)
    monkeypatch.setattr(packed, "MOST_TIMES", 100)
    write("d/a.csv.zip", zipped(**{"a.csv": "x\n" + "1\n" * (1 << 20)}))
    write("d/b.csv.bz2", bz2.compress(b"x\n" + b"1\n" * (1 << 20)))
    assert {r.code for r in extract("{data}/d/*").refused} == {"SPAN-TOO-LARGE"}


def test_json_lines_keep_their_types(extract, write):
    text = lines(
        {"n": 1, "f": 1, "b": True, "t": "2024-01-31", "s": "5", "m": 1},
        {"n": 2, "f": 2.5, "b": False, "t": "2024-02-01T10:00:00", "s": "x", "m": "one"},
        {"n": None, "f": None, "new": 3},
    )
    write("d/a.jsonl", text)
    (snapshot,) = extract("{data}/d/a.jsonl").snapshots
    assert snapshot.provenance["reader"]["types"] == {
        "n": "integer",
        "f": "float",
        "b": "boolean",
        "t": "timestamp",
        "s": "string",
        "m": "string",
        "new": "integer",
    }
    table = extract.table(snapshot).to_pydict()
    assert table["n"] == [1, 2, None]
    assert table["m"] == ["1", "one", None]
    assert table["new"] == [None, None, 3]


def test_dropped_columns_of_types_nobody_reads_are_not_read(extract, write):
    import pyarrow.parquet as pq

    out = io.BytesIO()
    table = pa.table(
        {
            "x": [1, 2],
            "tags": [["a"], []],
            "st": [{"a": 1}, None],
            "took": pa.array([1, 2], pa.duration("s")),
        }
    )
    pq.write_table(table, out)
    write("d/a.parquet", out.getvalue())
    from everfit.steps.extract.step import Extract

    request = extract.request("{data}/d/a.parquet")
    (refusal,) = Extract().run(request, extract.context).refused
    assert refusal.code == "SPAN-COLUMN-TYPE"
    assert "features.drop" in refusal.message
    request = request.model_copy(update={"dropped": ("tags", "st", "took")})
    result = Extract().run(request, extract.context)
    (snapshot,) = result.snapshots
    assert extract.table(snapshot).to_pydict() == {"x": [1, 2]}
    assert "tags" in snapshot.notes[0]
    one = extract("{data}/d/a.parquet", columns=["x"]).snapshots[0]
    assert extract.table(one).to_pydict() == {"x": [1, 2]}


def test_a_sheet_of_a_workbook_is_read_or_what_is_needed_is_said(extract, write):
    write("d/a.xlsx", zipped(**{"xl__workbook.xml": "<workbook/>"}))
    (refusal,) = extract("{data}/d/a.xlsx").refused
    try:
        import openpyxl
    except ImportError:
        assert refusal.code == "SPAN-FORMAT"
        assert "pip install openpyxl" in refusal.message
        return
    assert refusal.code == "SPAN-CORRUPT"
    book = openpyxl.Workbook()
    book.active.append(["no"])
    sheet = book.create_sheet("rows")
    for row in zip(*([name, *values] for name, values in ROWS.items()), strict=True):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    write("d/b.xlsx", out.getvalue())
    (snapshot,) = extract("{data}/d/b.xlsx", sheet="rows").snapshots
    assert extract.table(snapshot).to_pydict() == ROWS
    (refusal,) = extract("{data}/d/b.xlsx", sheet="row").refused
    assert refusal.code == "SPAN-SHEET"


TEXT = st.text(
    st.characters(codec="cp1252", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8
).filter(lambda text: text.strip() == text and text not in ("NA", "N/A", "nan", "NaN"))
NAME = st.from_regex(r"[a-z][a-z_]{0,7}", fullmatch=True)


@st.composite
def frames(draw):
    """A table of texts and whole numbers, and how it is written."""
    names = draw(st.lists(NAME, min_size=2, max_size=5, unique=True))
    rows = draw(st.integers(3, 12))
    columns = {"row": [*range(1, rows + 1)]}
    for name in names:
        if name in columns:
            continue
        values = st.integers(-999, 999) if draw(st.booleans()) else TEXT.map("t{}".format)
        columns[name] = draw(st.lists(values, min_size=rows, max_size=rows))
    dialect = {
        "delimiter": draw(st.sampled_from(",;\t|")),
        "quote": draw(st.sampled_from("\"'")),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "line": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        "header": draw(st.booleans()),
        "titles": draw(st.integers(0, 2)),
        "trailing": draw(st.booleans()),
        "sep": draw(st.booleans()),
        "index": draw(st.booleans()),
        "packed": draw(st.sampled_from(["", ".bz2", ".gz", ".zst", ".zip"])),
    }
    return columns, dialect


def written(columns, dialect):
    out = io.StringIO(newline="")
    if dialect["sep"]:
        out.write(f"sep={dialect['delimiter']}{dialect['line']}")
    out.write(f"a title{dialect['line']}" * dialect["titles"])
    writer = csv.writer(
        out,
        delimiter=dialect["delimiter"],
        quotechar=dialect["quote"],
        quoting=dialect["quoting"],
        lineterminator=dialect["line"],
    )
    index, last = dialect["index"], [""] * dialect["trailing"]
    if dialect["header"]:
        writer.writerow([*[""] * index, *columns, *last])
    for number, row in enumerate(zip(*columns.values(), strict=True)):
        writer.writerow([*[number] * index, *row, *last])
    data = out.getvalue().encode(dialect["encoding"], "replace")
    if dialect["packed"] == ".zip":
        return zipped(**{"inside.csv": data})
    codec = {"": None, ".bz2": "bz2", ".gz": "gzip", ".zst": "zstd"}[dialect["packed"]]
    sink = pa.BufferOutputStream()
    if codec is None:
        return data
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=frames())
def test_what_was_written_is_read_back_or_refused_by_name(extract, write, made):
    """Random tables in random dialects: the same values, never others, and no crash."""
    columns, dialect = made
    names = [*["index"] * dialect["index"], *columns]
    options = {"quote": dialect["quote"]}
    if not dialect["header"]:
        options |= {"names": names, "skip_rows": dialect["titles"] + dialect["sep"]}
        if dialect["sep"]:
            options |= {"delimiter": dialect["delimiter"]}
    path = write(f"h/a.csv{dialect['packed']}", written(columns, dialect))
    uri = f"{{data}}/h/{path.name}"
    result = extract(uri, csv=options)
    path.unlink()
    if result.refused:
        assert result.refused[0].code in ("SPAN-HEADER", "SPAN-RAGGED", "SPAN-ENCODING")
        return
    table = extract.table(result.snapshots[0]).to_pydict()
    table.pop("index", None)
    expected = {
        name: [
            value
            if isinstance(value, int)
            else value.encode(dialect["encoding"], "replace").decode(dialect["encoding"])
            for value in values
        ]
        for name, values in columns.items()
    }
    assert table == expected
