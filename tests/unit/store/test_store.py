"""One battery for every kind of store."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.contracts.errors import IntegrityError, RequestError
from everfit.storage.store import blob_key, digest_file, open_store, result_key
from everfit.storage.store.memory import MemoryStore

KEY = result_key("train", "a" * 64)
# sha-256 of "abc", from FIPS 180-2, appendix B.1
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def alter(store, key: str, data: bytes) -> None:
    """Change stored bytes behind the store's back."""
    if store.url.startswith("file:"):
        path = store.root / key
        path.unlink()
        path.write_bytes(data)
    elif store.url.startswith("s3:"):
        store._client.put_object(**store._place(key), Body=data)
    else:
        store._data[key] = data


def test_what_was_created_is_read(store):
    assert store.read(KEY) is None
    assert not store.exists(KEY)
    assert store.create(KEY, b"first") is True
    assert store.exists(KEY)
    assert store.read(KEY) == b"first"


def test_nothing_is_overwritten(store):
    store.create(KEY, b"first")
    assert store.create(KEY, b"second") is False
    assert store.create(KEY, b"first") is False
    assert store.read(KEY) == b"first"


def test_a_projection_alone_is_replaced(store):
    for data in (b"first", b"second", b"second"):
        store.replace("boards/fares.json", data)
        assert store.read("boards/fares.json") == data
    assert list(store.keys("")) == ["boards/fares.json"]
    store.create(KEY, b"first")
    for key in (KEY, blob_key(ABC), "deployment.json", "boards/../results/x"):
        with pytest.raises(RequestError, match="STORE-KEY"):
            store.replace(key, b"second")
    assert store.read(KEY) == b"first"


def test_one_of_sixteen_racers_wins(url):
    start = threading.Barrier(16)

    def racer(number: int) -> bool:
        store = open_store(url)
        start.wait(60)
        return store.create(KEY, b"%d" % number * 1000)

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(racer, range(16)))
    assert won.count(True) == 1
    assert open_store(url).read(KEY) == b"%d" % won.index(True) * 1000


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 5000])
def test_bytes_and_files_are_filed_under_their_digest(store, tmp_path, data):
    file = tmp_path / "data"
    file.write_bytes(data)
    artifact = store.put("data.bin", data)
    assert artifact.digest == hashlib.sha256(data).hexdigest() == digest_file(file)
    assert (artifact.name, artifact.size) == ("data.bin", len(data))
    assert store.put("data.bin", file) == artifact
    assert store.get(artifact.digest) == data
    assert file.read_bytes() == data
    assert store.local(artifact.digest, tmp_path).read_bytes() == data


def test_a_digest_is_sha_256(store):
    assert store.put("abc", b"abc").digest == ABC
    assert blob_key(ABC) == f"blobs/ba/{ABC}"


def test_keys_are_listed_by_prefix_in_order(store):
    for key in ("b/2", "b/10", "b/1/x", "bb/1", "a"):
        store.create(key, b".")
    assert list(store.keys("")) == ["a", "b/1/x", "b/10", "b/2", "bb/1"]
    assert list(store.keys("b/")) == ["b/1/x", "b/10", "b/2"]
    assert list(store.keys("b")) == ["b/1/x", "b/10", "b/2", "bb/1"]
    assert list(store.keys("b/1")) == ["b/1/x", "b/10"]
    assert list(store.keys("nothing/here")) == []


def test_altered_bytes_are_never_returned(store, tmp_path):
    artifact = store.put("model", b"trusted")
    alter(store, blob_key(artifact.digest), b"trusteD")
    with pytest.raises(IntegrityError, match=r"STORE-ALTERED .*they differ"):
        store.get(artifact.digest)
    with pytest.raises(IntegrityError, match=r"STORE-ALTERED .*they differ"):
        store.local(artifact.digest, tmp_path)


def test_a_missing_blob_is_named(store, tmp_path):
    for ask in (store.get, lambda digest: store.local(digest, tmp_path)):
        with pytest.raises(IntegrityError, match=rf"STORE-MISSING .* blob {ABC[:12]}"):
            ask(ABC)
    assert store.fetch(KEY, tmp_path) is None
    assert not list(tmp_path.glob("*.part"))


UNSAFE = [
    "",
    "/etc/passwd",
    "../outside",
    "a/../../outside",
    "a/..",
    ".",
    "a//b",
    "a/",
    "a\\b",
    "a\0b",
    "a/./b",
    ".staging/x",
    "a b",
    "a\n",
    "ä",
    "%2e%2e/x",
    "~/x",
]


@pytest.mark.parametrize("key", UNSAFE)
def test_a_key_cannot_leave_the_store(store, key, tmp_path):
    for ask in (
        lambda: store.create(key, b"x"),
        lambda: store.read(key),
        lambda: store.exists(key),
        lambda: store.fetch(key, tmp_path),
    ):
        with pytest.raises(RequestError, match="STORE-KEY"):
            ask()
    if key not in ("", "a/"):
        with pytest.raises(RequestError, match="STORE-KEY"):
            list(store.keys(key))


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=st.text(alphabet="ab./\\~-_ \0%", max_size=12))
def test_a_key_that_is_accepted_stays_inside(tmp_path: Path, key: str):
    try:
        MemoryStore("keys").read(key)
    except RequestError:
        return
    inside = (tmp_path / key).resolve()
    assert inside.is_relative_to(tmp_path) and inside != tmp_path
    assert inside == tmp_path / key  # and there is one key for one place


@pytest.mark.parametrize(
    "url",
    [
        "here",
        "file://relative/folder",
        "file://",
        "s3://",
        "s3://id:s3cret@bucket/prefix",
        "gs://bucket",
        "memory://a/b",
        "https://id:s3cret@host/",
    ],
)
def test_a_url_that_names_no_store(url):
    with pytest.raises(RequestError, match="STORE-URL EVERFIT_STORE") as caught:
        open_store(url)
    assert "s3cret" not in caught.value.line


def test_a_folder_may_have_an_odd_name(tmp_path):
    odd = tmp_path / "issue #1? ä b"
    open_store(f"file://{odd}").create("a", b"x")
    assert (odd / "a").read_bytes() == b"x"
    open_store((tmp_path / "issue #2? ü").as_uri()).create("a", b"x")
    assert (tmp_path / "issue #2? ü" / "a").read_bytes() == b"x"


def test_memory_is_shared_by_name(tmp_path):
    open_store("memory://one").create("shared", b"x")
    assert open_store("memory://one").read("shared") == b"x"
    assert open_store("memory://two").read("shared") is None
