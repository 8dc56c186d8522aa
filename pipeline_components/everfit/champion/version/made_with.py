"""What a model was made with: Python, the versions of distributions, and our own source."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import everfit
from everfit.contracts.messages.dossier import Dossier
from everfit.engine.fingerprints import environment
from everfit.storage.store import Store

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class MadeWith:
    """Asked for names; what is not known is None."""

    environment: Mapping[str, str]
    """As ``identity.environment`` tells it: ``python`` is among its names."""
    version: Callable[[str], str | None]
    """Of a distribution, by its name."""
    source: Callable[[str], bytes | None]
    """Of a file of ours, by its path below the folder that goes on ``sys.path``."""

    def pins(self, names: set[str]) -> list[str]:
        """``name==version`` of each that is known, sorted."""
        found = ((name, self.version(name)) for name in sorted(names))
        return [f"{name}=={number}" for name, number in found if number is not None]


def made_here() -> MadeWith:
    """What a model of this process is made with."""
    return MadeWith(environment(), _installed, _source)


def made_as_told(dossier: Dossier, store: Store) -> MadeWith:
    """What the model of a dossier was made with, whatever is installed here.

    Raises
    ------
    IntegrityError
        If the store lost or altered the code or the lock.
    """
    locked = _PINNED.findall(store.get(dossier.lock.digest).decode())
    versions = {_plain(name): number for name, number in locked}
    versions |= {_plain(name): found for name, found in dossier.environment.items()}
    with tarfile.open(fileobj=io.BytesIO(store.get(dossier.code.digest))) as archive:
        files = {
            entry.name: file.read()
            for entry in archive
            if entry.isfile() and (file := archive.extractfile(entry)) is not None
        }
    return MadeWith(dossier.environment, lambda name: versions.get(_plain(name)), files.get)


def _plain(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _source(name: str) -> bytes | None:
    path = Path(everfit.__file__).parent.parent / name
    return path.read_bytes() if path.is_file() else None
