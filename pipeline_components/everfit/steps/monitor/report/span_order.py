"""Which spans a page shows, in which order, and under what short names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from everfit.contracts.messages.monitoring import SpanEvaluation

SHOWN_SPANS = 36
"""The newest spans that the pictures and tables hold."""

LONGEST = 12


def in_order(
    evaluations: Sequence[SpanEvaluation], earlier: Sequence[SpanEvaluation]
) -> list[SpanEvaluation]:
    """Every span once, oldest first; what was measured now replaces what was measured before.

    Spans are ordered by the time they begin at where all of them say it, for labels that arrive
    late bring an older span back.
    """
    now = {evaluation.span.name: evaluation for evaluation in evaluations}
    before = {evaluation.span.name: evaluation for evaluation in earlier}
    every = [*(before | now).values()]
    begins = [item.span.period_start or item.span.time_min for item in every]
    if all(begins):
        ranked = sorted(zip(begins, every, strict=True), key=lambda pair: str(pair[0]))
        every = [item for _, item in ranked]
    return every


def short_names(names: Sequence[str]) -> list[str]:
    """Names without the folder and the suffix they share; long ones lose their middle.

    >>> short_names(["yellow/2018-01.csv", "yellow/2018-02.csv"])
    ['2018-01', '2018-02']
    """
    if not names:
        return []
    folders = {name.rpartition("/")[0] for name in names}
    folder = f"{folders.pop()}/" if len(folders) == 1 else ""
    suffixes = {PurePosixPath(name).suffix for name in names}
    suffix = suffixes.pop() if len(suffixes) == 1 else ""
    plain = [name.removeprefix(folder).removesuffix(suffix) or name for name in names]
    return [clipped(name, LONGEST) for name in plain]


def clipped(name: str, longest: int) -> str:
    """A name with an ellipsis for its middle where it is too long."""
    if len(name) <= longest:
        return name
    head = (longest - 1) // 2
    return f"{name[:head]}…{name[-(longest - 1 - head) :]}"
