"""``new_data``: the source has spans that no finished run has used yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.trigger_facts import Evaluated, Facts
from everfit.contracts.spec.triggers.kind import TriggerKind
from everfit.contracts.wording import count

if TYPE_CHECKING:
    from everfit.contracts.spec.pipeline import PipelineSpec


class NewData(TriggerKind):
    """Spans that no finished run has used yet, enough of them and with enough rows."""

    kind: Literal["new_data"] = "new_data"
    min_rows: int = Field(0, ge=0, description="fewest rows, in total over the new spans")
    min_spans: int = Field(1, ge=1, description="fewest new spans")

    meaning: ClassVar[str] = "enough good spans are there that no finished run has used yet"
    signal: ClassVar[str] = "new_data"

    def in_words(self, spec: PipelineSpec) -> str:  # noqa: ARG002
        """How many spans and rows."""
        rows = f" with {count(self.min_rows, 'row')} or more in total" if self.min_rows else ""
        return f"at least {count(self.min_spans, 'new span')}{rows} arrived"

    def evaluate(self, spec: PipelineSpec, facts: Facts) -> Evaluated:  # noqa: ARG002
        """Fire where there are enough new spans, with enough rows where rows are asked for."""
        names = [span.name for span in facts.new]
        rows = sum(span.rows or 0 for span in facts.new)
        unread = [span.name for span in facts.new if span.rows is None]
        fired = len(names) >= self.min_spans and rows >= self.min_rows
        if not names:
            because = "finished runs have used every good span"
        elif fired:
            amount = count(len(names), "new span")
            amount += f" with {count(rows, 'row')}" if self.min_rows else ""
            because = f"{amount}: {shortlist(names)}"
        elif len(names) < self.min_spans:
            because = f"{count(len(names), 'new span')}, {self.min_spans:,} needed"
        else:
            because = f"{count(rows, 'row')} in {shortlist(names)}, {self.min_rows:,} needed"
        if unread and self.min_rows:
            because += f"; not read yet, so not counted: {shortlist(unread)}"
        return Evaluated(
            condition=f"new_data: min_spans {self.min_spans:,}"
            + (f", min_rows {self.min_rows:,}" if self.min_rows else ""),
            kind=self.kind,
            looked_at="good spans of the source that no finished run has used",
            measured=f"{count(len(names), 'new span')}, {count(rows, 'row')}"
            + (f", {len(unread)} not read yet" if unread else ""),
            fired=fired,
            because=because,
        )
