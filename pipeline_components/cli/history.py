"""``everfit history``: every champion there was, with reasons; then who was refused, who waits."""

from __future__ import annotations

import argparse
import json
import sys

from pipeline_components.champion.approvals import Asking, askings, told, waiting
from pipeline_components.champion.journal import Reign, reigns, shown_time
from pipeline_components.champion.lookup import known_pipeline
from pipeline_components.contracts.settings import Settings
from pipeline_components.ledger import open_ledger

TITLES = ("#", "since (UTC)", "version", "how", "run", "model", "reason")


def command(options: argparse.Namespace) -> int:
    """Show the journal."""
    settings = Settings.from_environment()
    with open_ledger(settings.ledger) as ledger:
        known_pipeline(ledger, options.name, settings.pipelines)
        found, asked = reigns(ledger, options.name), askings(ledger, options.name)
        open_still = {record.version for record in waiting(ledger, options.name)}
    if options.json:
        documents = [reign.document() for reign in found]
        sys.stdout.write(json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    elif found:
        sys.stdout.write(table(found))
    else:
        sys.stdout.write(f"{options.name} had no champion yet.\n")
    if not options.json:
        sys.stdout.write("".join(_not_promoted(one, open_still) for one in asked))
    return 0


def _not_promoted(asking: Asking, open_still: set[int]) -> str:
    """A line for a version that waits for a person, was refused, or was never answered."""
    number, answer = asking.version.version, asking.answer
    if answer is None:
        late = "was not answered before another was promoted"
        return f"v{number} {'waits for a person' if number in open_still else late}\n"
    return f"v{number} was {told(answer)}\n" if answer.answer == "refuse" else ""


def table(found: list[Reign]) -> str:
    """A line for each entry; the reason comes last and is never cut."""
    rows = [TITLES, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES) - 1)]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip() + "\n")
    return "".join(lines)


def _row(reign: Reign) -> tuple[str, ...]:
    entry = reign.entry
    return (
        str(entry.sequence),
        shown_time(entry.at).removesuffix(" UTC"),
        f"v{entry.version}",
        entry.kind,
        entry.run_key[:12],
        reign.version.champion.model.digest[:12] if reign.version else "?",
        entry.reason,
    )
