"""Objects in S3 (moto's server): listed, pinned and read; changes and refusals."""

from __future__ import annotations

import boto3
import pytest

from everfit.contracts.errors import CredentialsError, SourceError, Unavailable
from everfit.contracts.spec.source import read_source
from everfit.data.sources import list_spans

CSV = b"x,when\n1,2018-01-05 00:00:00\n"


@pytest.fixture(scope="module")
def server():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3")
    client.create_bucket(Bucket="data")
    client.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    for key in (
        "trips/2018-02.csv",
        "trips/2018-01.csv",
        "trips/_tmp/x.csv",
        "trips/a.csv.tmp",
        "trips/sub/2018-03.csv",
        "tripsy/2018-04.csv",
        "trips/notes.txt",
    ):
        client.put_object(
            Bucket="data", Key=key, Body=CSV.replace(b"1,", key[-6:-4].encode() + b",")
        )
    yield client
    versions = client.list_object_versions(Bucket="data")
    for item in (*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())):
        client.delete_object(Bucket="data", Key=item["Key"], VersionId=item["VersionId"])
    client.delete_bucket(Bucket="data")
    client.close()


def names(uri, settings, **more):
    return [ref.name for ref in list_spans(read_source(uri=uri, **more), settings).spans]


def test_objects_are_listed_like_files(s3, settings):
    assert names("s3://data/trips/*.csv", settings) == ["2018-01.csv", "2018-02.csv"]
    assert names("s3://data/trips", settings) == ["2018-01.csv", "2018-02.csv", "sub/2018-03.csv"]
    assert names("s3://data/trips/**/*.csv", settings, period="%Y-%m") == [
        "2018-01.csv",
        "2018-02.csv",
        "sub/2018-03.csv",
    ]
    assert names("s3://data/trips/2018-02.csv", settings) == ["2018-02.csv"]
    listing = list_spans(read_source(uri="s3://data/none/*.csv"), settings)
    assert not listing.spans
    assert "there is none at all" in listing.empty


def test_objects_become_snapshots_of_a_pinned_version(s3, extract):
    result = extract("s3://data/trips/*.csv", time="when")
    assert [s.span.rows for s in result.snapshots] == [1, 1]
    origin = result.snapshots[0].provenance
    head = s3.head_object(Bucket="data", Key="trips/2018-01.csv")
    assert origin["uri"] == "s3://data/trips/2018-01.csv"
    assert origin["version_id"] == head["VersionId"]
    assert origin["etag"] == head["ETag"].strip('"')
    assert result.snapshots[0].span.time_min == "2018-01-05T00:00:00"
    assert extract("s3://data/trips/*.csv", time="when") == result


def test_an_object_changed_since_it_was_listed_is_refused(s3, extract):
    source = read_source(uri="s3://data/trips/*.csv")
    spans = list_spans(source, extract.context.settings).spans
    s3.put_object(Bucket="data", Key="trips/2018-01.csv", Body=CSV + b"2,2018-01-06\n")
    s3.delete_object(Bucket="data", Key="trips/2018-02.csv")
    result = extract("s3://data/trips/*.csv", spans=spans)
    assert [(r.code, r.retry) for r in result.refused] == [
        ("SPAN-GROWING", True),
        ("SPAN-GONE", True),
    ]
    s3.put_object(Bucket="data", Key="trips/2018-01.csv", Body=CSV.replace(b"1,", b"9,"))
    assert [r.code for r in extract("s3://data/trips/*.csv", spans=spans).refused] == [
        "SPAN-CHANGED",
        "SPAN-GONE",
    ]
    assert not extract.context.ledger.spans("p")


def test_what_goes_wrong_has_a_name(s3, settings, monkeypatch):
    with pytest.raises(SourceError, match="SOURCE-MISSING"):
        names("s3://nosuchbucket/x", settings)
    with pytest.raises(SourceError, match="SOURCE-URI"):
        names("s3://No Bucket/x", settings)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="SOURCE-UNAVAILABLE"):
        names("s3://data/trips", settings)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(CredentialsError, match="SOURCE-CREDENTIALS"):
        names("s3://data/trips", settings)
