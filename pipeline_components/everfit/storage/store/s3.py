"""A store in an S3 bucket: publish by a write that succeeds only where nothing is there.

``AWS_ENDPOINT_URL`` and the usual ``AWS_*`` variables, profiles and roles say where and as whom.
Give the bucket a lifecycle rule that expires unfinished multipart uploads: a killed process leaves
one behind, which counts for nothing but takes room.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    IncompleteReadError,
    ResponseStreamingError,
)

from everfit.contracts.aws_errors import failure_of
from everfit.contracts.base import digest_bytes
from everfit.contracts.errors import Unavailable
from everfit.storage.store.base import (
    RENEW_SECONDS,
    Entry,
    Store,
    altered,
    replaceable_key,
    safe_key,
    safe_prefix,
)
from everfit.storage.store.s3_errors import explained

PART_BYTES = 16 << 20
"""Anything larger is sent in parts of at least this size, so memory stays bounded."""

MOST_PARTS = 9_000
"""S3 takes 10,000."""

ATTEMPTS = 5

_WRITER = "everfit-writer"
_DIGEST = "everfit-sha256"
_TAKEN = ("precondition", "conflict", "no-upload")
"""Failures of a conditional write after which somebody's object may be there."""

_BROKEN = (FlexibleChecksumError, IncompleteReadError, ResponseStreamingError)

Answer = TypeVar("Answer")


