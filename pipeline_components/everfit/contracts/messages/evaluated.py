"""One condition of a trigger, evaluated once."""

from __future__ import annotations

from pydantic import Field

from everfit.contracts.base import Frozen


class Evaluated(Frozen):
    """One condition, evaluated once."""

    condition: str = Field(description="as the spec says it, in one line")
    kind: str = Field(description="the trigger kind, staleness, or what may hold back")
    looked_at: str = Field(description="what the evaluation read")
    measured: str = Field(description="what it found, with units")
    fired: bool = Field(description="the condition is met; of what may hold back: it does")
    because: str = Field(description="a sentence")
