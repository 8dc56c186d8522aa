"""Rules for rows: an expression that must hold for a row, and what follows where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from everfit.contracts.spec.expression import columns_of

RuleAction = Literal["drop", "quarantine", "fail"]
"""drop: the row is left out; quarantine: the span is; fail: the run ends."""

MOST_RULES = 50
"""Rules of a pipeline."""


def checked_rules(rules: Mapping[str, RuleAction]) -> dict[str, RuleAction]:
    """The rules, in an order that does not depend on how they were written.

    Raises
    ------
    ValueError
        If a rule is no expression, reads no column, or there are too many.
    """
    if len(rules) > MOST_RULES:
        raise ValueError(f"there are {len(rules)} rules: at most {MOST_RULES} are asked of a row")
    for text in rules:
        if not columns_of(text):
            raise ValueError(f"{text!r} reads no column, so it says nothing of a row")
    return dict(sorted(rules.items()))


def columns_of_rules(rules: Mapping[str, RuleAction]) -> frozenset[str]:
    """The columns that the rules read."""
    return frozenset(column for text in rules for column in columns_of(text))
