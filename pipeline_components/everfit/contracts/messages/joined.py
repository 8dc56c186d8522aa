"""What was joined to a span, counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


class Labelled(Frozen):
    """The labels of one span."""

    rows: int = Field(description="of the span")
    labelled: int = Field(description="rows whose label is due and known")
    immature: int = Field(description="rows whose label is not due yet: none is shown")
    late: int = Field(0, description="rows whose label came only after it was due")
    entries: int = Field(0, description="labels of these rows, in the table of labels")
    repeated: int = Field(0, description="of these, labels of a row that has others")
    mature: bool = Field(description="whether the span counts: its labels are due")
    due: str | None = Field(None, description="ISO time at which the last of its rows' is")
    known_until: str | None = Field(None, description="ISO time up to which labels were known")

    @property
    def unlabelled(self) -> int:
        """Rows that have no label although it is due."""
        return self.rows - self.immature - self.labelled


def labelled_text(found: Sequence[Labelled]) -> str:
    """What came of joining labels to some spans.

    Examples
    --------
    >>> one = Labelled(rows=500, labelled=480, immature=0, late=3, mature=True, repeated=2)
    >>> two = Labelled(rows=500, labelled=0, immature=500, mature=False)
    >>> labelled_text([one, two])
    '480 of 1,000 rows have one; 500 are not due, 20 have none that came in time (3 came late); 2 \
were replaced by newer ones'
    """

    def total(values: Iterable[int]) -> int:
        return sum(values)

    immature = total(one.immature for one in found)
    without, late = total(one.unlabelled for one in found), total(one.late for one in found)
    repeated = total(one.repeated for one in found)
    text = f"{total(one.labelled for one in found):,} of {total(one.rows for one in found):,} "
    text += "rows have one"
    parts = [f"{immature:,} are not due"] * bool(immature)
    if without:
        parts.append(
            f"{without:,} have none that came in time" + f" ({late:,} came late)" * bool(late)
        )
    text += f"; {', '.join(parts)}" if parts else ""
    return text + (f"; {repeated:,} were replaced by newer ones" if repeated else "")


def waits_for(labels: Labelled) -> str:
    """What a span waits for whose labels are not due."""
    until = (
        f"labels are known up to {labels.known_until}" if labels.known_until else "there are none"
    )
    return f"they are due at {labels.due}, {until}" if labels.due else f"no row has a time, {until}"
