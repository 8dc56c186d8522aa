"""What was joined to a span, counted."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from everfit.contracts.base import Frozen


class Joined(Frozen):
    """One table, joined to one span."""

    table: str = Field(description="its address")
    rows: int = Field(description="of the span")
    matched: int = Field(description="of these, rows for which the table has one")
    later: int = Field(0, description="rows for which the table has only later ones")

    @property
    def missing(self) -> int:
        """Rows for which it has none at all."""
        return self.rows - self.matched - self.later


def joined_text(found: Sequence[Joined]) -> str:
    """What came of joining a table to some spans.

    Examples
    --------
    >>> joined_text([Joined(table="shops.csv", rows=500, matched=480, later=8)])
    '480 of 500 rows have a match; 8 have only later ones, 12 have none'
    """
    rows, matched = sum(one.rows for one in found), sum(one.matched for one in found)
    later, missing = sum(one.later for one in found), sum(one.missing for one in found)
    parts = [f"{later:,} have only later ones"] * bool(later)
    parts += [f"{missing:,} have none"] * bool(missing)
    text = f"{matched:,} of {rows:,} rows have a match"
    return f"{text}; {', '.join(parts)}" if parts else text
