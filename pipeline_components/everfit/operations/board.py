"""Making and publishing the board of a pipeline: a projection of the ledger for pages to show."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import ValidationError

from everfit.champion.approvals import askings, waiting
from everfit.champion.runs import Filter, RunOverview, overview
from everfit.contracts.base import Digest, canonical_json
from everfit.contracts.board import (
    MOST_RUNS,
    MOST_SPANS,
    Answer,
    Board,
    Entry,
    LastEvaluation,
    RunShown,
    Scored,
    Sentence,
    Serving,
    SpanShown,
    State,
    Watched,
    board_key,
)
from everfit.contracts.clock import iso, moment
from everfit.contracts.errors import EverfitError
from everfit.contracts.messages.monitoring import Rise
from everfit.contracts.price import read_price
from everfit.contracts.spec.metrics import metric_title, metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers.kinds import may_hold_back
from everfit.contracts.wording import amount, apart, listed
from everfit.engine.context import Context
from everfit.operations.status import (
    RECENT,
    false_promotions,
    last_verdict,
    newest_watched,
    recent_cost,
    recent_trainings,
    serving_champion,
)
from everfit.steps.monitor.news import decaying, drifting
from everfit.storage.ledger import Ledger
from everfit.storage.ledger.records import MonitorRecord, PromotionRecord, SpanRecord
from everfit.storage.store import Store

log = logging.getLogger(__name__)

MOST_COLUMNS = 6
MOST_ENTRIES = 40
LOOK_BACK = 50
"""Evaluations of the triggers in which the newest with conditions is looked for."""
LETTERS = 12
"""Of a result's digest, enough to tell results of one pipeline apart."""


def publish_board(spec: PipelineSpec, context: Context) -> None:
    """Make the board of a pipeline anew and put it in the store, in place of the one before.

    It never fails: the work it tells of is done, and the next step makes it anew.
    """
    if not context.is_real:
        return
    try:
        before = read_board(context.store, spec.name)
        document = canonical_json(make_board(spec, context, before))
        context.store.replace(board_key(spec.name), document)
    except EverfitError as error:
        log.warning("%s: its board could not be published: %s", spec.name, error.line)
    except Exception:
        log.warning("%s: its board could not be published", spec.name, exc_info=True)


def read_board(store: Store, pipeline: str) -> Board | None:
    """The board in the store; None where there is none that this version can read."""
    data = store.read(board_key(pipeline))
    try:
        found = Board.model_validate_json(data) if data else None
    except ValidationError:
        return None
    return found if found and found.pipeline == pipeline else None


def make_board(spec: PipelineSpec, context: Context, before: Board | None = None) -> Board:
    """Read the ledger and sum it up; the source is not looked at.

    Parameters
    ----------
    spec : PipelineSpec
    context : Context
    before : Board, optional
        What it says of decided runs is not read anew: a verdict does not change.
    """
    ledger, name, now = context.ledger, spec.name, context.clock()
    spans = _spans(ledger.spans(name))
    place = {span.name: number for number, (span, _) in enumerate(spans)}
    shown = tuple(span for span, _ in spans[-MOST_SPANS:])
    measured = ledger.monitorings(name)
    scores = _scores(measured, {span.name for span in shown}, place, spec.primary_metric)
    names = {digest: span.name for span, digest in spans}
    runs = _runs(spec, context, names, before)
    recent = [run for run in runs if _since(run.opened, now)]
    serving = serving_champion(ledger, name, spec)
    waits = tuple(record.version for record in waiting(ledger, name))
    current = [one for one in measured if serving and one.champion == serving.run_key]
    watched = newest_watched(serving, current)
    state = _state(spec, serving, watched, current, waits)
    return Board(
        pipeline=name,
        at=iso(now),
        state=state,
        says=_says(spec, state, serving, watched, waits, current),
        description=spec.description,
        owner=spec.owner,
        task=spec.task,
        target=spec.target.name,
        metric=spec.primary_metric,
        metric_title=metric_title(spec.primary_metric),
        unit=metric_unit(spec.primary_metric, spec.target.unit),
        greater_is_better=spec.greater_is_better,
        champion=serving,
        monitoring=watched,
        last_verdict=last_verdict(ledger, name),
        last_evaluation=_last_evaluation(ledger, name),
        waits_for_answer=waits,
        false_promotions=false_promotions(ledger, name, spec),
        trainings=recent_trainings(name, spec, context),
        cost=recent_cost([run.work for run in recent], read_price(context.settings.cpu_hour_price)),
        effect=spec.monitor.effect,
        worse_by=spec.monitor.worse_by.text,
        spans=shown,
        scores=scores,
        runs=tuple(run if run in recent else run.model_copy(update={"work": {}}) for run in runs),
        journal=_journal(ledger.history(name)[-MOST_ENTRIES:], shown),
        answers=_answers(ledger, name),
    )


def _spans(records: Sequence[SpanRecord]) -> list[tuple[SpanShown, Digest]]:
    """What was read, by the time of its rows where all tell it, else as it was first seen."""
    found: dict[str, tuple[str, SpanShown, Digest]] = {}
    for record in records:
        if record.digest is None or record.snapshot is None:
            continue
        span = record.snapshot["span"]
        begins = span.get("period_start") or span.get("time_min") or ""
        seen = found[record.name][1].seen if record.name in found else record.at
        shown = SpanShown(name=record.name, rows=span["rows"], seen=seen)
        found[record.name] = (begins, shown, record.digest)
    ordered = list(found.values())
    if all(begins for begins, _, _ in ordered):
        ordered.sort(key=lambda one: one[0])
    return [(shown, digest) for _, shown, digest in ordered]


