"""Differences that matter, absolute or relative."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .base import Frozen


class Margin(Frozen):
    """A difference that matters, absolute or relative to the baseline's score."""

    value: float = Field(ge=0, allow_inf_nan=False, description="written as 1% or 0.5")
    relative: bool = Field(False, description="of the baseline's score")

    def of(self, score: float) -> float:
        """The margin in the unit of a score."""
        return self.value * abs(score) if self.relative else self.value


def read_margin(text: Any) -> Any:
    """Read ``1%`` as relative and ``0.5`` as absolute.

    Raises
    ------
    ValueError
        If a text is neither.
    """
    try:
        if isinstance(text, str) and text.strip().endswith("%"):
            return {"value": float(text.strip()[:-1]) / 100, "relative": True}
        if isinstance(text, int | float | str) and not isinstance(text, bool):
            return {"value": float(text), "relative": False}
    except ValueError:
        raise ValueError("a margin is a percentage such as 1% or a number") from None
    return text


WrittenMargin = Annotated[Margin, BeforeValidator(read_margin)]
"""A margin as a spec writes it."""
