"""Labels that stand apart from the rows they belong to, and come later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from everfit.contracts.base import Frozen
from everfit.contracts.spec.durations import Duration
from everfit.contracts.spec.joined import JoinSpec
from everfit.contracts.spec.source import AddressedSource, Column, SourceSpec


class LabelsSpec(Frozen):
    """Where labels come from, and how long after its time a row waits for its own."""

    source: SourceSpec = Field(
        description="where the labels come from, with the fields of ``source``"
    )
    key: tuple[Column, ...] = Field(
        min_length=1, description="columns that name a row, here and in the source"
    )
    value: Column = Field(description="the column to join: the target, or one it is computed from")
    time: Column | None = Field(
        None,
        description="when a label became known; without it the label's span says by its period how "
        "far labels are known, and of several labels of a row the last counts",
    )
    horizon: Duration = Field(
        description="a row's label is that of so long after its time: until labels are known up to "
        "then, it is in no window and no holdout"
    )
    unlabelled: Literal["drop", "quarantine"] = Field(
        "drop", description="what follows of rows that have no label when theirs is due"
    )

    @model_validator(mode="after")
    def _says_how_far(self) -> LabelsSpec:
        source = self.source
        if self.time is None and isinstance(source, AddressedSource):
            dated = source.period or (source.span and source.span != "folder")
            if not dated and source.kind in ("files", "s3", "https"):
                raise ValueError(
                    "nothing says up to when labels are known: name the column (time), or the "
                    "period of the files (source.period)"
                )
        return self

    @property
    def as_join(self) -> JoinSpec:
        """The same as a table that is joined by key."""
        return JoinSpec(source=self.source, on=self.key, as_of=self.time, columns=(self.value,))


def label_problems(
    labels: LabelsSpec | None,
    source: SourceSpec,
    time: str | None,
    targets: frozenset[str],
    skip_recent: int,
) -> Iterator[str]:
    """What of the labels does not hold together with the rest of a spec.

    Parameters
    ----------
    labels : LabelsSpec or None
    source : SourceSpec
        Of the pipeline.
    time : str or None
        The pipeline's.
    targets : frozenset of str
        The target's column, or those it is computed from.
    skip_recent : int
        ``window.skip_recent``.
    """
    if labels is None:
        return
    if time is None:
        yield "labels: a row's own time says when its label is due: set time"
    if labels.value not in targets:
        yield f"labels.value: {labels.value!r} is neither the target nor a column it is made of"
    if labels.value in {*labels.key, time}:
        yield f"labels.value: {labels.value!r} is in the source already"
    if source.columns is not None and (lacking := set(labels.key) - set(source.columns)):
        yield f"labels.key: {min(lacking)!r} is not read: add it to source.columns"
    if skip_recent:
        yield (
            "window.skip_recent: labels.horizon says by the rows themselves which spans are too "
            "recent: leave it out"
        )
