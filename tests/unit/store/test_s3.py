"""S3's own troubles: large files, lost replies, broken bodies, refusals."""

from __future__ import annotations

import io
import os
import signal
import socket
from multiprocessing import get_context
from pathlib import Path

import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError

from everfit.contracts.errors import (
    CredentialsError,
    EverfitError,
    IntegrityError,
    Unavailable,
    UserError,
)
from everfit.storage.store import open_store, s3

LARGE = bytes(range(256)) * (23 << 12)  # 23 MiB: two parts


@pytest.fixture
def store(bucket, monkeypatch):
    monkeypatch.setattr(s3.time, "sleep", lambda seconds: None)
    return open_store(f"s3://{bucket}/prefix")


def lose_replies(store, operation: str, times: int = 1, before=lambda: None) -> list[str]:
    """Let requests reach the server and drop its answer; the list tells what was answered."""
    lost: list[str] = []

    def drop(request, **_):
        if len(lost) == times:
            return None
        before()
        answer = store._client._endpoint.http_session.send(request)
        lost.append(str(answer.status_code))
        raise ConnectionClosedError(endpoint_url=request.url)

    store._client.meta.events.register(f"before-send.s3.{operation}", drop)
    return lost


def unfinished(store) -> list[object]:
    answer = store._client.list_multipart_uploads(Bucket=store._bucket)
    return answer.get("Uploads", [])


def test_a_kill_between_any_two_requests_leaves_the_key_absent_or_whole(store, monkeypatch):
    monkeypatch.setattr(s3, "PART_BYTES", 5 << 20)  # the least S3 takes
    data, whole, sent = LARGE[: 6 << 20], [], 0
    killed = True
    while killed:
        sent += 1
        key = f"kill-{sent}"

        def doomed(key: str = key, point: int = sent) -> None:
            mine, seen = open_store(store.url), []

            def count(**_: object) -> None:
                seen.append(0)
                if len(seen) == point:
                    os.kill(os.getpid(), signal.SIGKILL)

            mine._client.meta.events.register("before-send.s3", count)
            mine.create(key, data)

        child = get_context("fork").Process(target=doomed)
        child.start()
        child.join(60)
        killed = child.exitcode == -signal.SIGKILL
        assert killed or child.exitcode == 0
        whole.append(store.exists(key))
        assert store.create(key, data) is killed
        assert store.read(key) == data
    assert whole == [False] * 5 + [True]  # head, start, two parts, finish


def test_an_empty_prefix_is_the_bucket_itself(bucket):
    store = open_store(f"s3://{bucket}")
    store.create("a/b", b"x")
    assert list(store.keys("")) == ["a/b"]
    assert store._client.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"] == "a/b"


def test_a_large_file_is_sent_in_parts_and_never_over_another(store, tmp_path):
    file = tmp_path / "large"
    file.write_bytes(LARGE)
    artifact = store.put("large", file)
    assert store.local(artifact.digest, tmp_path).read_bytes() == LARGE
    (key,) = store.keys("blobs/")
    assert store._client.head_object(**store._place(key))["ETag"].endswith('-2"')
    assert store.put("large", file) == artifact
    assert unfinished(store) == []


def test_a_large_file_loses_to_one_that_was_finished_meanwhile(store, monkeypatch):
    monkeypatch.setattr(store, "renew", lambda key: False)  # looked before there was anything
    store.create("k", b"first")
    assert store.create("k", LARGE) is False
    assert store.read("k") == b"first"
    assert unfinished(store) == []


@pytest.mark.parametrize(
    ("operation", "data"),
    [("PutObject", b"mine"), ("CompleteMultipartUpload", LARGE), ("UploadPart", LARGE)],
)
def test_a_lost_reply_is_not_taken_for_a_lost_race(store, operation, data):
    lost = lose_replies(store, operation)
    assert store.create("k", data) is True
    assert lost == ["200"]
    assert store.read("k") == data
    assert unfinished(store) == []


def test_a_reply_lost_after_a_race_was_lost_stays_a_lost_race(store):
    store.create("k", b"same bytes")
    lost = lose_replies(store, "PutObject")
    assert store.create("k", b"same bytes") is False
    assert lost == ["412"]


def test_replies_that_stay_lost_are_unavailable_and_the_next_run_finds_the_key(store):
    lose_replies(store, "PutObject", times=99)
    with pytest.raises(Unavailable, match="STORE-UNAVAILABLE s3://"):
        store.create("k", b"mine")
    assert store.exists("k")


