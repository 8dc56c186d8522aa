"""Reports of a run as files that a person can open; the store keeps the originals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from everfit.contracts.messages.steps import Outcome
from everfit.engine.context import Context


def write_reports(name: str, outcomes: Sequence[Outcome], context: Context) -> dict[str, Path]:
    """Copy the pages of a whole run to ``reports/`` in the home.

    Returns
    -------
    dict
        Title → file.
    """
    folder = context.settings.home / "reports" / name / outcomes[-2].key[:12]
    folder.mkdir(parents=True, exist_ok=True)
    pages = {}
    for outcome in outcomes:
        for title, artifact in outcome.reports.items():
            path = folder / artifact.name
            path.write_bytes(context.store.get(artifact.digest))
            pages[title.replace("_", " ")] = path
    return pages
