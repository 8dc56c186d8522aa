"""What a message of a queue says: S3's own notifications, also by SNS or EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

Key = tuple[str, str]
"""Bucket and key."""

TEST = ("", "")
"""In place of a key: S3 tried whether it may write to the queue."""

_DEPTH = 3


def keys_of(body: str) -> list[Key] | None:
    """The objects a message tells of; None where it is no notification of S3."""
    return _keys(body, _DEPTH)


def _keys(body: Any, depth: int) -> list[Key] | None:
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return None
    if not isinstance(body, Mapping) or not depth:
        return None
    if body.get("Event") == "s3:TestEvent":
        return [TEST]
    if body.get("Type") == "Notification" and "Message" in body:  # by way of SNS
        return _keys(body["Message"], depth - 1)
    if isinstance(body.get("Records"), list):
        found = [
            _key(record.get("s3"), quoted=True) if isinstance(record, Mapping) else None
            for record in body["Records"]
        ]
        keys = [key for key in found if key is not None]
        return keys if keys and len(keys) == len(found) else None
    if body.get("source") == "aws.s3":  # by way of EventBridge
        key = _key(body.get("detail"), quoted=False)
        return None if key is None else [key]
    return None


def _key(about: Any, quoted: bool) -> Key | None:
    if not isinstance(about, Mapping):
        return None
    bucket, item = about.get("bucket"), about.get("object")
    if not isinstance(bucket, Mapping) or not isinstance(item, Mapping):
        return None
    name, key = bucket.get("name"), item.get("key")
    if not isinstance(name, str) or not isinstance(key, str):
        return None
    return name, unquote_plus(key) if quoted else key
