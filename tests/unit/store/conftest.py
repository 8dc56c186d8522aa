"""Stores to test, among them one on an S3 server that enforces conditional writes."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from everfit.storage.store import Store, open_store


@pytest.fixture(params=["file", "s3", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of each kind."""
    if request.param == "file":
        return f"file://{tmp_path / 'store'}"
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('bucket')}/some/prefix"
    return f"memory://{secrets.token_hex(6)}"


@pytest.fixture
def store(url: str) -> Store:
    """An empty store of each kind."""
    return open_store(url)
