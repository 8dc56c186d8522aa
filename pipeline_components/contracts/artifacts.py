"""References to stored bytes."""

from __future__ import annotations

from pydantic import Field

from .base import Digest, Frozen


class Artifact(Frozen):
    """Bytes in the store, named by their digest."""

    name: str = Field(description="what a person would call the file, with its suffix")
    digest: Digest
    size: int = Field(description="bytes")
