"""The only way to stored bytes."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from everfit.contracts.errors import RequestError
from everfit.storage.store.base import Entry, Store, blob_key, digest_file, result_key

__all__ = ["Entry", "Store", "blob_key", "digest_file", "open_store", "result_key"]


def open_store(url: str) -> Store:
    """Open the store at ``file:///folder``, ``s3://bucket/prefix`` or ``memory://name``.

    Raises
    ------
    RequestError
        If the URL is none of these.
    """
    # By hand: '#' and '?' are ordinary letters in the name of a folder.
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if scheme == "file" and not host and path:
        from everfit.storage.store.local import LocalStore

        return LocalStore(Path(unquote(f"/{path}")))
    if scheme == "s3" and host and "@" not in host:
        from everfit.storage.store.s3 import S3Store

        return S3Store(host, path.strip("/"))
    if scheme == "memory" and not slash:
        from everfit.storage.store.memory import MemoryStore

        return MemoryStore(host)
    raise RequestError(
        "STORE-URL",
        "EVERFIT_STORE",
        "a store is file:///folder, s3://bucket/prefix or memory://name",
        # The rest of it may hold a secret.
        f"this is another form of {scheme}://" if separator else "it is not a URL",
        "Correct the setting",
    )
