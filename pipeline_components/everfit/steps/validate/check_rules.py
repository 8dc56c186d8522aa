"""Rows that rules of ``validation.rows`` do not hold for, as findings with counts."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.left_out import MUCH
from everfit.contracts.messages.readings import BrokenRule
from everfit.contracts.wording import count, percent
from everfit.steps.validate.findings import Findings, Severity


def check_rules(broken: Sequence[BrokenRule], findings: Findings) -> None:
    """A finding for each action: rows dropped, a span in quarantine, a run that ends.

    Parameters
    ----------
    broken : sequence of BrokenRule
        Of one span: the rules that do not hold for all of its rows.
    findings : Findings
    """
    dropped = [one for one in broken if one.action == "drop"]
    if dropped:
        rows, of = sum(one.rows for one in dropped), max(one.of for one in dropped)
        severity: Severity = "warning" if rows > MUCH * of else "info"
        findings.add(
            "ROWS-DROPPED",
            severity,
            f"{count(rows, 'row')} of {of:,} ({percent(rows / of)}) "
            f"{'is' if rows == 1 else 'are'} left out: {_told(dropped)}",
        )
    for code, action in (("ROW-RULE", "quarantine"), ("ROW-RULE-FAIL", "fail")):
        against = [one for one in broken if one.action == action]
        if against:
            findings.add(code, "error", _told(against))


def _told(broken: Sequence[BrokenRule]) -> str:
    return shortlist((_of_one(one) for one in broken), most=3, sep="; ")


def _of_one(one: BrokenRule) -> str:
    missing = ""
    if one.missing:
        missing = f", {one.missing:,} of them because a value is missing"
    return (
        f"{one.rule} does not hold for {count(one.rows, 'row')} of {one.of:,} "
        f"({percent(one.rows / one.of)}){missing}"
    )
