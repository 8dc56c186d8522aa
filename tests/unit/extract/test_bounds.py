"""Small files that unpack to more than a machine holds, and garbage, are refused in a line."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from everfit.steps.extract import formats, parquet_read

MANY = 20_000


def long_text_for_every_row(length: int) -> bytes:
    """A table whose rows all hold one text, which the file holds once."""
    one = pa.DictionaryArray.from_arrays(pa.array([0] * MANY, pa.int32()), ["x" * length])
    sink = io.BytesIO()
    table = pa.table({"a": range(MANY), "s": one})
    pq.write_table(table, sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def test_a_dictionary_that_stands_for_too_much_is_refused_before_it_is_unpacked(extract, write):
    content = long_text_for_every_row(1 << 20)
    assert len(content) < 1 << 20
    write("d/a.parquet", content)
    (refusal,) = extract("{data}/d/*").refused
    assert refusal.code == "SPAN-TOO-LARGE"
    assert "20,000 rows of the column 's'" in refusal.message
    assert not refusal.retry


def test_texts_of_a_dictionary_are_the_same_whichever_way_they_are_read(
    extract, write, monkeypatch
):
    names = [None, "", "é" * 50_000, "b" * 300_000]
    column = pa.array([names[i % 4] for i in range(400)])
    sink = io.BytesIO()
    pq.write_table(pa.table({"s": column, "n": range(400)}), sink)
    write("d/a.parquet", sink.getvalue())
    suspected = parquet_read.ParquetSpan._suspect
    asked = []
    monkeypatch.setattr(
        parquet_read.ParquetSpan, "_suspect", lambda span: asked.append(suspected(span)) or asked[0]
    )
    (snapshot,) = extract("{data}/d/*").snapshots
    assert asked[0] == ["s"]
    assert extract.table(snapshot)["s"].to_pylist() == column.to_pylist()


def test_a_line_of_json_without_end_is_refused(extract, write, monkeypatch):
    monkeypatch.setattr(formats, "MOST_LINE", 1 << 20)
    write("d/a.jsonl.gz", gzip.compress(b'{"x": 1}\n{"x": "' + b"y" * (2 << 20) + b'"}\n'))
    (refusal,) = extract("{data}/d/*").refused
    assert refusal.code == "SPAN-TOO-LARGE"
    assert "line 2" in refusal.message


def test_many_long_lines_are_taken_a_few_at_a_time_and_are_all_there(extract, write, monkeypatch):
    monkeypatch.setattr(formats, "MOST_LINE", 1 << 16)
    texts = [str(i % 10) * 30_000 for i in range(12)]
    write("d/a.jsonl", "".join(f'{{"x": {i}, "s": "{text}"}}\n' for i, text in enumerate(texts)))
    (snapshot,) = extract("{data}/d/*").snapshots
    assert extract.table(snapshot)["s"].to_pylist() == texts


def test_a_workbook_that_unpacks_without_end_is_refused(extract, write, monkeypatch):
    monkeypatch.setattr(formats, "MOST_WORKBOOK", 1 << 20)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(2 << 20))
    write("d/a.xlsx", sink.getvalue())
    (refusal,) = extract("{data}/d/a.xlsx").refused
    assert refusal.code == "SPAN-TOO-LARGE"
    assert "a workbook" in refusal.message


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "a/../../../b.csv"])
def test_names_in_an_archive_lead_nowhere(extract, write, settings, name):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, "x\n1\n2\n")
    write("d/a.zip", sink.getvalue())
    before = set(settings.root.rglob("*.csv"))
    (snapshot,) = extract("{data}/d/a.zip").snapshots
    assert snapshot.span.rows == 2
    assert set(settings.root.rglob("*.csv")) == before


def test_an_archive_in_an_archive_is_refused(extract, write):
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("a.zip", inner.getvalue())
    write("d/a.zip", outer.getvalue())
    (refusal,) = extract("{data}/d/a.zip").refused
    assert refusal.code == "SPAN-FORMAT"


FUZZ = """
import random, resource, sys
from collections import Counter
from pathlib import Path
from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.source import read_source
from everfit.data.sources.refused import SpanRefused
from everfit.steps.extract.formats import open_span
from everfit.steps.extract.inspect_bytes import look
from everfit.steps.extract.snapshot import convert_file

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
folder, seed, tries = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
good = [path.read_bytes() for path in sorted(folder.glob("good-*"))]
source = read_source(uri="a.parquet")
ref = SpanRef(name="a.parquet", fingerprint="x", location="a.parquet")
request = ExtractRequest(pipeline="p", source=source, curated=None, time=None, spans=(ref,))
rng, path, ends = random.Random(seed), folder / "a.parquet", Counter()
for _ in range(tries):
    data = bytearray(rng.choice(good))
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        near_the_end = max(0, len(data) - 1 - rng.randrange(1500))
        at = rng.randrange(len(data)) if rng.random() < 0.4 else near_the_end
        kind = rng.random()
        if kind < 0.8:
            data[at] = rng.randrange(256)
        elif kind < 0.9:
            del data[at : at + rng.randrange(1, 50)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
    path.write_bytes(data)
    try:
        looked = look(path, ref, source, folder)
        span = open_span(looked, ref, source, folder)
        convert_file(
            span, ref, looked, request, target=folder / "out", progress=lambda share: None
        )
        ends["read"] += 1
    except SpanRefused as refusal:
        assert not refusal.retry and "\\n" not in refusal.line, refusal
        ends[refusal.code] += 1
print(dict(ends))
"""


@pytest.mark.parametrize("seed", range(3))
def test_no_damage_to_parquet_ends_otherwise_than_in_a_refusal(tmp_path: Path, seed: int):
    rows = 300
    table = pa.table(
        {
            "x": range(rows),
            "s": pa.array([f"v{i % 7}" for i in range(rows)]).dictionary_encode(),
            "f": [i / 3 for i in range(rows)],
            "b": [i % 2 == 0 for i in range(rows)],
            "t": pa.array([i * 10**6 for i in range(rows)], pa.timestamp("us")),
        }
    )
    for packing in ("snappy", "zstd", "gzip", "none"):
        pq.write_table(table, tmp_path / f"good-{packing}", compression=packing, row_group_size=100)
    tries = 200
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(tmp_path), str(seed), str(tries)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "SPAN-CORRUPT" in done.stdout
