"""What a registered version can be rebuilt from, years later and on another machine."""

from __future__ import annotations

from pydantic import Field

from everfit.contracts.base import Digest, Frozen
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.requests import RegisterRequest
from everfit.contracts.messages.steps import Component


class Dossier(Frozen):
    """Everything register knew of a version; kept in the store, named by the version's record."""

    request: RegisterRequest
    upstream: dict[Component, tuple[Digest, ...]] = Field(
        description="component → digests of its result documents; each names the data it made"
    )
    code: Artifact = Field(description="tar of the package's source, all of it")
    package: Digest = Field(
        description="digest of that source; the run has that of the part that decides"
    )
    lock: Artifact = Field(description="requirements with hashes, or the versions installed")
    judged: Digest | None = Field(
        None, description="of a refit: the dossier of the version whose settings were fitted"
    )
    environment: dict[str, str] = Field(description="python, machine, versions, kernel variables")
