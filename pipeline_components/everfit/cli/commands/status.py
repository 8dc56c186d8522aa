"""``everfit status``: every pipeline's champion, monitoring, last verdict and what is next."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.cli.times import without_zone

if TYPE_CHECKING:
    from everfit.contracts.board import Serving, Watched
    from everfit.operations.status import PipelineStatus

TITLES = ("pipeline", "champion", "age", "drift", "last verdict", "next")

_NEXT = {
    "train": "due",
    "wait": "due, but held back",
    "skip": "nothing to train",
    "idle": "not due",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pipelines, and how much of each."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="pipelines (default: all)")
    parser.add_argument("--short", action="store_true", help="one line for each pipeline")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Look at the pipelines and show them."""
    from everfit.champion.lookup import known_pipeline
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context
    from everfit.operations.status import pipelines, status

    settings = Settings.from_environment()
    found = []
    with open_context(settings, terminal.progress()) as context:
        names = options.names or pipelines(context.ledger, settings.pipelines)
        for name in options.names:
            known_pipeline(context.ledger, name, settings.pipelines)
        for name in names:
            terminal.begin(name)
            found.append(status(name, context))
        now = context.clock()
    terminal.document([one.model_dump(mode="json") for one in found])
    if not found:
        terminal.line(f"There is no pipeline in {settings.pipelines} yet.")
    elif options.short:
        terminal.table(TITLES, [_row(one, now) for one in found])
    else:
        for one in found:
            terminal.line(one.pipeline, style="strong")
            terminal.facts((title, without_zone(text)) for title, text in _facts(one, now))
            terminal.line()
        terminal.line("Times are UTC.")
    return 0


def _facts(one: PipelineStatus, now: datetime) -> list[tuple[str, str]]:
    from everfit.contracts.wording import count, cpu_time, plain

    facts = []
    if one.problem:
        facts.append(("problem", one.problem))
    facts.append(("champion", _champion(one.champion, now)))
    if one.champion:
        facts.append(("monitoring", _watched(one.monitoring, one.champion)))
    last = one.last_verdict
    facts.append(
        (
            "last verdict",
            f"{last.verdict}, {_ago(last.at, now)}: {last.because}" if last else "none",
        )
    )
    if one.next:
        facts.append(("next training", f"{_NEXT[one.next.decision]}: {one.next.because}"))
    for version in one.waits_for_answer:
        facts.append(
            (
                "waits for you",
                f"v{version}: everfit approve {one.pipeline} {version}, or everfit refuse",
            )
        )
    if one.false_promotions:
        used, limit = plain(one.false_promotions.used), plain(one.false_promotions.limit)
        facts.append(("evaluations", f"{used} of {limit} false promotions a year are spent"))
    if one.trainings:
        trainings = one.trainings
        facts.append(("trainings", f"{trainings.used} of {trainings.limit} in {trainings.per}"))
    cost = one.cost
    spent = ", ".join(filter(None, (cpu_time(cost.cpu_seconds), cost.money)))
    facts.append(("cost", f"{spent} in {count(cost.runs, 'run')} of the last 30 days"))
    return facts


def _champion(serving: Serving | None, now: datetime) -> str:
    from everfit.contracts.spec.metrics import metric_title
    from everfit.contracts.wording import amount

    if serving is None:
        return "none yet"
    text = f"v{serving.version}, for {_age(serving.since, now)}"
    if serving.metric and serving.judged is not None:
        score = amount(serving.judged, serving.unit)
        text += f"; {metric_title(serving.metric)} {score} when it was judged"
    return text


def _watched(watched: Watched | None, serving: Serving) -> str:
    from everfit.contracts.errors import shortlist
    from everfit.contracts.wording import amount

    if watched is None:
        return "nothing measured since its promotion"
    if watched.state != "measured":
        return f"{watched.span}: {watched.state.replace('_', ' ')}: {watched.because}"
    drift = f"drift in {shortlist(watched.drifted, 3)}" if watched.drifted else "no drift"
    if watched.tested:
        drift += f" ({watched.tested})"
    if watched.score is None or watched.worse is None:
        return f"{watched.span}: {drift}; no score, as it has no labels yet"
    score, apart = amount(watched.score, serving.unit), amount(abs(watched.worse), serving.unit)
    word = "worse" if watched.worse > 0 else "better"
    return f"{watched.span}: {drift}; score {score}, {apart} {word} than when it was judged"


def _row(one: PipelineStatus, now: datetime) -> tuple[str, ...]:
    champion, watched, last = one.champion, one.monitoring, one.last_verdict
    drift = "-" if watched is None else "yes" if watched.drifted else "no"
    then = f"{last.verdict}, {_ago(last.at, now)}" if last else "-"
    if one.waits_for_answer:
        coming = "waits for your answer"
    else:
        coming = _NEXT[one.next.decision] if one.next else "see its problem"
    return (
        one.pipeline,
        f"v{champion.version}" if champion else "-",
        _age(champion.since, now) if champion else "-",
        drift,
        then,
        coming,
    )


def _age(since: str, now: datetime) -> str:
    from everfit.contracts.clock import read_iso
    from everfit.contracts.wording import duration

    return duration(max(round((now - read_iso(since)).total_seconds()), 0))


def _ago(at: str, now: datetime) -> str:
    return f"{_age(at, now)} ago"


def _answer() -> object:
    from everfit.operations.status import PipelineStatus

    return list[PipelineStatus]


COMMAND = Command(
    group=Group.LOOK_AT,
    help="show all pipelines: champion, monitoring, last verdict, what is next",
    description="Shows for each pipeline its champion and how old it is, its score when it was "
    "judged and now, drift, the last verdict, whether a training is due and what holds it back, "
    "budgets and cost. Changes nothing.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
)
