"""Which spans a training reaches, where labels stand apart: those whose labels are due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from everfit.contracts.messages.spans import SpanRef
from everfit.contracts.spec.pipeline import PipelineSpec

Known = Iterable[tuple[str, str, Mapping[str, Any] | None]]
"""Name, fingerprint and snapshot, as JSON, of spans that were read or refused before."""


class Reached(NamedTuple):
    """The newest spans, as many as a training can need."""

    spans: tuple[SpanRef, ...]
    """Those whose labels are due, or may be; oldest first."""
    unread: bool
    """Whether some must be read before it is known whether theirs are."""


def reached(spec: PipelineSpec, good: Sequence[SpanRef], snapshots: Known) -> Reached:
    """Go back from the newest span until enough are found whose labels are due.

    A span whose labels were due when it was last read counts towards the number, though the table
    of labels has changed since: a new file of labels has no more spans read than a training takes.

    Parameters
    ----------
    spec : PipelineSpec
    good : sequence of SpanRef
        Oldest first.
    snapshots : iterable
        By the pipeline's reader.
    """
    exact: dict[tuple[str, str], bool] = {}
    before: set[tuple[str, str]] = set()
    for name, fingerprint, snapshot in snapshots:
        if snapshot is not None and (labels := snapshot.get("labels")):
            exact[name, fingerprint] = bool(labels["mature"])
            if labels["mature"]:
                before.add((name, fingerprint.rpartition(" with=")[0]))
    enough = None
    if spec.window.spans != "all":
        enough = spec.window.spans + (spec.holdout.spans or 0)
    found: list[SpanRef] = []
    counted, unread = 0, False
    for ref in reversed(good):
        mature = exact.get((ref.name, ref.fingerprint))
        if mature is False:
            continue
        found.append(ref)
        unread = unread or mature is None
        counted += mature or (ref.name, ref.own or ref.fingerprint) in before
        if counted == enough:
            break
    return Reached(tuple(reversed(found)), unread)
