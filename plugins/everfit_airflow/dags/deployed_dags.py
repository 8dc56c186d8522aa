"""The DAG bundle of what ``everfit deploy`` deployed: versioned, whole, and verified.

Configured in ``[dag_processor] dag_bundle_config_list``::

    {"name": "deployed", "classpath": "everfit_airflow.dags.deployed_dags.DeployedDags",
     "kwargs": {"url": "s3://models/deployed", "aws_conn_id": "aws", "public_key": "/cosign.pub"}}

The deployment with the highest number counts. A run stays with the version it began with. With a
public key, DAG files are used only where their manifest was signed with the private one
(``make sign``).
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

from everfit.contracts.base import digest_bytes, digest_of
from everfit.contracts.errors import IntegrityError, UserError

NUMBER = re.compile(r"([0-9]{6,})\.json")
KEPT = 2
"""Versions that are kept here: what is parsed at the moment may be the one before."""

Read = Callable[[str], bytes]
Names = Callable[[], list[str]]


class DeployedDags(BaseDagBundle):
    """DAG files from numbered deployments in a folder or a bucket.

    Parameters
    ----------
    url : str
        ``file:///folder`` or ``s3://bucket/prefix``, as ``everfit deploy --to`` has it.
    aws_conn_id : str, optional
        Airflow connection of type aws; the usual chain of AWS where left out.
    public_key : str, optional
        In PEM, or a file that holds it; without one, digests alone are verified.
    """

    supports_versioning = True

    def __init__(
        self,
        *,
        url: str,
        aws_conn_id: str | None = None,
        public_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._url, self._connection, self._key = url, aws_conn_id, public_key
        self._signed: set[str] = set()
        self._current: str | None = None

    @property
    def path(self) -> Path:
        """Where the DAG files are."""
        return self._folder(self.version or self._current or "none") / "dags"

    def get_current_version(self) -> BundleVersion | None:
        """The digest of the DAG files."""
        version = self.version or self._current
        return BundleVersion(version=version) if version else None

    def initialize(self) -> None:
        """Fetch the version asked for, or the deployed one."""
        if self.version:
            with self.lock():
                self._unpack(self.version, None)
        else:
            self.refresh()
        super().initialize()

    def refresh(self) -> None:
        """Fetch what is deployed now; where nothing is, there are no DAGs."""
        if self.version:
            return
        with self.lock():
            read, names = self._reader()
            found = max((int(m[1]) for n in names() if (m := NUMBER.fullmatch(n))), default=None)
            if found is None:
                self.path.mkdir(parents=True, exist_ok=True)
                return
            deployment = json.loads(read(_key_of(found)))
            version = str(deployment["bundle"]["version"])
            self._unpack(version, deployment)
            self._current = version
            self._forget()

    def _folder(self, version: str) -> Path:
        return (self.versions_dir if self.version else self.base_dir / "deployed") / version

    def _unpack(self, version: str, deployment: dict[str, Any] | None) -> None:
        """Put a version's files in place in one step; they are verified one by one."""
        if not re.fullmatch(r"[0-9a-f]{64}", version):
            raise UserError("DAGS-VERSION", version[:80], "a version is a sha-256")
        self._refuse_unsigned(version, deployment)
        folder = self._folder(version)
        if folder.is_dir():
            folder.touch()
            return
        read, _ = self._reader()
        archive = read(f"bundles/{version}.tar.gz")
        if deployment and digest_bytes(archive) != str(deployment["bundle"]["sha256"]):
            raise _altered(version)
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
        try:
            with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
                packed.extractall(aside, filter="data")
            if version_of(aside / "dags") != version:
                raise _altered(version)
            aside.chmod(0o755)
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _refuse_unsigned(self, version: str, deployment: dict[str, Any] | None) -> None:
        """Make sure that somebody who holds the private key has signed the version's manifest.

        The version is the digest of all files, so that what is signed is each of them.
        """
        if not self._key or version in self._signed:
            return
        for one in [deployment] if deployment else self._deployments(version):
            text = str(one.get("signed") or "")
            signed = is_signed(text, str(one.get("signature") or ""), self._key)
            if signed and json.loads(text).get("version") == version:
                self._signed.add(version)
                return
        raise IntegrityError(
            "DAGS-UNSIGNED",
            f"bundle {version[:12]}",
            "its manifest must be signed with the key that public_key belongs to",
            "it has no signature, or another's; none of the files is used",
            "Sign it (make sign), and deploy it anew",
        )

    def _deployments(self, version: str) -> Iterator[dict[str, Any]]:
        """Those that named a version, newest first."""
        read, names = self._reader()
        for number in sorted(
            (int(m[1]) for n in names() if (m := NUMBER.fullmatch(n))), reverse=True
        ):
            found = json.loads(read(_key_of(number)))
            if found["bundle"]["version"] == version:
                yield found

    def _forget(self) -> None:
        """Remove versions that are no longer deployed, but the newest of them."""
        there = sorted(
            (one for one in (self.base_dir / "deployed").iterdir() if one.name[0] != "."),
            key=lambda one: one.stat().st_mtime_ns,
        )
        for old in there[:-KEPT]:
            if old.name != self._current:
                shutil.rmtree(old, ignore_errors=True)

    def _reader(self) -> tuple[Read, Names]:
        parts = urlsplit(self._url)
        if parts.scheme == "file":
            return _of_folder(Path(unquote(parts.path)))
        if parts.scheme == "s3":
            return _of_bucket(parts.netloc, parts.path.strip("/"), self._connection)
        raise UserError(
            "DAGS-URL",
            self._url[:200],
            "deployments are in file:// or s3://",
            todo="Correct the bundle's url in dag_bundle_config_list",
        )


