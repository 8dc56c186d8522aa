from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.data.sources.manifest import Entry, parse_manifest

SHA = "ab" * 32
names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30
).filter(lambda text: text.strip() == text)
entries = st.lists(
    st.builds(
        Entry,
        names,
        st.none() | st.integers(0, 10**15),
        st.none() | st.text("0123456789abcdef-", min_size=1, max_size=40),
        st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    ),
    max_size=8,
)


def objects(entries):
    return [
        {key: value for key, value in vars(entry).items() if value is not None} for entry in entries
    ]


@given(entries, st.sampled_from([None, "files", "entries"]))
def test_a_json_manifest_says_what_was_written(entries, key):
    value = objects(entries) if key is None else {key: objects(entries), "written": "today"}
    assert parse_manifest("m.json", json.dumps(value).encode()) == tuple(entries)


@given(entries)
def test_a_csv_manifest_says_what_was_written(entries):
    text = io.StringIO()
    writer = csv.DictWriter(text, ["name", "size", "etag", "sha256"])
    writer.writeheader()
    writer.writerows(objects(entries))
    assert parse_manifest("M.CSV", text.getvalue().encode()) == tuple(entries)


@given(st.lists(names.filter(lambda name: not name.startswith("#")), max_size=8))
def test_a_text_manifest_is_a_name_a_line(listed):
    text = "\n# a remark\n\n".join(listed)
    assert [entry.name for entry in parse_manifest("MANIFEST", text.encode())] == listed


@given(st.sampled_from(["m.json", "m.csv", "m.txt"]), st.binary(max_size=200))
def test_garbage_is_refused_in_words_without_its_content(name, data):
    try:
        found = parse_manifest(name, data)
    except ValueError as error:
        assert not isinstance(error, UnicodeDecodeError)
        assert str(error) and data.decode("latin-1").strip()[:20] not in (str(error), "x" * 99)
    else:
        assert all(entry.name.strip() for entry in found)


@given(entries.filter(bool), st.data())
def test_a_manifest_cut_short_is_none(entries, data):
    whole = json.dumps(objects(entries)).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ValueError, match=r"JSON|UTF-8"):
        parse_manifest("m.json", whole[:cut])


def test_redshifts_form_is_read():
    text = json.dumps(
        {"entries": [{"url": "s3://b/k.csv", "mandatory": True, "meta": {"content_length": 7}}]}
    )
    assert parse_manifest("m.json", text.encode()) == (Entry("s3://b/k.csv", 7),)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("m.json", "{}", "no list"),
        ("m.json", "3", "no list"),
        ("m.json", "[3]", "a file is a name"),
        ("m.json", '[{"size": 3}]', "has no name"),
        ("m.json", '[{"name": " "}]', "has no name"),
        ("m.json", '[{"name": "a", "size": -1}]', "number of bytes"),
        ("m.json", '[{"name": "a", "size": true}]', "number of bytes"),
        ("m.json", '[{"name": "a", "sha256": "abc"}]', "64 hexadecimal"),
        ("m.json", "[" * 100_000, "not JSON"),
        ("m.csv", "what\na.csv\n", "has no name"),
        ("m.csv", 'name\n"a.csv', "not CSV"),
    ],
)
def test_what_is_wrong_is_said(name, text, why):
    with pytest.raises(ValueError, match=why):
        parse_manifest(name, text.encode())
