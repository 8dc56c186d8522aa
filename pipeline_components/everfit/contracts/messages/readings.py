"""What reading a span has shown: columns that were read oddly, rows that rules do not hold for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from everfit.contracts.base import Frozen
from everfit.contracts.spec.row_rules import RuleAction
from everfit.contracts.spec.table_schema import ColumnType

Kind = Literal["unreadable", "read_as", "looks_like", "exact"]


class ColumnReading(Frozen):
    """One thing to tell of one column."""

    column: str
    kind: Kind = Field(
        description="``unreadable``: cells that are not of the column's type and count as missing; "
        "``read_as``: a format found by itself; ``looks_like``: a text column whose values look "
        "like something else; ``exact``: digits kept as text"
    )
    type: ColumnType = Field(description="of the column, as read")
    values: int = Field(description="cells that are not empty")
    odd: int = Field(0, description="of these, cells the sentence is about")
    blank: int = Field(0, description="of the odd ones, nothing but white space")
    message: str = Field(description="a sentence with counts and examples")
    todo: str = Field("", description="the setting that changes it")

    @property
    def share(self) -> float:
        """Odd cells among the values; white space says nothing of a column's type."""
        present = self.values - self.blank
        return (self.odd - self.blank) / present if present > 0 else 0.0


class BrokenRule(Frozen):
    """A rule of ``validation.rows`` that does not hold for some rows of a span."""

    rule: str = Field(description="the expression")
    action: RuleAction
    rows: int = Field(description="for which it does not hold")
    missing: int = Field(0, description="of these, rows for which it cannot be computed")
    of: int = Field(description="rows it was asked of: those that no rule before had dropped")
