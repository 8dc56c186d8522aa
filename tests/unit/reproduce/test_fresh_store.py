"""Inputs are read from the real store; what the recorded run made, and every cache, is not."""

from __future__ import annotations

import pytest

from everfit.contracts.errors import IntegrityError
from everfit.operations.reproduce.fresh_store import FreshStore
from everfit.storage.store import Store, blob_key, open_store, result_key


@pytest.fixture
def stores(tmp_path) -> tuple[Store, FreshStore, dict[str, str]]:
    real = open_store(f"file://{tmp_path}/real")
    digests = {name: real.put(name, name.encode()).digest for name in ("snapshot", "model")}
    real.create(result_key("train", "a" * 64), b"{}")
    return real, FreshStore(tmp_path / "fresh", real, [digests["model"]]), digests


def test_an_input_is_read_through(stores, tmp_path):
    _, fresh, digests = stores
    assert fresh.get(digests["snapshot"]) == b"snapshot"
    assert fresh.exists(blob_key(digests["snapshot"]))
    assert fresh.local(digests["snapshot"], tmp_path).read_bytes() == b"snapshot"


def test_what_the_recorded_run_made_is_not_there_until_it_is_made_again(stores, tmp_path):
    _, fresh, digests = stores
    assert not fresh.exists(blob_key(digests["model"]))
    with pytest.raises(IntegrityError):
        fresh.get(digests["model"])
    with pytest.raises(IntegrityError):
        fresh.local(digests["model"], tmp_path)
    assert fresh.put("model", b"model").digest == digests["model"]
    assert fresh.get(digests["model"]) == b"model"
    assert fresh.local(digests["model"], tmp_path).is_relative_to(tmp_path / "fresh")


def test_no_cache_answers(stores):
    real, fresh, _ = stores
    key = result_key("train", "a" * 64)
    assert real.exists(key)
    assert fresh.read(key) is None and fresh.reuse(key) is None and not fresh.exists(key)
    assert fresh.create(key, b"made again") is True
    assert real.read(key) == b"{}"


def test_the_real_store_is_never_written(stores):
    real, fresh, _ = stores
    before = list(real.keys(""))
    fresh.put("new", b"new")
    assert list(real.keys("")) == before


def test_an_altered_input_is_refused(stores):
    real, fresh, digests = stores
    path = real.root / blob_key(digests["snapshot"])
    path.unlink()
    path.write_bytes(b"snapshoT")
    with pytest.raises(IntegrityError, match="STORE-ALTERED"):
        fresh.get(digests["snapshot"])
