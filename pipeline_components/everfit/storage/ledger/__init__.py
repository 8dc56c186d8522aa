"""The append-only record of spans, wakes, runs, verdicts, versions and promotions."""

from __future__ import annotations

from everfit.storage.ledger.ledger import Ledger, open_ledger

__all__ = ["Ledger", "open_ledger"]
