"""References to stored bytes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from everfit.contracts.base import Digest, Frozen, OnlyShown


class Artifact(Frozen):
    """Bytes in the store, named by their digest."""

    name: str = Field(description="what a person would call the file, with its suffix")
    digest: Digest
    size: int = Field(description="bytes")


Shown = Annotated[str, OnlyShown]
"""A text for people alone."""

Report = Annotated[Artifact, OnlyShown]
"""A page, a picture, a model card or a document for other programs; it stays as it was drawn with
its result, and nothing that decides reads it."""
