"""``everfit monitor``: one look at what has arrived, held against the champion."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from pipeline_components.context import Context, open_context, pin_threads
from pipeline_components.contracts.errors import NothingToDo
from pipeline_components.contracts.monitoring import MonitorResult, SpanEvaluation
from pipeline_components.contracts.settings import Settings
from pipeline_components.contracts.spec_file import find_spec, load_spec
from pipeline_components.contracts.steps import Outcome, Trigger
from pipeline_components.ledger.records import MonitorRecord
from pipeline_components.progress import LogProgress, TerminalProgress
from pipeline_components.run import monitor_pipeline

SHOWN = 12
"""Earlier evaluations shown where there is nothing new."""


def command(options: argparse.Namespace) -> int:
    """Monitor one pipeline."""
    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    pin_threads(spec.train.threads)
    live = sys.stderr.isatty() and not options.verbose
    write = sys.stdout.write
    with open_context(settings, TerminalProgress() if live else LogProgress()) as context:
        reasons: list[NothingToDo] = []
        outcomes = monitor_pipeline(
            spec, context, Trigger(reason="everfit monitor"), idle=reasons.append
        )
        by_name = {outcome.component: outcome for outcome in outcomes}
        done = by_name.get("monitor")
        if options.json:
            document = b"null\n" if done is None else _result(done, context)[1]
            write(document.decode())
            return 0
        if done is None:
            write(f"Nothing to hold against a champion. {reasons[0].line}\n")
            write("".join(map(_record, context.ledger.monitorings(spec.name)[-SHOWN:])))
        else:
            result = _result(done, context)[0]
            write("".join(_lines(result)))
            write("".join(_pages(spec.name, outcomes, context)))
    sweep = by_name.get("plan")
    if sweep is not None and sweep.signals:
        write(f"  training        due: {', '.join(sweep.signals)}\n")
    return 0


def _result(done: Outcome, context: Context) -> tuple[MonitorResult, bytes]:
    result = MonitorResult.model_validate_json(context.store.get(done.result))
    return result, context.store.get(result.drift.digest)


def _lines(result: MonitorResult) -> Iterable[str]:
    count = len(result.evaluations)
    yield f"Champion v{result.champion} on {count} new span{'s' if count > 1 else ''}\n"
    for evaluation in result.evaluations:
        yield from _evaluation(evaluation)
    for note in result.notes:
        yield f"  note            {note}\n"


def _evaluation(evaluation: SpanEvaluation) -> Iterable[str]:
    yield f"{evaluation.span.name}  {evaluation.state}, {evaluation.span.rows:,} rows\n"
    for check in evaluation.checks:
        yield f"  {check.severity:<7}         {check.message}\n"
    if evaluation.columns:
        drifted = [column for column in evaluation.columns if column.drifted]
        if not drifted:
            yield f"  drift           none of {len(evaluation.columns)} columns\n"
        for column in drifted:
            yield f"  drift {column.score:<9.3g} {column.name}: {column.message}\n"
    for rise in evaluation.rises:
        kind = "estimate" if rise.estimated else "as served" if rise.source == "logged" else "decay"
        word = "worse" if rise.worse > 0 else "better"
        yield (
            f"  {kind:<15} {rise.metric} {rise.current:.4g}, {abs(rise.worse):.3g} {word} than "
            f"{rise.reference:.4g}; at 95 % at least {rise.low:.3g} worse\n"
        )
    if not evaluation.columns and not evaluation.rises:
        yield f"  {evaluation.because}\n"


def _record(record: MonitorRecord) -> str:
    return f"{record.name}  v{record.version}  {record.state}  {record.because}\n"


def _pages(name: str, outcomes: Iterable[Outcome], context: Context) -> Iterable[str]:
    """Copy the pages to where a person finds them; the store keeps the originals."""
    folder = context.settings.home / "reports" / name / "monitoring"
    folder.mkdir(parents=True, exist_ok=True)
    reports = {title: page for outcome in outcomes for title, page in outcome.reports.items()}
    for title, artifact in reports.items():
        path = folder / artifact.name
        path.write_bytes(context.store.get(artifact.digest))
        yield f"  {title.replace('_', ' '):<15} {path}\n"
