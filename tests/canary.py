"""Looks for planted secrets wherever they must never be: the canaries of this mine.

A canary is found in whatever shape a program may show it: as it is, in a URL, in JSON, in base64,
or as the user and password of an HTTP header.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

MOST_BYTES = 256 << 20
"""Larger files are read in pieces that overlap."""


class Found(NamedTuple):
    """A canary where it must not be."""

    canary: str
    where: str

    def __str__(self) -> str:
        return f"{self.canary} in {self.where}"


class Canaries:
    """Secrets by name, each in every shape.

    Parameters
    ----------
    planted : mapping
        Name → secret; at least 12 letters, so that no accident looks like one.
    """

    def __init__(self, planted: Mapping[str, str]) -> None:
        assert planted
        assert all(len(secret) >= 12 for secret in planted.values()), "too short to be told apart"
        self.shapes = {name: tuple(_shapes(secret)) for name, secret in planted.items()}
        self.longest = max(len(shape) for every in self.shapes.values() for shape in every)

    def inside(self, data: bytes) -> list[str]:
        """The names of those in the bytes."""
        return [name for name, every in self.shapes.items() if any(s in data for s in every)]


def _shapes(secret: str) -> Iterator[bytes]:
    plain = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    plain |= {json.dumps(secret)[1:-1], repr(secret)[1:-1], secret.replace("\n", "\\n")}
    yield from {text.encode() for text in plain}
    raw = secret.encode()
    for shift in range(3):  # base64 of a text that it stands anywhere in, but for its edges
        coded = base64.b64encode(b"\0" * shift + raw)
        yield coded[4 if shift else 0 : -4]


def find(
    canaries: Canaries,
    roots: Iterable[Path] = (),
    databases: Iterable[str] = (),
    commands: Iterable[Sequence[str]] = (),
    buckets: Iterable[tuple[Any, str]] = (),
    but: Iterable[str] = (),
) -> list[Found]:
    """Everywhere that a canary is.

    Parameters
    ----------
    roots : iterable of Path
        Files, and folders with all below them.
    databases : iterable of str
        SQLAlchemy URLs: every value of every table.
    commands : iterable of sequences
        What they print is looked through: ``docker logs``, ``docker history --no-trunc``,
        ``docker inspect`` of an image. One that fails is a defect of the test.
    buckets : iterable of (client, str)
        A boto3 client of S3 and a bucket: every object and its metadata.
    but : iterable of str
        Names of files and of tables that hold secrets on purpose.
    """
    spared = frozenset(but)
    found: list[Found] = []
    for root in roots:
        found += in_files(canaries, root, spared)
    for url in databases:
        found += in_database(canaries, url, spared)
    for command in commands:
        said = subprocess.run(command, check=True, capture_output=True)
        found += [
            Found(n, f"`{' '.join(command)}`") for n in canaries.inside(said.stdout + said.stderr)
        ]
    for client, bucket in buckets:
        found += in_bucket(canaries, client, bucket)
    return found


def in_files(canaries: Canaries, root: Path, but: frozenset[str] = frozenset()) -> list[Found]:
    """In the files below a folder, and in their names."""
    assert root.exists(), root
    paths = [root] if root.is_file() else sorted(root.rglob("*"))
    found = []
    for path in paths:
        found += [Found(name, f"the name of {path}") for name in canaries.inside(bytes(path))]
        if path.name in but or path.is_symlink() or not path.is_file():
            continue
        with suppress(FileNotFoundError), path.open("rb") as file:
            kept = b""
            while piece := file.read(MOST_BYTES):
                names = canaries.inside(_unpacked(kept + piece))
                found += [Found(name, str(path)) for name in names]
                kept = piece[-canaries.longest :]
    return found


def _unpacked(data: bytes) -> bytes:
    """With what is inside it, where it was compressed."""
    if data[:2] == b"\x1f\x8b":
        with suppress(zlib.error):
            return data + zlib.decompressobj(wbits=31).decompress(data)
    return data


def in_database(canaries: Canaries, url: str, but: frozenset[str] = frozenset()) -> list[Found]:
    """In every value of every table, as text and as bytes."""
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    found, seen = [], 0
    try:
        with engine.connect() as connection:
            for table in sa.inspect(engine).get_table_names():
                if table in but:
                    continue
                seen += 1
                quoted = engine.dialect.identifier_preparer.quote(table)
                for row in connection.execute(sa.text(f"SELECT * FROM {quoted}")):
                    for column, value in row._mapping.items():
                        names = canaries.inside(_bytes(value))
                        found += [Found(name, f"table {table}, {column}") for name in names]
    finally:
        engine.dispose()
    assert seen, f"no table in {engine.url.render_as_string()}"
    return found


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return _unpacked(bytes(value))
    if isinstance(value, dict | list):
        return json.dumps(value, default=str).encode()
    return str(value).encode(errors="replace")


def in_bucket(canaries: Canaries, client: Any, bucket: str) -> list[Found]:
    """In the objects of a bucket: their names, metadata and content."""
    found = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            answer = client.get_object(Bucket=bucket, Key=item["Key"])
            told = json.dumps([item["Key"], answer["Metadata"]]).encode()
            with answer["Body"] as body:
                content = _unpacked(body.read())
            names = canaries.inside(told + b"\n" + content)
            found += [Found(name, f"s3://{bucket}/{item['Key']}") for name in names]
    return found


class ProcessList:
    """What anybody on the machine can read of its processes, looked at again and again.

    As a context: looks from a thread until the end of the block; ``found`` tells what it saw.
    """

    def __init__(self, canaries: Canaries, every: float = 0.1) -> None:
        self.found: set[Found] = set()
        self.looks = 0
        self._canaries, self._every = canaries, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> ProcessList:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._over.wait(self._every):
            self.look()

    def look(self) -> None:
        """Once, at the command line of every process."""
        self.looks += 1
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = path.read_bytes()
                shown = line.replace(b"\0", b" ").decode(errors="replace")[:80]
                names = self._canaries.inside(line)
                self.found |= {Found(name, f"the command line {shown}") for name in names}
