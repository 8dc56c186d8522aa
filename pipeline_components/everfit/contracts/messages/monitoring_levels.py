"""What a monitored span is tested at: of one rate over pipelines, of one level over a life."""

from __future__ import annotations

from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.wording import count, percent


class DriftLevel(Frozen):
    """What a span's drift is tested at, of one rate over all pipelines of a ledger."""

    level: float = Field(description="Holm's correction over its columns keeps this one")
    rate: float = Field(description="``monitor.across_pipelines``")
    pipelines: int = Field(description="among which a round is shared, this one among them")
    drifted: int = Field(
        0, description="windows of other pipelines that drifted since this pipeline's last one"
    )
    repeated: bool = Field(
        False, description="a span that was tested before: at the same level, and counted then"
    )
    counts: bool = Field(
        False, description="it drifted at its share of the rate alone: others gain by it"
    )

    @property
    def share(self) -> float:
        """The pipeline's share of the rate, whatever drifted elsewhere."""
        return min(self.rate / self.pipelines, self.level)

    @property
    def in_words(self) -> str:
        """``tested at 0.15 %: 5 % shared by 100 pipelines, times 3 windows of others …``."""
        text = f"tested at {percent(self.level)}: {percent(self.rate)}"
        if self.pipelines > 1:
            text += f" shared by {count(self.pipelines, 'pipeline')}"
        else:
            text += ", as no other pipeline is monitored"
        if self.drifted > 1:
            text += f", times {self.drifted} windows of others that have drifted since its last"
        if self.repeated:
            text += "; as when it was first tested"
        return text


class DecayTest(Frozen):
    """Whether a span, of all in a champion's life, shows that it has surely become worse."""

    place: int = Field(description="in the champion's life, from 1")
    level: float = Field(description="of this place; over a life they add up to decay_level")
    p_value: float = Field(description="of the newest spans, so many as say most")
    spans: int = Field(1, description="how many those are")

    @property
    def met(self) -> bool:
        """Whether it is surely worse."""
        return self.p_value <= self.level

    @property
    def in_words(self) -> str:
        """``p-value 0.02 % over the newest 4 spans, tested at 0.05 %: span 12 of …``."""
        over = f" over the newest {self.spans} spans" if self.spans > 1 else ""
        return (
            f"p-value {percent(self.p_value)}{over}, tested at {percent(self.level)}: span "
            f"{self.place} of the champion's life"
        )
