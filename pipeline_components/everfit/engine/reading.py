"""One span as a typed table, for a step that reads spans of its own: extract does the reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from everfit.contracts.messages.requests import ExtractRequest
from everfit.contracts.messages.spans import Snapshot, SpanRef
from everfit.engine.context import Context
from everfit.engine.step import load_step

if TYPE_CHECKING:
    from everfit.data.sources import Source


@runtime_checkable
class ReadsSpans(Protocol):
    """A step that can read one span of a source that is open."""

    def snapshot(
        self,
        request: ExtractRequest,
        source: Source,
        ref: SpanRef,
        context: Context,
        progress: Callable[[float], None],
    ) -> Snapshot:
        """The span as a typed table in the store."""


def snapshot_of(
    request: ExtractRequest,
    source: Source,
    ref: SpanRef,
    context: Context,
    progress: Callable[[float], None],
) -> Snapshot:
    """Read one span as extract would; the same bytes, read alike, are converted once.

    Parameters
    ----------
    request : ExtractRequest
        How it is read; its spans do not count.
    source : Source
        Opened, with the columns to read.

    Raises
    ------
    SpanRefused
        If it cannot be read.
    """
    step = load_step("extract")
    assert isinstance(step, ReadsSpans)
    return step.snapshot(request, source, ref, context, progress)