class S3Store(Store):
    """``s3://bucket/prefix``.

    Parameters
    ----------
    bucket : str
        Must exist; needs the permissions ``s3:GetObject``, ``s3:PutObject`` and ``s3:ListBucket``,
        and ``s3:DeleteObject`` to remove.
    prefix : str
        The folder-like beginning of every object's key, without slashes at its ends; may be empty.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        try:
            # A session of its own: the shared one is neither thread-safe nor aware of a change
            # of the environment.
            self._client: Any = boto3.session.Session().client(
                "s3",
                config=Config(
                    retries={"mode": "standard", "max_attempts": ATTEMPTS},
                    connect_timeout=10,
                    read_timeout=60,
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise explained(error, self.url) from None

    def create(self, key: str, data: bytes | Path) -> bool:
        """Publish with ``If-None-Match: *``, in parts where the data is large."""
        place = self._place(key)
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        if size > PART_BYTES and self.renew(key):
            return False  # sparing the upload; the conditional write decides all the same
        # Every write carries its own mark, so that "somebody was first" can be told from "my own
        # reply was lost and this is the retry".
        mark = {_WRITER: secrets.token_hex(16)}
        for attempt in range(ATTEMPTS):
            try:
                if size > PART_BYTES:
                    self._upload(place, data, size, mark)
                else:
                    content = data if isinstance(data, bytes) else data.read_bytes()
                    self._client.put_object(
                        **place,
                        Body=content,
                        IfNoneMatch="*",
                        Metadata={**mark, _DIGEST: digest_bytes(content)},
                    )
                return True
            except ClientError as error:
                if failure_of(error).kind not in _TAKEN:
                    raise explained(error, self.url) from None
                found = self._head(key)
                if found is not None and found["Metadata"].get(_WRITER) == mark[_WRITER]:
                    return True
                if found is not None and self._renewed(key, found):
                    return False
                if attempt == ATTEMPTS - 1:
                    raise explained(error, self.url) from None
                time.sleep(0.1 * 2**attempt)  # a writer that came to nothing was in the way
            except BotoCoreError as error:
                raise explained(error, self.url) from None
        raise AssertionError("unreachable")

    def replace(self, key: str, data: bytes) -> None:
        """Put the object; S3 shows the one before or this one."""
        place = self._place(replaceable_key(key))
        mark = {_DIGEST: digest_bytes(data)}
        try:
            self._client.put_object(**place, Body=data, Metadata=mark)
        except (ClientError, BotoCoreError) as error:
            raise explained(error, self.url) from None

    def read(self, key: str) -> bytes | None:
        """Download the whole object."""
        place = self._place(key)

        def download() -> bytes | None:
            try:
                answer = self._client.get_object(**place)
            except ClientError as error:
                if failure_of(error).kind == "no-object":
                    return None
                raise
            with closing(answer["Body"]) as body:
                content: bytes = body.read()
            recorded = answer["Metadata"].get(_DIGEST)
            if recorded and recorded != digest_bytes(content):
                raise altered(self.url, f"object {key}")
            return content

        return self._patiently(download)

    def exists(self, key: str) -> bool:
        """Ask for the object's head."""
        return self._head(key) is not None

    def keys(self, prefix: str) -> Iterator[str]:
        """List by pages; S3 sorts."""
        yield from (entry.key for entry in self.entries(prefix))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """List by pages; S3 sorts."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + safe_prefix(prefix)
        )
        try:
            for page in pages:
                for entry in page.get("Contents", ()):
                    key = entry["Key"].removeprefix(self._prefix)
                    yield Entry(key, entry["Size"], entry["LastModified"].timestamp())
        except (ClientError, BotoCoreError) as error:
            raise explained(error, self.url) from None

    def begins(self, key: str, count: int) -> bytes | None:
        """Download a part of the object."""
        try:
            answer = self._client.get_object(**self._place(key), Range=f"bytes=0-{count - 1}")
            with closing(answer["Body"]) as body:
                start: bytes = body.read()
        except ClientError as error:
            kind = failure_of(error).kind
            if kind == "no-object":
                return None
            if kind == "empty-range":
                return b""
            raise explained(error, self.url) from None
        except BotoCoreError as error:
            raise explained(error, self.url) from None
        return start

    def renew(self, key: str) -> bool:
        """Copy an old object onto itself, which sets its time."""
        found = self._head(key)
        return found is not None and self._renewed(key, found)

    def remove(self, key: str, before: float | None = None) -> bool:
        """Look at the object's time, and delete it."""
        found = self._head(key)
        if found is None:
            return True
        if before is not None and found["LastModified"].timestamp() >= before:
            return False
        try:
            self._client.delete_object(**self._place(key))
        except (ClientError, BotoCoreError) as error:
            raise explained(error, self.url) from None
        return True

    def fetch(self, key: str, scratch: Path) -> Path | None:
        """Stream the object into ``scratch``; the file appears there only when it is complete."""
        place = self._place(key)
        path = scratch / key.replace("/", "_")
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")

        def download() -> Path | None:
            try:
                body = self._client.get_object(**place)["Body"]
            except ClientError as error:
                if failure_of(error).kind == "no-object":
                    return None
                raise
            with closing(body), part.open("wb") as file:
                while piece := body.read(1 << 20):
                    file.write(piece)
            return part.replace(path)

        try:
            return self._patiently(download)
        finally:
            part.unlink(missing_ok=True)

    def _place(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + safe_key(key)}

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self._client.head_object(**self._place(key))
        except ClientError as error:
            if failure_of(error).kind == "no-object":
                return None
            raise explained(error, self.url) from None
        except BotoCoreError as error:
            raise explained(error, self.url) from None
        return head

    def _renewed(self, key: str, head: dict[str, Any]) -> bool:
        """Whether the object of that head is still there, and young from now on."""
        if head["LastModified"].timestamp() >= time.time() - RENEW_SECONDS:
            return True
        place = self._place(key)
        try:
            self._client.copy(
                place,
                place["Bucket"],
                place["Key"],
                {"Metadata": head["Metadata"], "MetadataDirective": "REPLACE"},
                Config=TransferConfig(use_threads=False),
            )
        except ClientError as error:
            if failure_of(error).kind == "no-object":
                return False
            raise explained(error, self.url) from None
        except BotoCoreError as error:
            raise explained(error, self.url) from None
        return True

    def _upload(
        self, place: dict[str, str], data: bytes | Path, size: int, mark: dict[str, str]
    ) -> None:
        """Send the parts; the object appears with the last request, if nothing is there."""
        length = max(PART_BYTES, -(-size // MOST_PARTS))
        upload = self._client.create_multipart_upload(**place, Metadata=mark)["UploadId"]
        parts = []
        try:
            for number, piece in enumerate(_pieces(data, length), start=1):
                sent = self._client.upload_part(
                    **place, UploadId=upload, PartNumber=number, Body=piece
                )
                parts.append({"ETag": sent["ETag"], "PartNumber": number})
                for name in sent.keys() & {"ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME"}:
                    parts[-1][name] = sent[name]
            self._client.complete_multipart_upload(
                **place, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**place, UploadId=upload)
            raise

    def _patiently(self, download: Callable[[], Answer]) -> Answer:
        """Begin again where a connection broke within a body, which boto3 does not."""
        for attempt in range(ATTEMPTS):
            try:
                return download()
            except ClientError as error:
                raise explained(error, self.url) from None
            except BotoCoreError as error:
                if not isinstance(error, _BROKEN) or attempt == ATTEMPTS - 1:
                    raise explained(error, self.url) from None
                time.sleep(0.1 * 2**attempt)
            except OSError as error:
                raise Unavailable(
                    "STORE-SCRATCH",
                    self.url,
                    "the temporary folder must have room for what is downloaded",
                    error.strerror,
                    "Free some space or set TMPDIR, and try again",
                ) from error
        raise AssertionError("unreachable")


def _pieces(data: bytes | Path, length: int) -> Iterator[bytes]:
    if isinstance(data, bytes):
        for start in range(0, len(data), length):
            yield data[start : start + length]
        return
    with data.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while piece := file.read(length):
            yield piece
