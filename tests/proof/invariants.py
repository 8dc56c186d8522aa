"""The promises of ``everfit chaos``, checked on a world of the proof."""

from __future__ import annotations

from everfit.contracts.settings import Settings
from everfit.operations.chaos import promises
from everfit.operations.chaos.promises import check_alias, check_ledger, journal_of, of_pipeline
from tests.proof.shown import Rows, Shown, ledger_rows, shown, stored

__all__ = [
    "check_alias",
    "check_always",
    "check_ledger",
    "check_settled",
    "journal_of",
    "of_pipeline",
]


def check_always(settings: Settings, pipeline: str = "quick") -> tuple[Rows, Shown]:
    """What no kill, error or race may break, not even for a moment."""
    rows, mlflow = ledger_rows(settings.ledger), shown(settings, pipeline)
    stored(settings)
    check_ledger(rows, pipeline)
    check_alias(rows, mlflow, pipeline)
    return rows, mlflow


def check_settled(settings: Settings, pipeline: str = "quick") -> tuple[Rows, Shown]:
    """What holds too after reconcile, and after any step has ended by itself."""
    rows, mlflow = check_always(settings, pipeline)
    promises.check_settled(rows, mlflow, pipeline)
    return rows, mlflow
