"""The findings that a person should read without opening the data report, a line for each kind."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.requests import Anomaly
from everfit.steps.validate.findings import RANK

READING = frozenset({"UNREADABLE", "LOOKS-LIKE", "READ-AS", "NEARLY-UNIQUE", "SPAN-ORDER"})
"""Codes that are told whatever their severity."""

MOST = 12
"""Lines."""


def told_findings(anomalies: Sequence[Anomaly]) -> tuple[str, ...]:
    """Errors, and whatever was read oddly: one line for each code and column, the gravest first.

    Parameters
    ----------
    anomalies : sequence of Anomaly
        Of all spans.

    Returns
    -------
    tuple of str
        Each names the spans, the column and what was found in the first of them.
    """
    groups: dict[tuple[str, str, str | None], list[Anomaly]] = {}
    for one in anomalies:
        if one.severity == "error" or one.code in READING:
            groups.setdefault((one.severity, one.code, one.column), []).append(one)
    ordered = sorted(groups.values(), key=lambda group: RANK[group[0].severity])
    lines = [_line(group) for group in ordered[:MOST]]
    if len(ordered) > MOST:
        lines.append(f"and {len(ordered) - MOST} more: see the data report")
    return tuple(lines)


def _line(group: Sequence[Anomaly]) -> str:
    first = group[0]
    spans = shortlist((one.span for one in group), most=3)
    state = {"error": "quarantined", "warning": "warning", "info": "remark"}[first.severity]
    about = f" {first.column}" if first.column else ""
    return f"{state}: {spans}: {first.code}{about}: {first.message.rstrip('.')}."
