"""Removing, for retention alone, and renewing, which keeps from it; one battery for every kind."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from everfit.contracts.errors import UserError
from everfit.storage.store import Store, blob_key, open_store, result_key

KEY = result_key("train", "a" * 64)
OLD = 40 * 24 * 3600.0


def make_old(store: Store, key: str) -> None:
    """Have the key made forty days ago, behind the store's back."""
    then = time.time() - OLD
    if store.url.startswith("file:"):
        os.utime(store.root / key, (then, then))
    elif store.url.startswith("s3:"):
        import moto.s3.models

        place = store._place(key)
        backends = moto.s3.models.s3_backends
        for account in backends:
            backend = backends[account]["aws"]
            if place["Bucket"] in backend.buckets:
                found = backend.buckets[place["Bucket"]].keys[place["Key"]]
                found.last_modified = datetime.fromtimestamp(then, UTC).replace(tzinfo=None)
    else:
        store._used[key] = then


def used(store: Store, key: str) -> float:
    (entry,) = store.entries(key)
    return entry.used


def test_what_is_removed_is_gone_and_may_come_again(store):
    store.create(KEY, b"first")
    assert store.remove(KEY) is True
    assert not store.exists(KEY)
    assert store.read(KEY) is None
    assert list(store.keys("")) == []
    assert store.create(KEY, b"second") is True
    assert store.read(KEY) == b"second"


def test_removing_what_is_not_there_is_done_already(store):
    assert store.remove(KEY) is True
    store.create(KEY, b".")
    assert store.remove(KEY) is True
    assert store.remove(KEY, before=0.0) is True


def test_only_what_is_old_is_removed(store):
    store.create(KEY, b".")
    assert store.remove(KEY, before=time.time() - 60) is False
    assert store.exists(KEY)
    make_old(store, KEY)
    assert store.remove(KEY, before=time.time() - OLD - 3600) is False
    assert store.remove(KEY, before=time.time() - OLD + 3600) is True
    assert not store.exists(KEY)


def test_entries_tell_size_and_time(store):
    began = time.time()
    store.create("blobs/b", b"12345")
    store.create("blobs/a", b"")
    store.create("results/c", b"1")
    found = list(store.entries("blobs/"))
    assert [(entry.key, entry.size) for entry in found] == [("blobs/a", 0), ("blobs/b", 5)]
    assert all(began - 2 <= entry.used <= time.time() + 2 for entry in found)
    make_old(store, "blobs/a")
    assert used(store, "blobs/a") == pytest.approx(time.time() - OLD, abs=5)


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": 1}' * 5000])
def test_a_beginning_is_read_without_the_rest(store, data):
    store.create(KEY, data)
    assert store.begins(KEY, 1) == data[:1]
    assert store.begins(KEY, 7) == data[:7]
    assert store.begins(result_key("train", "b" * 64), 1) is None


@pytest.mark.parametrize("how", ["create", "renew", "reuse", "put"])
def test_whatever_builds_on_an_old_key_renews_it(store, how):
    key = blob_key(store.put("data", b"content").digest)
    make_old(store, key)
    if how == "create":
        assert store.create(key, b"content") is False
    elif how == "renew":
        assert store.renew(key) is True
    elif how == "reuse":
        assert store.reuse(key) == b"content"
    else:
        store.put("data", b"content")
    assert used(store, key) == pytest.approx(time.time(), abs=60)
    assert store.remove(key, before=time.time() - 3600) is False
    assert store.read(key) == b"content"


def test_a_renewed_object_still_tells_whether_it_was_altered(store):
    key = blob_key(store.put("data", b"content").digest)
    make_old(store, key)
    store.renew(key)
    if store.url.startswith("s3:"):
        metadata = store._client.head_object(**store._place(key))["Metadata"]
        assert metadata["everfit-sha256"] == key.rpartition("/")[2]


def test_looking_does_not_renew(store):
    store.create(KEY, b".")
    make_old(store, KEY)
    store.read(KEY)
    store.exists(KEY)
    store.begins(KEY, 1)
    list(store.entries(""))
    assert store.remove(KEY, before=time.time() - OLD + 3600) is True


def test_there_is_nothing_to_renew_or_reuse_where_nothing_is(store):
    assert store.renew(KEY) is False
    assert store.reuse(KEY) is None


def test_a_large_old_object_is_renewed_too(store):
    data = os.urandom(17 << 20)
    key = blob_key(store.put("large", data).digest)
    make_old(store, key)
    assert store.create(key, data) is False
    assert used(store, key) == pytest.approx(time.time(), abs=60)
    assert store.read(key) == data


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_key_that_is_reported_there_is_never_lost_to_a_racing_removal(kind, tmp_path):
    """Whoever was told that the key is there finds it there; so does whoever made it again."""
    url = f"file://{tmp_path}/store" if kind == "file" else f"memory://race{tmp_path.name}"
    builder, remover = open_store(url), open_store(url)
    for number in range(60):
        key = f"blobs/{number}"
        builder.create(key, b".")
        make_old(builder, key)
        start = threading.Barrier(2)

        def build(key: str = key, start: threading.Barrier = start) -> bool:
            start.wait(60)
            return builder.create(key, b".")

        def remove(key: str = key, start: threading.Barrier = start) -> bool:
            start.wait(60)
            return remover.remove(key, before=time.time() - 3600)

        with ThreadPoolExecutor(2) as pool:
            made, gone = pool.submit(build), pool.submit(remove)
        assert builder.read(key) == b".", (made.result(), gone.result())


def test_nobody_renews_between_look_and_removal(tmp_path, monkeypatch):
    """A builder that comes in between waits, and then makes the key again."""
    store, builder = (open_store(f"file://{tmp_path}/store") for _ in range(2))
    store.create(KEY, b".")
    make_old(store, KEY)
    unlink = Path.unlink
    builders: list[threading.Thread] = []

    def slowly(self: Path, missing_ok: bool = False) -> None:
        if self == store.root / KEY and not builders:
            builders.append(threading.Thread(target=builder.create, args=(KEY, b".")))
            builders[0].start()
            builders[0].join(0.5)  # it cannot end: the remover holds the lock
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", slowly)
    assert store.remove(KEY, before=time.time() - 3600) is True
    builders[0].join(60)
    assert store.read(KEY) == b"."


def test_a_store_that_may_only_be_read_says_so(tmp_path, monkeypatch):
    store = open_store(f"file://{tmp_path}/store")
    store.create(KEY, b".")
    make_old(store, KEY)

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    real = Path.open

    def opened(self: Path, mode: str = "r", *more: object, **other: object):
        return real(self, mode, *more, **other) if mode == "rb" else refuse(self)

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(UserError, match=r"STORE-ACCESS .*Read-only file system") as caught:
        store.remove(KEY)
    assert "\n" not in caught.value.line
    assert store.renew(KEY) is True  # it stays as it is: nobody can remove it here either
    assert store.create(KEY, b".") is False
    assert store.read(KEY) == b"."


def test_a_removal_leaves_no_file_behind(tmp_path):
    store = open_store(f"file://{tmp_path}/store")
    store.create(KEY, b".")
    store.remove(KEY)
    left = [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert left == [".lock"]
