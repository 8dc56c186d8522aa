"""Differences that matter, and what a gate requires of a gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from everfit.contracts.base import Frozen
from everfit.contracts.wording import percent, plain, setting

Intention = Literal["superior_by", "not_worse_than"]
GainOutcome = Literal["met", "undecided", "missed"]


class Margin(Frozen):
    """A difference that matters, absolute or relative to the baseline's score."""

    value: float = Field(ge=0, allow_inf_nan=False, description="written as 1% or 0.5")
    relative: bool = Field(False, description="of the baseline's score")

    def of(self, score: float) -> float:
        """The margin in the unit of a score."""
        return self.value * abs(score) if self.relative else self.value

    @property
    def half(self) -> Margin:
        """Half of it, in the same unit."""
        return self.model_copy(update={"value": self.value / 2})

    @property
    def text(self) -> str:
        """``5 %`` or ``0.5``."""
        return percent(self.value) if self.relative else plain(self.value)


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


@dataclass(frozen=True)
class RequiredGain:
    """An intention and its margin: what a gate requires of the gain over the baseline.

    Attributes
    ----------
    intention : {"superior_by", "not_worse_than"}
    margin : float
        At least 0, in the metric's unit.

    Examples
    --------
    >>> required = RequiredGain("not_worse_than", 0.1)
    >>> required.least, required.in_words("$"), required.outcome(-0.05, 0.3)
    (-0.1, 'not worse by more than $0.1', 'met')
    """

    intention: Intention
    margin: float

    @property
    def least(self) -> float:
        """The gain that the whole interval must lie above; negative where a loss is allowed."""
        return sign_of(self.intention) * self.margin

    def outcome(self, low: float, high: float) -> GainOutcome:
        """Compare an interval of the gain with what is required.

        Parameters
        ----------
        low, high : float
            Bounds of the interval; positive where the candidate is better.

        Returns
        -------
        {"met", "undecided", "missed"}
            ``superior_by`` is met where ``low >= margin`` and ``low > 0``, and missed where
            ``high < margin`` or ``high <= 0``. ``not_worse_than`` is met where ``low >= -margin``
            and missed where ``high < -margin``. Anything else, and any bound that is not a number,
            is undecided.
        """
        strictly = self.intention == "superior_by"
        if low >= self.least and high >= low and (low > 0 or not strictly):
            return "met"
        return "missed" if high < self.least or (strictly and high <= 0) else "undecided"

    def in_words(self, unit: str | None = None) -> str:
        """``better by at least $0.05``, ``not worse by more than 0.1``."""
        return required_in_words(self.intention, setting(self.margin, unit))


def sign_of(intention: Intention) -> float:
    """Of the least gain: 1 where the candidate must be better, -1 where it may be worse."""
    return 1.0 if intention == "superior_by" else -1.0


def required_in_words(intention: Intention, margin: str, than: str = "") -> str:
    """An intention as people say it.

    Parameters
    ----------
    intention : {"superior_by", "not_worse_than"}
    margin : str
        As it is written, with its unit.
    than : str, optional
        What the candidate is compared with.

    Examples
    --------
    >>> required_in_words("superior_by", "1 %", "the champion's")
    "better than the champion's by at least 1 %"
    """
    whom = f" than {than}" if than else ""
    if intention == "superior_by":
        return f"better{whom} by at least {margin}"
    return f"not worse{whom} by more than {margin}"
