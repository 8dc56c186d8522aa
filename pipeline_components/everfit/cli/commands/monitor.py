"""``everfit monitor``: the champion compared with what has arrived since, in this process."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.wording import count

if TYPE_CHECKING:
    from everfit.contracts.errors import NothingToDo
    from everfit.contracts.messages.monitoring import MonitorResult, SpanEvaluation
    from everfit.contracts.messages.steps import Outcome
    from everfit.engine.context import Context
    from everfit.storage.ledger.records import MonitorRecord

SHOWN = 12
"""Earlier evaluations shown where there is nothing new."""


class Monitored(TypedDict):
    """What was measured of the new spans: the monitoring's own ``drift.json``."""

    format: int
    pipeline: str
    champion: dict[str, object]
    """Its version, run key, and the digests of the spans it was trained on."""
    asked: dict[str, object]
    """Level, effect and margins that were used."""
    evaluations: list[dict[str, object]]
    """One for each new span: its state, checks, columns and scores."""
    notes: list[str]
    """What could not be measured, and why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipeline."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Monitor one pipeline."""
    from everfit.contracts.messages.steps import Trigger
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context, pin_threads
    from everfit.engine.pipeline import monitor_pipeline

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    pin_threads(spec.train.threads)
    with open_context(settings, terminal.progress()) as context:
        reasons: list[NothingToDo] = []
        outcomes = monitor_pipeline(
            spec, context, Trigger(reason="everfit monitor"), idle=reasons.append
        )
        by_name = {outcome.component: outcome for outcome in outcomes}
        done = by_name.get("monitor")
        if done is None:
            terminal.document(None)
            terminal.line(f"No new span to compare the champion on. {reasons[0].line}")
            for record in context.ledger.monitorings(spec.name)[-SHOWN:]:
                terminal.line(_record(record))
        else:
            result, document = _result(done, context)
            terminal.document(json.loads(document))
            _show(result, spec.target.unit, terminal)
            terminal.facts(_pages(spec.name, outcomes, context))
    sweep = by_name.get("plan")
    if sweep is not None and sweep.signals:
        terminal.facts([("training", f"due: {', '.join(sweep.signals)}")])
    return 0


def _result(done: Outcome, context: Context) -> tuple[MonitorResult, bytes]:
    from everfit.contracts.messages.monitoring import MonitorResult

    result = MonitorResult.model_validate_json(context.store.get(done.result))
    return result, context.store.get(result.drift.digest)


def _show(result: MonitorResult, unit: str | None, terminal: Terminal) -> None:
    terminal.line(f"Champion v{result.champion} on {count(len(result.evaluations), 'new span')}")
    for evaluation in result.evaluations:
        span = evaluation.span
        terminal.line(f"{span.name}  {_state(evaluation.state)}, {count(span.rows, 'row')}")
        terminal.facts(_evaluation(evaluation, unit))
    terminal.facts([("note", note) for note in result.notes])


def _state(state: str) -> str:
    return state.replace("_", " ")


def _evaluation(evaluation: SpanEvaluation, unit: str | None) -> Iterable[tuple[str, str]]:
    from everfit.contracts.spec.metrics import metric_title, metric_unit
    from everfit.contracts.wording import amount, apart, confidence, number

    for check in evaluation.checks:
        yield check.severity, check.message
    if evaluation.columns:
        drifted = [column for column in evaluation.columns if column.drifted]
        if not drifted:
            yield "drift", f"none of {count(len(evaluation.columns), 'column')}"
        for column in drifted:
            yield f"drift {number(column.score)}", f"{column.name}: {column.message}"
        if evaluation.tested is not None:
            yield "over all pipelines", evaluation.tested.in_words
    for rise in evaluation.rises:
        kind = "estimate" if rise.estimated else "as served" if rise.source == "logged" else "decay"
        word = "worse" if rise.worse > 0 else "better"
        by = metric_unit(rise.metric, unit)
        sure = confidence(0.05)
        now, then = apart(rise.current, rise.reference, unit=by)
        text = (
            f"{metric_title(rise.metric)} {now}, {amount(abs(rise.worse), by)} {word} than the "
            f"{then} when it was judged ({sure}: worse by {amount(rise.low, by)} or more)"
        )
        if rise.attainable is not None:
            gap = rise.attainable.worse
            text += (
                f"; {amount(abs(gap), by)} {'worse' if gap > 0 else 'better'} than the "
                f"{amount(rise.attainable.score, by)} attainable by a fresh model ({sure}: worse "
                f"by {amount(rise.attainable.low, by)} or more)"
            )
        if rise.test is not None and rise.excess > 0:
            text += f"; {rise.test.in_words}"
        yield kind, text
    if not evaluation.columns and not evaluation.rises:
        yield "because", evaluation.because


def _record(record: MonitorRecord) -> str:
    return f"{record.name}  v{record.version}  {_state(record.state)}  {record.because}"


def _pages(name: str, outcomes: Iterable[Outcome], context: Context) -> Iterable[tuple[str, str]]:
    """Copy the pages to where a person finds them; the store keeps the originals."""
    folder = context.settings.home / "reports" / name / "monitoring"
    folder.mkdir(parents=True, exist_ok=True)
    reports = {title: page for outcome in outcomes for title, page in outcome.reports.items()}
    for title, artifact in reports.items():
        path = folder / artifact.name
        path.write_bytes(context.store.get(artifact.digest))
        yield title.replace("_", " "), str(path)


COMMAND = Command(
    group=Group.WORK_ON,
    help="measure drift and decay of the champion on spans it has not seen",
    description="Reads what has arrived, compares it with what the champion was trained on "
    "(drift), scores the champion on it (decay), and says whether a training is due.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Monitored | None,
    page="explanation/monitoring.md",
)
