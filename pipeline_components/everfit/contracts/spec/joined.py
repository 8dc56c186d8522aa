"""Tables beside the source: columns that are joined to every span by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import Field, field_validator

from everfit.contracts.base import Frozen
from everfit.contracts.spec.source import Column, SourceSpec


class JoinSpec(Frozen):
    """A further table, joined by key: at most one row of it for each row of the source."""

    source: SourceSpec = Field(
        description="where the table comes from, with the fields of ``source``"
    )
    on: tuple[Column, ...] = Field(
        min_length=1, description="columns that name a row of the table, here and in the source"
    )
    as_of: Column | None = Field(
        None,
        description="time from which a row of the table is known: of several the newest counts "
        "that is not later than the row's own ``time``; without it the table has one row a key",
    )
    columns: tuple[Column, ...] = Field(min_length=1, description="columns to join")
    prefix: str = Field("", max_length=50, description="put before their names")

    @field_validator("on", "columns")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"a column is given once: {name!r} is there twice")
        return names

    @property
    def names(self) -> dict[str, str]:
        """Column of the table → what it is called in the span."""
        return {column: f"{self.prefix}{column}" for column in self.columns}

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the table that are read."""
        known = (self.as_of,) if self.as_of else ()
        return tuple(dict.fromkeys((*self.on, *known, *self.columns)))


def join_problems(joins: Sequence[JoinSpec], source: SourceSpec, time: str | None) -> Iterator[str]:
    """What of the joins does not hold together.

    Parameters
    ----------
    joins : sequence of JoinSpec
    source : SourceSpec
        Of the pipeline.
    time : str or None
        The pipeline's.
    """
    made = Counter(name for one in joins for name in one.names.values())
    for number, one in enumerate(joins):
        where = f"join.{number}"
        if one.as_of and time is None:
            yield f"{where}.as_of: a row's own time is what it is compared with: set time"
        for name in one.names.values():
            if made[name] > 1:
                yield f"{where}: another join makes a column {name!r}, too: give one a prefix"
            if name in {*one.on, time}:
                yield f"{where}: {name!r} is in the source already: leave it out, or give a prefix"
        if source.columns is not None and (lacking := set(one.on) - set(source.columns)):
            yield f"{where}.on: {min(lacking)!r} is not read: add it to source.columns"
        if one.source.columns is not None and (lacking := set(one.reads) - set(one.source.columns)):
            yield f"{where}: {min(lacking)!r} is not read: add it to {where}.source.columns"
