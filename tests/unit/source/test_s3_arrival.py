"""Arrival in S3: markers, manifests, and reads of the version that was listed."""

from __future__ import annotations

import hashlib
import json

import pytest

from everfit.contracts.spec.source import read_source
from everfit.data.sources import SpanRefused, list_spans, open_source
from everfit.data.sources.s3 import S3Source


@pytest.fixture
def s3(bucket):
    import boto3

    client = boto3.client("s3")
    yield client
    client.close()


def put(s3, bucket, key, body=b"x\n1\n"):
    return s3.put_object(Bucket=bucket, Key=key, Body=body)


def names(spec, settings):
    return [ref.name for ref in list_spans(spec, settings).spans]


def test_objects_wait_for_their_marker(s3, bucket, settings):
    spec = read_source(uri=f"s3://{bucket}/in/*/*.csv", complete={"marker": "_SUCCESS"})
    put(s3, bucket, "in/1/a.csv")
    put(s3, bucket, "in/2/a.csv")
    assert names(spec, settings) == []
    assert "_SUCCESS" in list_spans(spec, settings).notes[0]
    put(s3, bucket, "in/1/_SUCCESS", b"")
    assert names(spec, settings) == ["1/a.csv"]


def test_objects_count_as_their_manifest_states_them(s3, bucket, settings, tmp_path):
    spec = read_source(uri=f"s3://{bucket}/in", complete={"manifest": "_manifests/*.json"})
    etag = put(s3, bucket, "in/a.csv")["ETag"]
    put(s3, bucket, "in/b.csv")
    put(s3, bucket, "in/c.csv")
    manifest = [
        {"key": "../a.csv", "etag": etag, "sha256": hashlib.sha256(b"x\n1\n").hexdigest()},
        {"url": f"s3://{bucket}/in/b.csv", "sha256": "0" * 64},
        {"key": "../c.csv", "size": 5},
    ]
    put(s3, bucket, "in/_manifests/1.json", json.dumps(manifest).encode())
    a, b = list_spans(spec, settings).spans
    assert (a.name, b.name) == ("a.csv", "b.csv")
    opened = open_source(spec, settings)
    assert opened.fetch(a, tmp_path, lambda share: None).path.read_bytes() == b"x\n1\n"
    with pytest.raises(SpanRefused, match=r"SPAN-GROWING b.csv"):
        opened.fetch(b, tmp_path, lambda share: None)
    put(s3, bucket, "in/_manifests/2.json", b'["../c.csv"]')
    assert names(spec, settings) == ["a.csv", "b.csv", "c.csv"]


def test_a_read_is_of_the_version_that_was_listed(s3, bucket, settings, tmp_path):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    spec = read_source(uri=f"s3://{bucket}/in")
    version = put(s3, bucket, "in/a.csv", b"x\n1\n")["VersionId"]
    (ref,) = list_spans(spec, settings).spans
    fetched = open_source(spec, settings).fetch(ref, tmp_path, lambda share: None)
    assert fetched.origin["version_id"] == version
    put(s3, bucket, "in/a.csv", b"x\n2\n")
    with pytest.raises(SpanRefused, match="SPAN-CHANGED"):
        open_source(spec, settings).fetch(ref, tmp_path, lambda share: None)
    # The same bytes again are the same span: the newest version of them is read.
    again = put(s3, bucket, "in/a.csv", b"x\n1\n")["VersionId"]
    fetched = open_source(spec, settings).fetch(ref, tmp_path, lambda share: None)
    assert fetched.origin["version_id"] == again != version
    assert fetched.path.read_bytes() == b"x\n1\n"


def test_an_object_overwritten_between_the_look_and_the_read_is_refused(
    s3, bucket, settings, tmp_path, monkeypatch
):
    spec = read_source(uri=f"s3://{bucket}/in")
    put(s3, bucket, "in/a.csv", b"x\n1\n")
    (ref,) = list_spans(spec, settings).spans
    source = S3Source(spec, settings)
    head = source._client.head_object

    def overwritten(**asked):
        found = head(**asked)
        put(s3, bucket, "in/a.csv", b"x\n2\n")
        return found

    monkeypatch.setattr(source._client, "head_object", overwritten)
    with pytest.raises(SpanRefused, match="SPAN-CHANGED"):
        source.fetch(ref, tmp_path, lambda share: None)