def version_of(folder: Path) -> str:
    """The version of DAG files: the digest of path → sha-256."""
    return digest_of(
        {
            path.relative_to(folder).as_posix(): digest_bytes(path.read_bytes())
            for path in folder.rglob("*")
            if path.is_file()
        }
    )


def is_signed(text: str, signature: str, key: str) -> bool:
    """Whether a text was signed by cosign with the private part of a key.

    Parameters
    ----------
    text : str
        To the letter.
    signature : str
        In base64, as ``cosign sign-blob --output-signature`` writes it.
    key : str
        The public part in PEM, or a file that holds it.

    Raises
    ------
    UserError
        If the key is none that cosign signs with.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        pem = key if key.lstrip().startswith("-----") else Path(key).read_text(encoding="utf-8")
        public = load_pem_public_key(pem.encode())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UserError(
            "DAGS-KEY",
            "public_key of the bundle",
            "it is a public key in PEM, or a file that holds one",
            type(error).__name__,
            "Correct it in dag_bundle_config_list",
        ) from None
    if not text or not signature:
        return False
    try:
        said, signed = base64.b64decode(signature, validate=True), text.encode()
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(said, signed, ec.ECDSA(SHA256()))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(said, signed)
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(said, signed, padding.PKCS1v15(), SHA256())
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


def _key_of(number: int) -> str:
    return f"deployments/{number:06d}.json"


def _of_folder(root: Path) -> tuple[Read, Names]:
    def names() -> list[str]:
        folder = root / "deployments"
        return [path.name for path in folder.iterdir()] if folder.is_dir() else []

    return lambda key: (root / key).read_bytes(), names


def _of_bucket(bucket: str, prefix: str, connection: str | None) -> tuple[Read, Names]:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id=connection).get_conn()
    start = f"{prefix}/" if prefix else ""

    def read(key: str) -> bytes:
        with client.get_object(Bucket=bucket, Key=start + key)["Body"] as body:
            data: bytes = body.read()
        return data

    def names() -> list[str]:
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{start}deployments/"
        )
        found = (one["Key"] for page in pages for one in page.get("Contents", ()))
        return [key.rpartition("/")[2] for key in found]

    return read, names


def _altered(version: str) -> IntegrityError:
    return IntegrityError(
        "DAGS-ALTERED",
        f"bundle {version[:12]}",
        "its files must have their recorded digests",
        "they differ; none of the files is used",
        "Deploy that commit anew",
    )
