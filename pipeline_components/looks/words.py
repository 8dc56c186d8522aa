"""Levels, budgets and rows as people read them."""

from __future__ import annotations

from pipeline_components.report.page import short


def odds(alpha: float) -> str:
    """A level as a chance, in two figures: ``1 chance in 480``."""
    if alpha <= 0:
        return "no chance"
    count = 1 / alpha
    step: int = 10 ** max(len(str(int(count))) - 2, 0)
    return f"1 chance in {int(count // step) * step:,}"


def rounded(count: float) -> int:
    """Two significant figures, rounded up: estimates are no better."""
    whole = -int(-count // 1)
    step: int = 10 ** max(len(str(whole)) - 2, 0)
    return -(-whole // step) * step


def time_of(years: float) -> str:
    """A length of time in the unit that suits it."""
    days = years * 365.25
    if days < 2:
        return f"{short(days * 24)} hours"
    return f"{rounded(days):,} days"


def counted(count: int, noun: str) -> str:
    """``1 look`` or ``3 looks``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
