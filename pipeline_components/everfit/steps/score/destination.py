"""Where predictions are published, each span's once for a version, with a receipt.

In a folder or a bucket a span has a whole file that appears in one step, and counts once its
receipt says so. The receipt is written before the file (a file of that name is ours from then on)
and again after it, with what the file is: so whoever finds both knows whether the file is the one
that the receipt speaks of. In a table (``table.py``) rows and receipt are of one transaction.
"""

from __future__ import annotations

import os
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError

from everfit.contracts.aws_errors import failure_of
from everfit.contracts.base import Digest, Frozen, canonical_json
from everfit.contracts.errors import CredentialsError, Unavailable, UserError
from everfit.contracts.settings import Settings
from everfit.contracts.spec.source import scheme_of
from everfit.data.sources import Source
from everfit.data.sources.listing import has_known_suffix
from everfit.storage.store import digest_file

RECEIPTS = "_scored"
"""The folder of receipts beside the files; sources pass over a name that begins with ``_``."""

LEFTOVER_SECONDS = 3600
"""A file written aside that nobody has touched for so long has lost its writer."""

DATABASE = "sql:"

Form = Literal["parquet", "csv"]


class Receipt(Frozen):
    """What is in a file of predictions, and of what it was made."""

    format: Literal[1] = 1
    pipeline: str
    version: int
    run_key: Digest = Field(description="of the version")
    span: str
    source: str = Field(description="where the span lies")
    digest: Digest = Field(description="of the span as it was read")
    fingerprint: str = Field(description="of the span as the source listed it")
    asked: Digest = Field(description="of how it was read and what is written")
    rows: int = 0
    unscored: int = Field(0, description="rows whose prediction is empty: it was no finite number")
    unreadable: dict[str, int] = Field(
        default_factory=dict, description="column → cells not of its type, taken as missing"
    )
    unseen: dict[str, int] = Field(
        default_factory=dict, description="column → cells with a text not seen in training"
    )
    notes: tuple[str, ...] = ()
    scored_at: str = ""
    state: str = Field("", description="of the finished file: its sha-256, or its etag in S3")


class Destination(ABC):
    """A place that predictions are published in; those of a span by a version have a name there."""

    address: str
    others: ClassVar[str] = "is a file"
    replaced: ClassVar[str] = "a file of the same name"

    def name(self, span: str, version: int, form: Form) -> str:
        """What the predictions of a span by a version are called."""
        return f"{span.strip('/')}.v{version}.{form}"

    def where(self, name: str) -> str:
        """Where they are, for people."""
        return f"{self.address}/{name}"

    @abstractmethod
    def staged(self, name: str, scratch: Path) -> Path:
        """Where to write a file before it counts."""

    @abstractmethod
    def publish(self, path: Path, name: str, receipt: Receipt) -> Receipt:
        """Have what a staged file holds appear in one step, with its receipt, which is returned."""

    @abstractmethod
    def state(self, name: str) -> str | None:
        """The state of what is there under a name; None where there is nothing."""

    @abstractmethod
    def receipt(self, name: str) -> Receipt | None:
        """The receipt of what is there; None where there is none of ours."""

    def refuse_others(self, name: str, pipeline: str, source: str | None = None) -> None:
        """Make sure that what is there under a name is ours to replace.

        Parameters
        ----------
        name, pipeline : str
        source : str, optional
            Where the span lies that is scored: what is there must be of no other span that happens
            to have its name. None: whoever names a file replaces it.

        Raises
        ------
        UserError
            If it is there and has no receipt, or that of another pipeline or span.
        """
        known = self.receipt(name)
        if known is None and self.state(name) is not None:
            found = f"there {self.others} that it did not write"
        elif known is not None and known.pipeline != pipeline:
            found = f"it holds those of the pipeline {known.pipeline}"
        elif known is not None and source is not None and known.source != source:
            found = f"it holds those of {known.source}"
        else:
            return
        raise UserError(
            "SCORE-TAKEN",
            self.where(name),
            f"predictions replace nothing but those of the same span in {self.replaced}",
            found,
            "Name another output, or remove what is there",
        )

    def refuse_input(self, source: Source, single: str | None) -> None:
        """Make sure that what is written here is not read by the next call.

        Raises
        ------
        UserError
            If the files would be spans of the source.
        """
        if single is None and self._is_below(source):
            raise UserError(
                "SCORE-OUTPUT",
                self.address,
                "predictions lie apart from what is scored",
                "the next call would read them as spans of the input",
                "Name another folder",
            )

    @abstractmethod
    def _is_below(self, source: Source) -> bool:
        """Whether a source reads all that is written here."""


