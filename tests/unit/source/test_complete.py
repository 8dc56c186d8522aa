"""When a batch counts: by its marker, by its manifest, on disk; and what is said of the rest."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.spec.source import read_source
from everfit.data.sources import SpanRefused, list_spans, open_source
from everfit.data.sources.complete import Present, by_manifest, by_marker


def present(name, modified=10.0, size=3, etag=None):
    return Present(name, size, modified, etag)


@pytest.mark.parametrize(
    ("files", "markers", "ready"),
    [
        (["a.csv"], {}, []),
        (["a.csv"], {"": 10}, ["a.csv"]),
        (["a.csv"], {"": 9.9}, []),  # of the batch before
        (["d/a.csv"], {"d": 11}, ["d/a.csv"]),
        (["d/e/a.csv"], {"d": 11}, ["d/e/a.csv"]),  # partitions below one batch
        (["d/a.csv"], {"": 11}, []),  # the top speaks only for itself
        (["d/a.csv"], {"d": 9, "": 11}, []),
        (["d/e/a.csv"], {"d/e": 9, "d": 11}, ["d/e/a.csv"]),
        (["d/a.csv", "e/a.csv"], {"d": 11}, ["d/a.csv"]),
    ],
)
def test_a_file_counts_under_a_marker_that_is_not_older(files, markers, ready):
    judged = by_marker("_SUCCESS", [present(name) for name in files], markers)
    assert sorted(judged.ready) == ready
    assert bool(judged.notes) == (len(ready) < len(files))


def test_what_a_manifest_names_and_is_as_stated_counts():
    manifest = json.dumps(
        [
            "named.csv",
            {"name": "sized.csv", "size": 3},
            {"name": "cut.csv", "size": 4},
            {"name": "etag.csv", "etag": '"e1"'},
            {"name": "other.csv", "etag": "e1"},
            {"name": "missing.csv"},
            {"name": "../outside.csv"},
            {"url": "s3://b/p/whole.csv"},
            {"url": "s3://elsewhere/p/far.csv"},
        ]
    )
    files = [
        present("day/named.csv"),
        present("day/sized.csv"),
        present("day/cut.csv"),
        present("day/etag.csv", etag="e1"),
        present("day/other.csv", etag="e2"),
        present("whole.csv"),
        present("unnamed.csv"),
        present("outside.csv"),
    ]
    judged = by_manifest(files, [("day/m.json", manifest.encode())], "s3://b/p/")
    # A manifest may name files beside its folder; only out of the source it may not.
    assert sorted(judged.ready) == [
        "day/etag.csv",
        "day/named.csv",
        "day/sized.csv",
        "outside.csv",
        "whole.csv",
    ]
    notes = " | ".join(judged.notes)
    assert "day/missing.csv" in notes and "outside of the source" in notes
    assert "day/cut.csv is left out: 3 bytes are there, 4 are stated by day/m.json" in notes
    assert "day/other.csv is left out: its etag" in notes and "unnamed.csv" in notes


paths = st.lists(st.sampled_from(["a", "b", "..", ".", "c.csv"]), min_size=1, max_size=6)


@given(paths, paths)
def test_no_manifest_reaches_out_of_its_source(folder, written):
    manifest = "/".join([*(part for part in folder if part not in ("..", ".")), "m.json"])
    there = ["c.csv", "a/c.csv", "b/c.csv", "a/b/c.csv"]
    judged = by_manifest(
        [present(name) for name in there], [(manifest, json.dumps(["/".join(written)]).encode())]
    )
    expected = os.path.normpath("/".join(["/src", manifest, "..", *written]))
    inside = expected.removeprefix("/src/")
    assert list(judged.ready) == ([inside] if inside in there else [])


def test_one_broken_manifest_holds_up_no_other():
    judged = by_manifest(
        [present("a.csv"), present("b.csv")],
        [("1.json", b'["a.csv"]'), ("2.json", b'["b.cs')],
    )
    assert list(judged.ready) == ["a.csv"]
    assert any("2.json is no manifest: it is not JSON, or not whole yet" in n for n in judged.notes)


def source(tmp_path, **fields):
    return read_source(uri=str(tmp_path / "data"), **fields)


def names(spec, settings):
    return [ref.name for ref in list_spans(spec, settings).spans]


def test_a_batch_on_disk_waits_for_its_marker(tmp_path, settings):
    spec = source(tmp_path, complete={"marker": "_SUCCESS"})
    batch = tmp_path / "data" / "2020-01"
    batch.mkdir(parents=True)
    (batch / "a.csv").write_text("x\n1\n")
    listing = list_spans(spec, settings)
    assert listing.spans == () and "_SUCCESS" in listing.empty
    (batch / "b.csv").write_text("x\n1\n")
    (batch / "_SUCCESS").touch()
    assert names(spec, settings) == ["2020-01/a.csv", "2020-01/b.csv"]
    for path in batch.iterdir():
        os.utime(path, (1000, 1000))
    (batch / "c.csv").write_text("x\n1\n")  # a new batch into the same folder
    assert names(spec, settings) == ["2020-01/a.csv", "2020-01/b.csv"]
    (batch / "_SUCCESS").touch()
    assert names(spec, settings) == ["2020-01/a.csv", "2020-01/b.csv", "2020-01/c.csv"]


def test_a_manifest_on_disk_names_what_counts_and_is_no_span(tmp_path, settings):
    spec = source(tmp_path, complete={"manifest": "*.manifest.csv"})
    data = tmp_path / "data"

    (data / "a.csv").write_text("x\n1\n")
    (data / "b.csv").write_text("x\n1\n")
    assert "no manifest names them yet: a.csv, b.csv" in list_spans(spec, settings).empty
    (data / "1.manifest.csv").write_text("name,size\na.csv,4\nb.csv,5\n")
    assert names(spec, settings) == ["a.csv"]


def test_bytes_that_differ_from_the_stated_digest_are_refused(tmp_path, settings):
    spec = source(tmp_path, complete={"manifest": "m.json"})
    data = tmp_path / "data"

    for name, text in (("good.csv", "x\n1\n"), ("bad.csv", "x\n2\n")):
        (data / name).write_text(text)
    stated = hashlib.sha256(b"x\n1\n").hexdigest()
    (data / "m.json").write_text(
        json.dumps([{"name": "good.csv", "sha256": stated}, {"name": "bad.csv", "sha256": stated}])
    )
    bad, good = list_spans(spec, settings).spans
    opened = open_source(spec, settings)
    opened.fetch(good, tmp_path, lambda share: None).recheck()
    with pytest.raises(SpanRefused, match=r"SPAN-GROWING bad.csv.*states sha256") as refused:
        opened.fetch(bad, tmp_path, lambda share: None)
    assert refused.value.refusal().retry


def test_a_manifest_behind_a_link_out_of_the_source_is_not_read(tmp_path, settings):
    spec = source(tmp_path, complete={"manifest": "*.json"})

    (tmp_path / "data" / "a.csv").write_text("x\n1\n")
    (tmp_path / "elsewhere.json").write_text('["a.csv"]')
    (tmp_path / "data" / "m.json").symlink_to(tmp_path / "elsewhere.json")
    assert names(spec, settings) == []


@pytest.mark.parametrize(
    "fields",
    [
        {
            "uri": "sql",
            "connection": "db",
            "query": "q",
            "watermark": "t",
            "complete": {"marker": "_SUCCESS"},
        },
        {"uri": "https://host/a.csv", "complete": {"marker": "_SUCCESS"}},
        {"uri": "/data", "complete": {}},
        {"uri": "/data", "complete": {"marker": "_SUCCESS", "manifest": "m.json"}},
        {"uri": "/data", "complete": {"marker": "a/b"}},
        {"uri": "/data", "complete": {"manifest": "../m.json"}},
        {"uri": "/data", "queue": "https://sqs.us-east-1.amazonaws.com/1/q"},
        {"uri": "s3://b", "queue": "https://user:secret@sqs.us-east-1.amazonaws.com/1/q"},
    ],
)
def test_what_cannot_be_is_refused(fields):
    with pytest.raises(ValueError):
        read_source(**fields)
