"""``everfit champion``: who serves, since when and why; also at a time that is past."""

from __future__ import annotations

import argparse
import json
import sys

from pipeline_components.champion.approvals import told, waiting
from pipeline_components.champion.journal import (
    HOW,
    Reign,
    moment_of,
    reign_at,
    reigns,
    shown_time,
)
from pipeline_components.champion.lookup import known_pipeline
from pipeline_components.contracts.settings import Settings
from pipeline_components.ledger import open_ledger


def command(options: argparse.Namespace) -> int:
    """Show one reign."""
    settings = Settings.from_environment()
    moment = moment_of(options.at) if options.at else None
    name = options.name
    with open_ledger(settings.ledger) as ledger:
        known_pipeline(ledger, name, settings.pipelines)
        found, waits = reigns(ledger, name), waiting(ledger, name)
    reign = reign_at(found, moment) if moment else (found[-1] if found else None)
    write = sys.stdout.write
    if options.json:
        document = reign.document() if reign else None
        write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    elif reign is None:
        first = f"; its first came {shown_time(found[0].entry.at)}" if found else ""
        when = f" at {moment:%Y-%m-%d %H:%M:%S %Z}" if moment and found else " yet"
        write(f"{name} had no champion{when}{first}.\n")
    else:
        write(_shown(name, reign, past=moment is not None))
    if moment is None and not options.json:
        for record in waits:
            number = record.version
            write(f"v{number} waits for a person: everfit approve {name} {number}, or refuse\n")
    return 0


def _shown(name: str, reign: Reign, *, past: bool) -> str:
    entry, version, verdict = reign.entry, reign.version, reign.verdict
    lines = {"since": shown_time(entry.at)}
    if reign.until:
        lines["until"] = shown_time(reign.until)
    elif past:
        lines["until"] = "today"
    lines["how"] = HOW[entry.kind]
    if reign.approval and entry.kind == "promote":
        lines["how"] += f", {told(reign.approval).partition(': ')[0]}"
    lines["because"] = entry.reason
    if verdict and verdict.because != entry.reason:
        lines["verdict"] = f"{verdict.verdict}: {verdict.because}"
    elif verdict:
        lines["verdict"] = verdict.verdict
    lines["run"] = entry.run_key
    if version:
        model = version.champion.model
        lines["model"] = f"{model.digest} ({model.size:,} bytes)"
        lines["trained on"] = f"{len(version.champion.window)} spans"
        lines["mlflow run"] = version.mlflow_run
    lines["report"] = f"everfit explain {name} {entry.version}"
    listed = "".join(f"  {title:<12} {text}\n" for title, text in lines.items())
    return f"{name} v{entry.version}\n{listed}"
