"""The only door to stored bytes."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline_components.contracts.errors import RequestError

from .base import Store, blob_key, digest_file, result_key

__all__ = ["Store", "blob_key", "digest_file", "open_store", "result_key"]


def open_store(url: str) -> Store:
    """Open the store at ``file:///folder``, ``s3://bucket/prefix`` or ``memory://name``.

    Raises
    ------
    RequestError
        If the scheme is none of these.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        from .local import LocalStore

        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from .s3 import S3Store

        return S3Store(parts.netloc, parts.path.strip("/"))
    if parts.scheme == "memory":
        from .memory import MemoryStore

        return MemoryStore(parts.netloc)
    raise RequestError(
        "STORE-URL",
        "EVERFIT_STORE",
        "a store is file:///folder, s3://bucket/prefix or memory://name",
        f"its scheme is {parts.scheme!r}",
        "Correct the setting",
    )
