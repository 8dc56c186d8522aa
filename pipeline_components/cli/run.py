"""``everfit run``: the chain in one process, with its progress and its verdict shown."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Literal

from pipeline_components.context import Context, open_context, pin_threads
from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec_file import find_spec, load_spec
from pipeline_components.contracts.steps import Component, Outcome, Trigger, Wishes
from pipeline_components.progress import LogProgress, TerminalProgress
from pipeline_components.run import run_pipeline


def command(options: argparse.Namespace) -> int:
    """Run one pipeline."""
    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    pin_threads(spec.train.threads)
    wishes = Wishes(force=options.force, window=_window(options.window))
    live = sys.stderr.isatty() and not options.verbose
    began = time.monotonic()
    with open_context(settings, TerminalProgress() if live else LogProgress()) as context:
        outcomes = run_pipeline(
            spec, context, Trigger(reason=options.reason), wishes, watch=_tell_step
        )
        pages = _write_reports(spec.name, outcomes, context)
    gate, register = outcomes[-2], outcomes[-1]
    write = sys.stdout.write
    write(f"\n{gate.summary.get('verdict', '?').upper()}  {gate.summary.get('because', '')}\n")
    if register.summary.get("version") is not None:
        write(f"  version         {spec.name} v{register.summary['version']}\n")
    if register.summary.get("champion") is not None:
        write(f"  champion        {spec.name} v{register.summary['champion']}  (alias @champion)\n")
    for title, path in pages.items():
        write(f"  {title:<15} {path}\n")
    write(f"  time            {time.monotonic() - began:.1f} s\n")
    return 0


def _window(text: str | None) -> int | Literal["all"] | None:
    if text is None:
        return None
    if text == "all":
        return "all"
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise UserError(
        "WINDOW", "--window", "a window is a number of spans or all", f"it is {text!r}",
        "Give --window 6, say",
    )  # fmt: skip


def _tell_step(component: Component, family: str | None, outcome: Outcome | None) -> None:
    name = component if family is None else f"{component} {family}"
    if outcome is None:
        if sys.stdout.isatty():
            sys.stdout.write(f"  … {name}\r")
            sys.stdout.flush()
        return
    told = ("because", "family", "detectable")
    shown = {k: v for k, v in outcome.summary.items() if k not in told}
    facts = ", ".join(f"{key} {_short(value)}" for key, value in shown.items())
    how = "cached" if outcome.cached else f"{outcome.seconds:.1f} s"
    sys.stdout.write(f"  ✓ {name:<26} {how:>8}   {facts}\n")
    if "detectable" in outcome.summary:
        sys.stdout.write(f"    {outcome.summary['detectable']}\n")
    sys.stdout.flush()


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write_reports(name: str, outcomes: list[Outcome], context: Context) -> dict[str, Path]:
    """Copy the pages to where a person finds them; the store keeps the originals."""
    folder = context.settings.home / "reports" / name / outcomes[-2].key[:12]
    folder.mkdir(parents=True, exist_ok=True)
    pages = {}
    for outcome in outcomes:
        for title, artifact in outcome.reports.items():
            path = folder / artifact.name
            path.write_bytes(context.store.get(artifact.digest))
            pages[title.replace("_", " ")] = path
    return pages
