"""When the rows of a span are: times that cannot be true, and names that say another order."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.messages.spans import RowTimes
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.wording import count, percent
from everfit.steps.validate.findings import Findings


def check_times(times: RowTimes | None, rows: int, spec: PipelineSpec, findings: Findings) -> None:
    """Rows dated years after all others of the span: no time of theirs counts."""
    if times is None or not times.ahead or not rows:
        return
    share, most = times.ahead / rows, spec.validation.max_outside_period
    message = (
        f"{count(times.ahead, 'row')} of {rows:,} ({percent(share)}) "
        f"{'is' if times.ahead == 1 else 'are'} dated years after all others, up to "
        f"{times.furthest}: their time counts for nothing"
    )
    if share > most:
        message += f"; at most {percent(most)} may be (validation.max_outside_period)"
    findings.add("TIME-AHEAD", "error" if share > most else "warning", message, spec.time)


def check_order(
    span: str,
    by_name: Sequence[str],
    by_rows: Sequence[str],
    spec: PipelineSpec,
    findings: Findings,
) -> None:
    """Say of the newest span that the rows, and not the names, order the spans.

    Parameters
    ----------
    span : str
    by_name, by_rows : sequence of str
        The same spans, oldest first; ``by_name`` empty where both are the same.
    """
    if by_name and span == by_rows[-1]:
        newest = "as its name says" if by_name[-1] == span else f"not {by_name[-1]!r}"
        findings.add(
            "SPAN-ORDER",
            "info",
            f"spans are ordered by {spec.time} and not by their names: by their rows this is the "
            f"newest, {newest}. A period in the name (source.period) would order them unread",
        )
