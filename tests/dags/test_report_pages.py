from __future__ import annotations

import hashlib
import json

import pytest

from everfit.contracts.messages.monitoring import SCRIPTED_PAGE
from everfit_airflow.ui import report_pages
from everfit_airflow.ui.readers import Readers
from everfit_airflow.ui.report_pages import ReportPages, build_app, read_report, report_address
from everfit_airflow.ui.store_pages import readable

PAGE = b"<!doctype html><title>decision</title>"


@pytest.fixture
def store(tmp_path):
    def put(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = tmp_path / "store" / "blobs" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return digest

    put.url = f"file://{tmp_path / 'store'}"
    put.folder = tmp_path / "store"
    return put


def test_a_page_is_read_by_its_digest(store):
    assert read_report(store.url, store(PAGE)) == PAGE


def test_altered_bytes_are_not_shown(store):
    digest = store(PAGE)
    (store.folder / "blobs" / digest[:2] / digest).write_bytes(PAGE + b"<script>")
    assert read_report(store.url, digest) is None


@pytest.mark.parametrize(
    "digest",
    ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "a/" * 32, "a" * 64],
)
def test_what_is_no_digest_or_not_there_names_nothing(store, digest):
    assert read_report(store.url, digest) is None


def test_a_store_also_holds_data_which_is_no_page(store):
    assert read_report(store.url, store(b"PAR1 rows of people")) is None


@pytest.fixture
def in_s3(bucket):
    """Gives a function that puts bytes into a store in a bucket, as the components do."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id=None).get_conn()

    def put(data: bytes, digest: str = "") -> str:
        digest = digest or hashlib.sha256(data).hexdigest()
        client.put_object(Bucket=bucket, Key=f"every/fit/blobs/{digest[:2]}/{digest}", Body=data)
        return digest

    put.url = f"s3://{bucket}/every/fit"
    return put


def test_a_page_is_read_from_a_bucket(in_s3):
    assert read_report(in_s3.url, in_s3(PAGE)) == PAGE
    assert read_report(in_s3.url + "/", in_s3(PAGE)) == PAGE


def test_what_is_in_a_bucket_is_held_against_its_digest(in_s3):
    digest = in_s3(PAGE)
    in_s3(PAGE + b"<script>", digest)
    assert read_report(in_s3.url, digest) is None
    assert read_report(in_s3.url, "a" * 64) is None
    assert read_report(in_s3.url, in_s3(b"PAR1 rows of people")) is None


def test_no_more_is_read_from_a_bucket_than_a_page_may_have(in_s3, monkeypatch):
    monkeypatch.setattr(report_pages, "MOST_BYTES", len(PAGE))
    assert read_report(in_s3.url, in_s3(PAGE)) == PAGE
    assert read_report(in_s3.url, in_s3(PAGE + b" ")) is None


def test_the_connection_that_the_installation_names_reads_the_bucket(
    in_s3, monkeypatch, tmp_path, s3_endpoint
):
    digest = in_s3(PAGE)
    runners = tmp_path / "runners.yaml"
    runners.write_text("connections: {aws: lake}\n")
    monkeypatch.setenv("EVERFIT_RUNNERS", str(runners))
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    lake = {"conn_type": "aws", "login": "tester", "password": "s3cret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(lake))
    assert read_report(in_s3.url, digest) == PAGE


def test_a_bucket_that_does_not_answer_is_a_line_without_its_text(bucket, monkeypatch, caplog):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://canary:canary-pass@127.0.0.1:9")
    assert read_report(f"s3://{bucket}", "a" * 64) is None
    assert "A report could not be read from the store's bucket" in caplog.text
    assert "canary" not in caplog.text


def test_of_other_stores_nothing_is_read(store):
    assert read_report("memory://here", store(PAGE)) is None
    assert not readable("memory://here")
    assert readable(store.url)
    assert readable("s3://bucket")


def test_the_address_is_below_airflows_own(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://host/airflow/")
    assert report_address("ab") == "/airflow/everfit/report/ab"
    monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    assert report_address("ab") == "/everfit/report/ab"


@pytest.fixture
def client(store, monkeypatch):
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi.testclient import TestClient

    monkeypatch.setenv("EVERFIT_STORE", store.url)
    monkeypatch.setattr(Readers, "may_read", lambda self, user, digest: True)
    app = build_app()
    app.dependency_overrides[get_user] = lambda: "somebody"
    return TestClient(app)


def test_only_a_page_that_draws_itself_runs_its_scripts_and_loads_nothing(store, client):
    page = SCRIPTED_PAGE + b"<html><body><script>1</script></body></html>"
    reply = client.get(f"/report/{store(page)}")
    assert reply.content == page
    policy = reply.headers["content-security-policy"]
    assert policy.startswith(
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'"
    )
    assert "allow-same-origin" not in policy
    assert not {"connect-src", "http:", "https:", "*"} & set(policy.replace(";", " ").split())


def test_a_report_runs_no_script_and_loads_nothing(store, client):
    reply = client.get(f"/report/{store(PAGE)}")
    assert reply.status_code == 200
    assert reply.content == PAGE
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-same-origin allow-popups")
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_an_unknown_report_is_not_found(client):
    assert client.get("/report/" + "0" * 64).status_code == 404
    assert client.get("/report/..%2f..%2fetc%2fpasswd").status_code == 404


def test_the_words_are_explained(client):
    assert "<dt>champion</dt>" in client.get("/glossary").text


def test_nobody_reaches_a_report_without_a_login(store, monkeypatch):
    from fastapi.testclient import TestClient

    monkeypatch.setenv("EVERFIT_STORE", store.url)
    client = TestClient(build_app())
    assert client.get(f"/report/{store(PAGE)}").status_code == 401
    assert client.get("/glossary").status_code == 401


def test_the_web_framework_is_loaded_with_the_first_request(monkeypatch):
    built = []
    monkeypatch.setattr(report_pages, "build_app", lambda: built.append(1))
    ReportPages()
    assert built == []