def test_a_body_that_breaks_off_is_read_again(store, tmp_path):
    artifact = store.put("x", b"0123456789" * 100)
    broken: list[int] = []

    def cut(request, **_):
        if len(broken) % 2:
            broken.append(0)
            return None
        broken.append(1)
        answer = store._client._endpoint.http_session.send(request)
        half = io.BytesIO(answer.raw.read()[:500])
        return AWSResponse(request.url, answer.status_code, answer.headers, half)

    store._client.meta.events.register("before-send.s3.GetObject", cut)
    assert store.get(artifact.digest) == b"0123456789" * 100
    assert store.local(artifact.digest, tmp_path).read_bytes() == b"0123456789" * 100
    assert sum(broken) == 2
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("checksums", [True, False])
def test_bytes_that_rot_on_the_server_are_refused(store, checksums):
    """Whether the server has checksums for boto3 to verify or not."""
    store.create("k", b"0123456789")
    answers: list[AWSResponse] = []

    def rot(request, **_):
        answer = store._client._endpoint.http_session.send(request)
        altered = io.BytesIO(answer.raw.read().replace(b"5", b"6"))
        headers = {
            name: value
            for name, value in answer.headers.items()
            if checksums or not name.lower().startswith("x-amz-checksum")
        }
        answers.append(AWSResponse(request.url, answer.status_code, HeadersDict(headers), altered))
        return answers[-1]

    store._client.meta.events.register("before-send.s3.GetObject", rot)
    with pytest.raises(IntegrityError, match="STORE-ALTERED"):
        store.read("k")
    assert len(answers) == (s3.ATTEMPTS if checksums else 1)


def failure(url: str, act) -> EverfitError:
    with pytest.raises(EverfitError) as caught:
        act(open_store(url))
    for secret in ("s3cret", "tester"):
        assert secret not in caught.value.line
    assert caught.value.__suppress_context__
    return caught.value


ACTS = [
    lambda store: store.read("k"),
    lambda store: store.exists("k"),
    lambda store: list(store.keys("")),
    lambda store: store.create("k", b"x"),
    lambda store: store.fetch("k", Path("/nowhere")),
]


@pytest.mark.parametrize("act", ACTS)
def test_no_credentials(act, bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure(f"s3://{bucket}", act)
    assert (type(error), error.code, error.exit_code) == (CredentialsError, "STORE-CREDENTIALS", 2)
    assert "AWS_ACCESS_KEY_ID" in error.line


def test_an_unknown_profile(s3_environment, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    error = failure("s3://bucket", ACTS[0])
    assert (type(error), error.code) == (CredentialsError, "STORE-CREDENTIALS")


@pytest.mark.parametrize("act", [ACTS[0], *ACTS[2:]])
def test_no_bucket(act, s3_environment):
    error = failure("s3://nowhere-at-all/prefix", act)
    assert (type(error), error.code, error.exit_code) == (UserError, "STORE-BUCKET", 2)


@pytest.mark.parametrize("act", ACTS)
def test_no_server(act, s3_environment, monkeypatch):
    monkeypatch.setattr(s3, "ATTEMPTS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound, not listening: refused at once
        endpoint = f"http://tester:s3cret@127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        error = failure("s3://bucket", act)
    assert (type(error), error.code, error.exit_code) == (Unavailable, "STORE-UNAVAILABLE", 75)


@pytest.mark.parametrize(
    ("status", "code", "kind", "expected"),
    [
        (403, "SignatureDoesNotMatch", CredentialsError, "STORE-CREDENTIALS"),
        (403, "AccessDenied", CredentialsError, "STORE-CREDENTIALS"),
        (501, "NotImplemented", UserError, "STORE-CONDITIONAL"),
        (409, "ConditionalRequestConflict", Unavailable, "STORE-UNAVAILABLE"),
        (400, "SomethingNew", Unavailable, "STORE-UNAVAILABLE"),
    ],
)
def test_refusals(store, status, code, kind, expected):
    body = f"<Error><Code>{code}</Code><Message>key tester</Message></Error>".encode()

    class Raw(io.BytesIO):
        def stream(self, **_):
            yield self.read()

    store._client.meta.events.register(
        "before-send.s3.PutObject",
        lambda request, **_: AWSResponse(request.url, status, {}, Raw(body)),
    )
    with pytest.raises(kind, match=f"{expected} .*{code}") as caught:
        store.create("k", b"x")
    assert "tester" not in caught.value.line


def test_a_write_that_met_another_unfinished_one_is_tried_again(store):
    answers: list[int] = []

    class Raw(io.BytesIO):
        def stream(self, **_):
            yield self.read()

    def conflict(request, **_):
        if answers:
            return None
        answers.append(409)
        body = b"<Error><Code>ConditionalRequestConflict</Code></Error>"
        return AWSResponse(request.url, 409, {}, Raw(body))

    store._client.meta.events.register("before-send.s3.PutObject", conflict)
    assert store.create("k", b"x") is True
    assert answers == [409]