class Files(Destination):
    """A place of files, each with a receipt in a file beside it."""

    @abstractmethod
    def _appear(self, path: Path, name: str) -> str:
        """Have a staged file appear under its name in one step; returns its state."""

    @abstractmethod
    def _read(self, name: str) -> bytes | None: ...

    @abstractmethod
    def _write(self, name: str, data: bytes) -> None: ...

    def publish(self, path: Path, name: str, receipt: Receipt) -> Receipt:
        """The receipt, the file, and the receipt with what the file is."""
        self.note(name, receipt)
        done = receipt.model_copy(update={"state": self._appear(path, name)})
        self.note(name, done)
        return done

    def receipt(self, name: str) -> Receipt | None:
        """Of a file."""
        data = self._read(_receipt_of(name))
        try:
            return Receipt.model_validate_json(data) if data is not None else None
        except ValidationError:
            return None

    def note(self, name: str, receipt: Receipt) -> None:
        """Write the receipt of a file."""
        self._write(_receipt_of(name), canonical_json(receipt))


class Folder(Files):
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, folder.as_posix()

    def _is_below(self, source: Source) -> bool:
        from everfit.data.sources.files import FileSource

        if not isinstance(source, FileSource) or len(source.pattern) == 0:
            return False
        below = self.folder.resolve().is_relative_to(source.base.resolve())
        return below and "**" in source.pattern

    def staged(self, name: str, scratch: Path) -> Path:  # noqa: ARG002  (renames stay in a folder)
        """A hidden file beside it; what killed processes left is removed."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(".*.part"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > LEFTOVER_SECONDS:
                    left.unlink()
        return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")

    def _appear(self, path: Path, name: str) -> str:
        """Sync and rename."""
        state = digest_file(path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(self.folder / name)
        _sync((self.folder / name).parent)
        return state

    def state(self, name: str) -> str | None:
        """Its sha-256."""
        try:
            return digest_file(self.folder / name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _write(self, name: str, data: bytes) -> None:
        path = self.staged(name, self.folder)
        try:
            path.write_bytes(data)
            self._appear(path, name)
        finally:
            path.unlink(missing_ok=True)


class Bucket(Files):
    """A prefix in S3."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix
        self.address = f"s3://{bucket}/{prefix}".rstrip("/")

    def _is_below(self, source: Source) -> bool:
        from everfit.data.sources.s3 import S3Source

        if not isinstance(source, S3Source) or source.pattern:
            return False
        return f"{self.address}/".startswith(source.spec.address.rstrip("/") + "/")

    def staged(self, name: str, scratch: Path) -> Path:
        """A private file; an object appears whole or not at all."""
        return scratch / f"scored-{secrets.token_hex(4)}{PurePosixPath(name).suffix}"

    def _appear(self, path: Path, name: str) -> str:
        """Upload, in parts where it is large."""
        with self._explained() as client:
            client.upload_file(str(path), self._bucket, self._key(name))
        return self.state(name) or ""

    def state(self, name: str) -> str | None:
        """Its etag and size."""
        with self._explained() as client:
            try:
                head = client.head_object(Bucket=self._bucket, Key=self._key(name))
            except client.exceptions.ClientError as error:
                if failure_of(error).kind == "no-object":
                    return None
                raise
        return f"{head['ETag']} {head['ContentLength']}"

    def _read(self, name: str) -> bytes | None:
        with self._explained() as client:
            try:
                answer = client.get_object(Bucket=self._bucket, Key=self._key(name))
            except client.exceptions.ClientError as error:
                if failure_of(error).kind == "no-object":
                    return None
                raise
            data: bytes = answer["Body"].read()
        return data

    def _write(self, name: str, data: bytes) -> None:
        with self._explained() as client:
            client.put_object(Bucket=self._bucket, Key=self._key(name), Body=data)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextmanager
    def _explained(self) -> Iterator[Any]:
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError

        from everfit.data.sources.aws import client

        try:
            yield client("s3")
        except (ClientError, BotoCoreError, S3UploadFailedError) as raised:
            error = raised.__context__ if isinstance(raised, S3UploadFailedError) else raised
            failure = failure_of(error if isinstance(error, Exception) else raised)
            match failure.kind:
                case "credentials":
                    raise CredentialsError(
                        "SCORE-CREDENTIALS",
                        self.address,
                        "credentials must allow s3:GetObject, s3:PutObject and s3:ListBucket here",
                        failure.found,
                        "Correct the AWS_* settings or the bucket's policy",
                    ) from raised
                case "configuration" | "no-container":
                    raise UserError(
                        "SCORE-OUTPUT",
                        self.address,
                        "the bucket must exist, in a region that is set",
                        failure.found,
                        "Correct --output, AWS_DEFAULT_REGION or AWS_ENDPOINT_URL",
                    ) from raised
            raise Unavailable(
                "SCORE-UNAVAILABLE",
                self.address,
                "S3 must answer",
                failure.found,
                "Check the network and AWS_ENDPOINT_URL, and try again",
            ) from raised


