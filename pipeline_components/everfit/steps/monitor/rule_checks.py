"""Rules for rows, asked of a monitored span: what training would not have used breaks it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from everfit.contracts.errors import shortlist
from everfit.contracts.messages.left_out import MUCH
from everfit.contracts.messages.monitoring import HardCheck
from everfit.contracts.messages.readings import BrokenRule
from everfit.contracts.wording import count, percent


def rule_checks(broken: Sequence[BrokenRule], ignored: Collection[str]) -> tuple[HardCheck, ...]:
    """An error for a rule that quarantines or fails, a warning where many rows are dropped.

    Parameters
    ----------
    broken : sequence of BrokenRule
        The rules that do not hold for all rows of the span.
    ignored : collection of str
        ``validation.ignore``: what it names is a warning.
    """
    found = []
    against = [one for one in broken if one.action != "drop"]
    if against:
        codes = {"ROW-RULE" if one.action == "quarantine" else "ROW-RULE-FAIL" for one in against}
        found.append(
            HardCheck(
                code="DRIFT-RULE",
                column=None,
                message=f"Rows break the rules of validation.rows: {_told(against)}",
                severity="warning" if codes <= set(ignored) else "error",
            )
        )
    dropped = [one for one in broken if one.action == "drop"]
    if sum(one.rows for one in dropped) > MUCH * max((one.of for one in dropped), default=0):
        text = f"Many rows are left out: {_told(dropped)}"
        found.append(HardCheck(code="DRIFT-RULE", column=None, message=text, severity="warning"))
    return tuple(found)


def rows_left_out(broken: Sequence[BrokenRule]) -> str:
    """The rows of a span that rules have dropped, in words; empty where there are none."""
    dropped = [one for one in broken if one.action == "drop"]
    rows = sum(one.rows for one in dropped)
    return f"{count(rows, 'row')} left out: {_told(dropped)}" if dropped else ""


def _told(broken: Sequence[BrokenRule]) -> str:
    return shortlist(
        (
            f"{one.rule} does not hold for {one.rows:,} of {one.of:,} "
            f"({percent(one.rows / one.of)})"
            for one in broken
        ),
        most=3,
        sep="; ",
    )