def _scores(
    measured: Sequence[MonitorRecord], shown: set[str], place: Mapping[str, int], metric: str
) -> tuple[Scored, ...]:
    """The last record of each champion on each span, in the spans' order."""
    newest = {(one.name, one.version): one for one in measured if one.name in shown}
    return tuple(
        _scored(one, metric)
        for one in sorted(newest.values(), key=lambda one: (place[one.name], one.version))
    )


def _scored(one: MonitorRecord, metric: str) -> Scored:
    rise = _rise(one, metric)
    return Scored(
        span=one.name,
        version=one.version,
        state=one.state,
        score=rise.current if rise else None,
        attainable=rise.attainable.score if rise and rise.attainable else None,
        drift=float(f"{one.inputs:.4g}"),
        drifted=one.strongest[:MOST_COLUMNS],
        because=one.because,
        at=one.at,
    )


def _rise(one: MonitorRecord, metric: str) -> Rise | None:
    found = (rise for rise in one.rises if rise.metric == metric and not rise.estimated)
    return next(found, None)


def _runs(
    spec: PipelineSpec, context: Context, names: Mapping[Digest, str], before: Board | None
) -> list[RunShown]:
    """The newest runs and all of the last 30 days, oldest first."""
    now = context.clock()
    records = context.ledger.find_runs(spec.name)
    wanted = [
        record
        for number, record in enumerate(reversed(records))
        if number < MOST_RUNS or _since(record.at, now)
    ]
    known = {run.run_key: run for run in before.runs if run.verdict} if before else {}
    judged_on = {
        record.run_key: next((names[one] for one in reversed(record.holdout) if one in names), None)
        for record in wanted
    }
    found = overview(
        context.ledger, context.store, spec.name, Filter(limit=max(len(wanted), 1)), known
    )
    return [_run(run, judged_on.get(run.run_key), known.get(run.run_key)) for run in found]


def _run(run: RunOverview, span: str | None, known: RunShown | None) -> RunShown:
    work = {cost.result[:LETTERS]: cost.cpu_seconds for cost in run.costs}
    return RunShown(
        run_key=run.run_key,
        opened=run.opened,
        trigger=run.trigger,
        verdict=run.verdict,
        because=run.because,
        decided=run.decided,
        version=run.version,
        gain=known.gain if known else run.gain,
        span=span,
        work=known.work if known else work,
    )


def _since(at: str, now: datetime) -> bool:
    opened = moment(at)
    return opened is not None and opened >= now - RECENT


def _state(
    spec: PipelineSpec,
    serving: Serving | None,
    watched: Watched | None,
    current: Sequence[MonitorRecord],
    waits: Sequence[int],
) -> State:
    if waits:
        return "asks"
    if serving is None:
        return "new"
    if watched is None:
        return "unmeasured"
    if watched.state == "broken":
        return "broken"
    if decaying(spec, current):
        return "worse"
    return "drifting" if drifting(spec, current) else "well"


def _says(
    spec: PipelineSpec,
    state: State,
    serving: Serving | None,
    watched: Watched | None,
    waits: Sequence[int],
    current: Sequence[MonitorRecord],
) -> str:
    """One sentence on how it fares."""
    if state == "asks":
        which = listed([f"v{version}" for version in waits])
        return f"{which} {'waits' if len(waits) == 1 else 'wait'} for a person’s answer."
    if serving is None:
        return "There is no champion yet."
    if watched is None:
        return f"v{serving.version} was not measured on a new span since its promotion."
    if watched.state != "measured":
        return f"{watched.span} could not be measured: {watched.because}"
    drift = f"{listed(watched.drifted[:3])} drifted" if watched.drifted else "no drift"
    if watched.score is None or serving.judged is None:
        return (
            f"On {watched.span} v{serving.version} has no score yet, for want of labels; {drift}."
        )
    unit = serving.unit
    then, score = apart(serving.judged, watched.score, unit=unit)
    metric = metric_title(spec.primary_metric)
    text = f"On {watched.span} v{serving.version} has {metric} {score}, {then} when it was judged"
    rise = _rise(current[-1], spec.primary_metric) if current else None
    if rise and rise.attainable:
        text += f"; a fresh model would have {amount(rise.attainable.score, unit)}"
    return f"{text}; {drift}."


def _last_evaluation(ledger: Ledger, name: str) -> LastEvaluation | None:
    found = ledger.evaluations(name, LOOK_BACK)
    if not found:
        return None
    newest = found[0]
    conditions = next((one.conditions for one in found if one.conditions), ())
    verdict = ledger.newest_verdict(name)
    return LastEvaluation(
        decision=newest.decision,
        because=newest.because,
        at=newest.at,
        done=newest.decision == "train" and verdict is not None and verdict.at > newest.at,
        conditions=tuple(
            Sentence(evaluated=one, holds_back=may_hold_back(one.kind)) for one in conditions
        ),
    )


def _journal(entries: Sequence[PromotionRecord], spans: Sequence[SpanShown]) -> tuple[Entry, ...]:
    """Where a promotion belongs among the spans: at the newest that had been seen by then."""
    return tuple(
        Entry(
            version=entry.version,
            kind=entry.kind,
            reason=entry.reason,
            person=entry.person,
            at=entry.at,
            span=next((span.name for span in reversed(spans) if span.seen <= entry.at), None),
        )
        for entry in entries
    )


def _answers(ledger: Ledger, name: str) -> tuple[Answer, ...]:
    return tuple(
        Answer(
            version=asking.version.version,
            answer=asking.answer.answer,
            person=asking.answer.person,
            reason=asking.answer.reason,
            at=asking.answer.at,
        )
        for asking in askings(ledger, name)[-MOST_ENTRIES:]
        if asking.answer
    )