def open_destination(address: str, settings: Settings) -> tuple[Destination, str | None, Form]:
    """The place that an address names.

    Parameters
    ----------
    address : str
        A folder or ``s3://bucket/prefix``, which takes a file for each span; one file, which ends
        with ``.parquet`` or ``.csv`` and takes one span; or ``sql:connection:table``.
    settings : Settings
        ``{data}`` stands for its data folder.

    Returns
    -------
    Destination
    name : str or None
        Of the one file.
    form : {"parquet", "csv"}

    Raises
    ------
    UserError
        If nothing can be written there.
    """
    if address.startswith(DATABASE):
        from everfit.steps.score.table import table_at

        return table_at(address), None, "parquet"
    scheme = scheme_of(address)
    text = address.replace("{data}", str(settings.data)).removeprefix("file://").rstrip("/")
    head, _, last = text.rpartition("/")
    form: Form = "csv" if last.lower().endswith(".csv") else "parquet"
    single = last.lower().endswith((".csv", ".parquet"))
    if scheme not in ("", "file", "s3") or (not single and has_known_suffix(last, last)):
        raise UserError(
            "SCORE-OUTPUT",
            "--output",
            "predictions are written to a folder, to s3://bucket/prefix, to a file that ends with "
            ".parquet or .csv, or to sql:CONNECTION:TABLE",
            f"it is {address[:80]!r}" if "@" not in address else f"it is of {scheme}://",
            "Name one of these; the URL of a database is kept in EVERFIT_CONN_<CONNECTION>",
        )
    if text.startswith("s3://"):
        place = head if single else text
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        return Bucket(bucket, prefix), last if single else None, form
    path = Path(text).expanduser()
    path = path if path.is_absolute() else Path.cwd() / path
    return (Folder(path.parent), path.name, form) if single else (Folder(path), None, form)


def _receipt_of(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"{folder}/{RECEIPTS}/{last}.json" if folder else f"{RECEIPTS}/{last}.json"


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
