"""Spans that are objects in S3, read at the version that was listed."""

from __future__ import annotations

import fnmatch
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from everfit.contracts.errors import Unavailable, shortlist
from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import S3SourceSpec, SourceSpec
from everfit.data.sources.arrived import is_manifest, matches
from everfit.data.sources.aws import client
from everfit.data.sources.complete import (
    Judged,
    Present,
    by_manifest,
    by_marker,
    fingerprint_without,
    whole,
)
from everfit.data.sources.data_folder import MAGIC
from everfit.data.sources.grouping import refuse_tables
from everfit.data.sources.listing import has_known_suffix, is_candidate, order
from everfit.data.sources.manifest import LARGEST
from everfit.data.sources.refused import changed, growing
from everfit.data.sources.s3_errors import explained
from everfit.data.sources.settled import dated_ahead, is_ahead, not_settled
from everfit.data.sources.source import Fetched, Listing, SourceOfFiles

_MOST_MANIFESTS = 1000
_manifests: dict[tuple[str, str, str], bytes] = {}
"""Manifests read before, by bucket, key and etag."""


class S3Source(SourceOfFiles):
    """``s3://bucket/prefix``, one object, or a glob; endpoint and credentials as boto3 finds them.

    A span's fingerprint is etag and size. Reading asks for exactly that etag, and for the version
    it belongs to where the bucket keeps versions.
    """

    kind = "s3"

    def __init__(self, source: SourceSpec, settings: Settings) -> None:
        super().__init__(source, settings)
        assert isinstance(source, S3SourceSpec)
        self._source = source
        self.bucket, _, key = source.uri.removeprefix("s3://").partition("/")
        parts = key.split("/")
        first = next((i for i, part in enumerate(parts) if MAGIC.search(part)), len(parts))
        self.fixed = "/".join(parts[:first])
        self.pattern = tuple(parts[first:])
        # An object that is named itself is a span whatever its name, as a file is.
        self._single = self.fixed if not self.pattern else None

    def list(self) -> Listing:
        """List the objects below the prefix."""
        spans, others, seen, ahead = [], [], [], []
        now, complete = time.time(), self._source.complete
        items: Iterable[dict[str, Any]] = self._objects()
        if complete is not None:
            items = list(items)
        for item in items:
            key, name = item["Key"], self._name(item["Key"])
            if name is None or is_manifest(name, complete):
                continue
            refuse_tables([name], self._source.uri)
            if key != self._single and not all(map(is_candidate, name.split("/"))):
                continue
            seen.append(name)
            if self.pattern and not (_glob(name, self.pattern) or _in_table(name, self.pattern)):
                continue
            modified = item["LastModified"].timestamp()
            if (
                key != self._single
                and self._source.format == "auto"
                and not has_known_suffix(name, self._source.uri)
            ):
                others.append(name)
            elif (why := not_settled(modified, now, self._source.settle)) is not None:
                others.append(f"{name} ({why})")
            else:
                if is_ahead(modified, now):
                    ahead.append(name)
                spans.append(
                    SpanRef(
                        name=name,
                        fingerprint=f"etag={item['ETag'].strip(chr(34))} size={item['Size']}",
                        location=f"s3://{self.bucket}/{key}",
                        size=item["Size"],
                    )
                )
        left_out = (f"left out, suffix or age: {shortlist(others)}",) if others else ()
        notes = (*left_out, *dated_ahead(ahead))
        if complete is not None:
            judged = self._judge(spans, items)
            notes = (*notes, *judged.notes)
            spans = whole(spans, judged)
        source = self._source
        listing = order(spans, source.period, source.uri, source.span, self.fixed or self.bucket)
        empty = ""
        if not spans:
            empty = f"no object at {self._source.uri} is a span"
            empty += f"; there are {shortlist(sorted(seen))}" if seen else "; there is none at all"
        return Listing(listing.spans, (*notes, *listing.notes), empty)

    def holds(self, bucket: str, key: str) -> bool:
        """Whether an object lies where this source looks, be it a span, a marker or a manifest."""
        return bucket == self.bucket and self._name(key) is not None

    def _judge(self, spans: Iterable[SpanRef], items: Iterable[dict[str, Any]]) -> Judged:
        """Which objects have arrived whole, by ``source.complete``."""
        complete = self._source.complete
        by_name = {name: item for item in items if (name := self._name(item["Key"])) is not None}
        present = [_present(ref.name, by_name[ref.name]) for ref in spans]
        if complete is not None and complete.marker is not None:
            markers = {
                name.rpartition("/")[0]: item["LastModified"].timestamp()
                for name, item in by_name.items()
                if name.rpartition("/")[2] == complete.marker
            }
            return by_marker(complete.marker, present, markers)
        manifests = [
            (name, self._manifest(item))
            for name, item in by_name.items()
            if complete is not None and matches(name, complete.manifest)
        ]
        prefix = self.fixed.rstrip("/") + "/" if self.fixed else ""
        return by_manifest(present, manifests, f"s3://{self.bucket}/{prefix}")

    def _manifest(self, item: dict[str, Any]) -> bytes:
        """A manifest's bytes, read once for each etag."""
        where = (self.bucket, item["Key"], item["ETag"])
        if where not in _manifests:
            if item["Size"] > LARGEST:
                return bytes(LARGEST + 1)
            with explained(self._source.uri):
                reply = self._client.get_object(Bucket=self.bucket, Key=item["Key"])
                data = bytes(reply["Body"].read())
            while len(_manifests) >= _MOST_MANIFESTS:
                _manifests.pop(next(iter(_manifests)), None)
            _manifests[where] = data
        return _manifests[where]

    def fetch(self, ref: SpanRef, scratch: Path, progress: Callable[[float], None]) -> Fetched:
        """Download the object as it was listed."""
        key = ref.location.removeprefix(f"s3://{self.bucket}/")
        plain, stated = fingerprint_without(ref.fingerprint)
        etag = plain.removeprefix("etag=").partition(" ")[0]
        target = scratch / "object"
        digest = hashlib.sha256()
        with explained(ref.location, ref):
            head = self._client.head_object(Bucket=self.bucket, Key=key)
            if head["ETag"].strip('"') != etag:
                if ref.size is not None and head["ContentLength"] > ref.size:
                    raise growing(ref, f"it grew from {ref.size} to {head['ContentLength']} bytes")
                raise changed(ref, "another object is there now (its etag differs)")
            pinned = {"IfMatch": etag}
            version = head.get("VersionId")
            if version and version != "null":
                pinned["VersionId"] = version
            body = self._client.get_object(Bucket=self.bucket, Key=key, **pinned)["Body"]
            count = 0
            with target.open("wb") as file:
                for piece in body.iter_chunks(1 << 20):
                    count += file.write(piece)
                    if stated:
                        digest.update(piece)
                    progress(count / max(ref.size or count, 1))
        if ref.size is not None and count != ref.size:
            raise Unavailable(
                "SOURCE-CUT",
                ref.location,
                "a download must be whole",
                f"{count} of {ref.size} bytes came",
                "Try again",
            )
        if stated and digest.hexdigest() != stated:
            raise growing(
                ref, f"its manifest states sha256 {stated}, its bytes have {digest.hexdigest()}"
            )
        origin = {"uri": ref.location, "etag": etag}
        if "VersionId" in pinned:
            origin["version_id"] = pinned["VersionId"]
        return Fetched(target, origin, share=0.5)

    def _name(self, key: str) -> str | None:
        """A key's name below the fixed part; None for keys that only begin alike."""
        if not self.pattern and key == self.fixed:
            return key.rpartition("/")[2] or None
        prefix = self.fixed.rstrip("/") + "/" if self.fixed else ""
        return key[len(prefix) :] if key.startswith(prefix) and not key.endswith("/") else None

    def _objects(self) -> Iterator[dict[str, Any]]:
        with explained(self._source.uri):
            below = f"{self.fixed}/" if self.pattern and self.fixed else self.fixed
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=below
            )
            for page in pages:
                yield from page.get("Contents", ())

    @property
    def _client(self) -> Any:
        with explained(self._source.uri):
            return client("s3")


def _present(name: str, item: dict[str, Any]) -> Present:
    return Present(name, item["Size"], item["LastModified"].timestamp(), item["ETag"].strip('"'))


def _in_table(name: str, pattern: tuple[str, ...]) -> bool:
    """Whether an object lies in a table that is a folder, as Spark writes one."""
    folders = name.split("/")[:-1]
    above = ["/".join(folders[: number + 1]) for number in range(len(folders))]
    return any(has_known_suffix(folder) and _glob(folder, pattern) for folder in above)


def _glob(name: str, pattern: tuple[str, ...]) -> bool:
    """Match component by component; ``**`` stands for any number of them."""
    return _match(tuple(name.split("/")), pattern)


def _match(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        rest = pattern[1:] or ("*",)
        return any(_match(parts[i:], rest) for i in range(len(parts)))
    return (
        bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _match(parts[1:], pattern[1:])
    )
