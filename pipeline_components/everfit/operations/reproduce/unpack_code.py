"""The source a version was made with, out of its archive into a folder, and nothing else."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError
from everfit.engine.fingerprints import source_digest

PACKAGE = "everfit"

MOST_BYTES = 64 << 20
"""More than this is no source code."""

MOST_FILES = 10_000


def unpack_code(archive: bytes, package: Digest, folder: Path, called: str) -> None:
    """Write the files below ``folder``, once they are proven to be the package of the record.

    Only plain files below the package are taken, under names that cannot leave it; their bytes
    are read, and nothing the archive says of links, owners or modes is done.

    Parameters
    ----------
    archive : bytes
        A tar, its digest verified.
    package : Digest
        What the dossier says of its source.
    folder : Path
        An empty private folder, to be put on ``sys.path``.
    called : str
        What to call the version.

    Raises
    ------
    IntegrityError
        If it is no such archive, or not of that package; nothing is written then.
    """
    try:
        files = dict(_files(archive))
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise _refused(called, str(error) or "it is no tar archive") from error
    if (found := source_digest(files)) != package:
        raise _refused(
            called, f"it holds the package {found[:12]}, and the run was of {package[:12]}"
        )
    for name, data in files.items():
        path = folder / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _files(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Path below the package → content."""
    left = MOST_BYTES
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        for number, member in enumerate(tar):
            if member.isdir():
                continue
            name = PurePosixPath(member.name)
            if (
                not member.isfile()
                or name.is_absolute()
                or ".." in name.parts
                or len(name.parts) < 2
                or name.parts[0] != PACKAGE
                or "\\" in member.name
                or "\0" in member.name
            ):
                raise ValueError(f"it holds {member.name[:80]!r}, which is no file of the package")
            left -= member.size
            if left < 0 or number >= MOST_FILES:
                raise ValueError("it is larger than any source code")
            file = tar.extractfile(member)
            assert file is not None
            yield PurePosixPath(*name.parts[1:]).as_posix(), file.read()


def _refused(called: str, found: str) -> IntegrityError:
    return IntegrityError(
        "REPRODUCE-ARCHIVE",
        called,
        "the recorded archive must hold the code of the run",
        found,
        "Restore the store from its backup, or try with the code of here: --here",
    )
