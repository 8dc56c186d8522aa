"""The DAG files as one archive: the same files give the same bytes, and a version."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, digest_bytes, digest_of
from everfit.contracts.errors import SpecError, UserError
from everfit.contracts.spec.load import load_spec, spec_paths

ARCHIVE = "dags.tar.gz"
MANIFEST = "bundle.json"
LEFT_OUT = ("__pycache__",)


class Manifest(Frozen):
    """What is in a bundle."""

    format: int = 1
    version: Digest = Field(description="digest of ``files``: the same files, the same version")
    sha256: Digest = Field(description="of the archive")
    size: int = Field(description="of the archive, in bytes")
    files: dict[str, Digest] = Field(description="path → sha-256, sorted")
    commit: str = Field("", max_length=64, description="where they come from; part of no digest")


def read_files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder of DAGs, by its path; hidden ones and caches are left out.

    Raises
    ------
    UserError
        If there is none, or one is a link: what it leads to would depend on the machine.
    SpecError
        If a pipeline's YAML is wrong: such a bundle is not made.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part in LEFT_OUT for part in parts):
            continue
        if path.is_symlink():
            raise UserError(
                "BUNDLE-LINK",
                "/".join(parts),
                "a bundle holds files and no links",
                todo="Put the file itself there",
            )
        if path.is_file() and path.suffix != ".pyc":
            found["/".join(parts)] = path.read_bytes()
    if not found:
        raise UserError(
            "BUNDLE-EMPTY", str(folder), "the folder of DAGs must hold files", "there is none"
        )
    problems: list[str] = []
    for spec in spec_paths(folder / "pipelines"):
        try:
            load_spec(spec)
        except SpecError as error:
            problems += error.located
    if problems:
        raise SpecError("bundle", problems)
    return found


def pack(files: Mapping[str, bytes], commit: str = "") -> tuple[bytes, Manifest]:
    """Archive files under ``dags/``; order, owners, modes and times are always the same."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"dags/{name}")
            entry.size, entry.mode = len(files[name]), 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    packed = gzip.compress(plain.getvalue(), compresslevel=9, mtime=0)
    digests = {name: digest_bytes(files[name]) for name in sorted(files)}
    return packed, Manifest(
        version=digest_of(digests),
        sha256=digest_bytes(packed),
        size=len(packed),
        files=digests,
        commit=commit,
    )
