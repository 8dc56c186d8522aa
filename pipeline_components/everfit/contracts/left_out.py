"""Rows that were left out, in words: whatever is dropped is told with its count and its reason."""

from __future__ import annotations

from collections.abc import Mapping

from everfit.contracts.messages.left_out import LEFT_OUT, MUCH, RULE
from everfit.contracts.wording import count, percent


def left_out(dropped: Mapping[str, int], of: int = 0) -> list[str]:
    """A phrase for each reason, the largest count first.

    Parameters
    ----------
    dropped : mapping
        Reason → rows.
    of : int
        Rows there were; 0: no shares are told.

    Examples
    --------
    >>> left_out({"target_missing": 30, "older_version": 60}, of=300)
    ['60 rows (20 %) that are older versions of a row (key)', '30 rows (10 %) without a target']
    >>> left_out({"rule: fare < 500": 2})
    ['2 rows for which the rule fare < 500 does not hold']
    """
    told = sorted(((rows, reason) for reason, rows in dropped.items() if rows), reverse=True)
    return [
        f"{count(rows, 'row')}{f' ({_share(rows, of)})' if of else ''} {_which(reason)}"
        for rows, reason in told
    ]


def much_left_out(dropped: Mapping[str, int], of: int) -> str:
    """A warning in words where more than a twentieth of the rows was left out, else nothing.

    Examples
    --------
    >>> much_left_out({"older_version": 60}, of=300)
    'Warning: 20 % of the 300 rows that were read are used neither for training nor for judging.'
    >>> much_left_out({"older_version": 6}, of=300)
    ''
    """
    lost = sum(dropped.values())
    if not of or lost <= MUCH * of:
        return ""
    return (
        f"Warning: {_share(lost, of)} of the {of:,} rows that were read are used neither for "
        "training nor for judging."
    )


def _which(reason: str) -> str:
    """The rows that were left out for a reason."""
    if reason.startswith(RULE):
        return f"for which the rule {reason.removeprefix(RULE)} does not hold"
    return LEFT_OUT.get(reason, reason.replace("_", " "))


def _share(rows: int, of: int) -> str:
    return percent(rows / of)
