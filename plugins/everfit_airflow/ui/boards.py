"""The boards of all pipelines, read from wherever the store is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from everfit.contracts.board import FOLDER, Board
from everfit_airflow.ui.store_pages import s3_client

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 20
"""A larger file is no board."""

MOST_BOARDS = 2000
AT_ONCE = 8
"""Boards that are asked for at the same time where the store is a bucket."""

Stamp = tuple[Any, ...]
"""Changes when the bytes do."""


@dataclass
class Boards:
    """The boards of one store, each parsed once for as long as it stays as it is."""

    store: str
    _known: dict[str, tuple[Stamp, Board | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> dict[str, Board]:
        """Pipeline → its board, sorted; what cannot be read is left out.

        Returns
        -------
        dict
            Empty where the store does not answer or is of another kind.
        """
        stamps = self._listed()
        with self._lock:
            known = dict(self._known)
        changed = [name for name, stamp in stamps.items() if known.get(name, ((),))[0] != stamp]
        for name, data in self._bytes(changed).items():
            known[name] = (stamps[name], parsed(name, data))
        with self._lock:
            self._known = {name: known[name] for name in stamps if name in known}
            found = {name: board for name, (_, board) in sorted(self._known.items()) if board}
        return found

    def _listed(self) -> dict[str, Stamp]:
        parts = urlsplit(self.store)
        if parts.scheme == "file":
            return _in_folder(Path(unquote(parts.path), FOLDER))
        if parts.scheme == "s3":
            return _in_bucket(parts.netloc, _prefix(parts.path))
        return {}

    def _bytes(self, names: list[str]) -> Mapping[str, bytes]:
        parts = urlsplit(self.store)
        found: dict[str, bytes] = {}
        if parts.scheme == "file":
            for name in names:
                try:
                    found[name] = Path(unquote(parts.path), FOLDER, f"{name}.json").read_bytes()
                except OSError:
                    continue
        elif parts.scheme == "s3" and names:
            client = s3_client()

            def get(name: str) -> tuple[str, bytes | None]:
                key = f"{_prefix(parts.path)}{name}.json"
                return name, _object(client, parts.netloc, key)

            with ThreadPoolExecutor(AT_ONCE) as pool:
                found = {name: data for name, data in pool.map(get, names) if data is not None}
        return found


def parsed(name: str, data: bytes) -> Board | None:
    """A board, if the bytes are one, and of the pipeline it is filed under."""
    try:
        board = Board.model_validate_json(data)
    except ValidationError:
        return None
    return board if board.pipeline == name else None


def _prefix(path: str) -> str:
    inner = path.strip("/")
    return f"{inner}/{FOLDER}" if inner else FOLDER


def _in_folder(folder: Path) -> dict[str, Stamp]:
    found: dict[str, Stamp] = {}
    try:
        paths = sorted(folder.glob("*.json"))[:MOST_BOARDS]
    except OSError:
        return found
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        if status.st_size <= MOST_BYTES:
            found[path.stem] = (status.st_mtime_ns, status.st_ino, status.st_size)
    return found


def _in_bucket(bucket: str, prefix: str) -> dict[str, Stamp]:
    found: dict[str, Stamp] = {}
    try:
        pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(prefix).removesuffix(".json")
                if entry["Size"] <= MOST_BYTES and "/" not in name:
                    found[name] = (entry["ETag"],)
            if len(found) >= MOST_BOARDS:
                break
    except ImportError:
        log.warning("Boards in S3 need apache-airflow-providers-amazon beside Airflow.")
    except Exception as error:  # botocore's, which is not imported here; never its text
        log.warning(
            "The boards could not be listed in the store's bucket: %s", type(error).__name__
        )
    return found


def _object(client: Any, bucket: str, key: str) -> bytes | None:
    try:
        with client.get_object(Bucket=bucket, Key=key)["Body"] as body:
            data: bytes = body.read(MOST_BYTES + 1)
    except Exception as error:  # as above
        log.warning("A board could not be read from the store's bucket: %s", type(error).__name__)
        return None
    return data if len(data) <= MOST_BYTES else None
