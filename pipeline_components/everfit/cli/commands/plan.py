"""``everfit plan``: what a run would do now and why; trains nothing, records nothing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from everfit.cli.arguments import add_window, window_of
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.cli.times import without_zone

if TYPE_CHECKING:
    from everfit.contracts.messages.planning import PlanResult
    from everfit.contracts.messages.spans import SpanRef

Decision = Literal["train", "skip", "wait", "idle"]


class TriggersNow(TypedDict):
    """What the pipeline's triggers would do now."""

    decision: Decision
    """wait: one fired, and something holds the training back; idle: none fired."""
    because: str
    signals: list[str]
    """What a training is due for."""
    conditions: list[dict[str, Any]]
    """Each condition: what was read and measured, whether it fired, and why."""


class Planned(TypedDict):
    """What ``everfit run`` would do now."""

    pipeline: str
    decision: Decision
    because: str
    window: list[str]
    """Names of the spans to train on, oldest first."""
    holdout: list[str]
    """Names of the spans to judge on; empty where rows are divided."""
    champion: int | None
    """Version it would be compared with."""
    run_key: str | None
    """Null where a span has not been read yet."""
    detectable: str | None
    """The smallest gain that the holdout can tell, where it is known."""
    left_out: list[str]
    """A sentence for each span that is left out."""
    triggers: TriggersNow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The pipeline, and the options of the run that is planned."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument("--force", action="store_true", help="plan a run with --force")
    add_window(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Plan, and show it."""
    from everfit.contracts.messages.planning import PlanRequest, Trigger
    from everfit.contracts.messages.steps import Order, RunOptions
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context
    from everfit.steps.plan.step import Plan

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    run_options = RunOptions(force=options.force, window=window_of(options.window))
    order = Order(component="plan", pipeline=spec, options=run_options)
    with open_context(settings, terminal.progress()) as context:
        step = Plan()
        planned = step.run(
            PlanRequest(pipeline=order.effective_pipeline, force=options.force), context
        )
        swept = step.run(
            PlanRequest(pipeline=spec, sweep=True, trigger=Trigger(run_type="scheduled")), context
        )
    answer = _answer(spec.name, planned, swept)
    terminal.document(answer)
    _show(answer, planned, swept, terminal)
    return 0


def _answer(name: str, planned: PlanResult, swept: PlanResult) -> Planned:
    return {
        "pipeline": name,
        "decision": planned.decision,
        "because": planned.because,
        "window": _names(planned.window),
        "holdout": _names(planned.holdout),
        "champion": planned.champion.version if planned.champion else None,
        "run_key": planned.run_key,
        "detectable": planned.detectable,
        "left_out": list(planned.notes),
        "triggers": {
            "decision": swept.decision,
            "because": swept.because,
            "signals": list(swept.signals),
            "conditions": [one.model_dump(mode="json") for one in swept.conditions],
        },
    }


def _names(spans: tuple[SpanRef, ...]) -> list[str]:
    return [span.name for span in spans]


def _show(answer: Planned, planned: PlanResult, swept: PlanResult, terminal: Terminal) -> None:
    from everfit.cli.commands.triggers import condition_lines
    from everfit.contracts.errors import shortlist

    name = answer["pipeline"]
    trains = answer["decision"] == "train"
    does = "train" if trains else "do nothing"
    terminal.line(f"everfit run {name} would {does} now.", style="strong")
    facts = [("because", without_zone(answer["because"]))]
    if trains:
        facts.append(("trains on", shortlist(answer["window"])))
        holdout = planned.holdout
        facts.append(
            ("judges on", shortlist(answer["holdout"]) if holdout else "rows of the same spans")
        )
        champion = answer["champion"]
        facts.append(("compared with", f"v{champion}" if champion else "the gate's baseline"))
        facts.append(("run", answer["run_key"][:12] if answer["run_key"] else "new"))
    if answer["detectable"]:
        facts.append(("can tell", answer["detectable"]))
    facts += [("left out", note) for note in answer["left_out"]]
    terminal.facts(facts)
    terminal.line()
    triggers = answer["triggers"]
    words = {
        "train": "a training is due",
        "wait": "a training is due but held back",
        "idle": "nothing is due",
    }
    state = words.get(triggers["decision"], "there is nothing to train")
    terminal.line(f"By its triggers {state} (times are UTC).", style="strong")
    terminal.facts([("because", without_zone(triggers["because"]))])
    for condition in swept.conditions:
        for line in condition_lines(condition):
            terminal.line(line)


COMMAND = Command(
    group=Group.WORK_ON,
    help="show what a run would do now, and why; trains nothing",
    description="Shows what a run would do now and why: the spans it would train on and be judged "
    "on, what is left out, and what the triggers would do. Trains nothing and records nothing.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Planned,
    page="explanation/triggers.md",
)
