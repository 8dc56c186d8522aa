"""``everfit run``: the chain in one process, with its progress and its verdict shown."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from everfit.cli.arguments import add_window, window_of
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import EXIT_NOTHING_TO_DO, AllRefused, NothingToDo, UserError

if TYPE_CHECKING:
    from everfit.contracts.messages.steps import Component, Outcome


class StepDone(TypedDict):
    """A step of the run."""

    step: str
    family: str | None
    """Of train: which model family."""
    cached: bool
    """Whether an earlier result was used."""
    seconds: float
    summary: dict[str, Any]
    """A few counts and scores."""


class RunDone(TypedDict):
    """A run that came to a verdict."""

    pipeline: str
    verdict: Literal["promote", "hold", "reject"]
    because: str
    version: int | None
    """Its registered version; null where it has none."""
    refit: int | None
    """The version of its settings fitted on the holdout too; null where none was made."""
    champion: int | None
    """The version that serves now."""
    steps: list[StepDone]
    reports: dict[str, str]
    """Title → file."""
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to run, and how it differs from what the spec says."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--force", action="store_true", help="run every step, even where nothing changed"
    )
    add_window(parser)
    parser.add_argument(
        "--if-due",
        action="store_true",
        help="run only where the triggers say so, and end with exit code 3 where they do not; "
        "for cron",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept in the ledger")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run one pipeline."""
    from everfit.champion.overrule import this_person
    from everfit.cli.step_lines import more_lines, step_line
    from everfit.contracts.messages.steps import RunOptions, Trigger, find_summary
    from everfit.contracts.messages.summaries import GateSummary, RegisterSummary
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context, pin_threads
    from everfit.engine.pipeline import run_pipeline
    from everfit.operations.report_files import write_reports

    if options.if_due and options.force:
        raise UserError(
            "USAGE",
            "everfit run",
            "--if-due and --force exclude each other",
            todo="Leave one out",
        )
    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    pin_threads(spec.train.threads)
    run_options = RunOptions(force=options.force, window=window_of(options.window))
    steps: list[StepDone] = []

    def watch(component: Component, family: str | None, outcome: Outcome | None) -> None:
        if outcome is None:
            terminal.begin(_named(component, family))
        else:
            steps.append(_step(family, outcome))
            terminal.line(step_line(_named(component, family), outcome, spec))
            for line in more_lines(outcome):
                terminal.line(f"    {line}")

    began = time.monotonic()
    # As a scheduled run under Airflow: plan asks the triggers whether a training may go.
    trigger = Trigger(
        run_type="scheduled" if options.if_due else "cli",
        reason=options.reason,
        person=this_person(),
    )
    with open_context(settings, terminal.progress()) as context:
        try:
            outcomes = run_pipeline(spec, context, trigger, run_options, watch=watch)
        except NothingToDo as reason:
            if not options.if_due or isinstance(reason, AllRefused):
                raise
            terminal.line(f"Nothing is due. {reason.line}")
            terminal.document({"nothing_to_do": reason.line})
            return EXIT_NOTHING_TO_DO
        pages = write_reports(spec.name, outcomes, context)
    gate, register = find_summary(outcomes, GateSummary), find_summary(outcomes, RegisterSummary)
    assert gate is not None and register is not None
    answer: RunDone = {
        "pipeline": spec.name,
        "verdict": gate.verdict,
        "because": gate.because,
        "version": register.version,
        "refit": register.refit,
        "champion": register.champion,
        "steps": steps,
        "reports": {title: str(path) for title, path in pages.items()},
        "seconds": round(time.monotonic() - began, 3),
    }
    terminal.document(answer)
    _show(answer, terminal)
    return 0


def _show(answer: RunDone, terminal: Terminal) -> None:
    name = answer["pipeline"]
    terminal.line()
    terminal.verdict(answer["verdict"], answer["because"])
    facts = []
    if answer["version"] is not None:
        facts.append(("version", f"{name} v{answer['version']}"))
    if answer["champion"] is not None:
        facts.append(("champion", f"{name} v{answer['champion']}  (alias @champion)"))
    facts += answer["reports"].items()
    terminal.facts([*facts, ("time", f"{answer['seconds']:.1f} s")])


def _named(component: str, family: str | None) -> str:
    return component if family is None else f"{component} {family}"


def _step(family: str | None, outcome: Outcome) -> StepDone:
    return {
        "step": outcome.component,
        "family": family,
        "cached": outcome.cached,
        "seconds": outcome.seconds,
        "summary": outcome.summary.model_dump(mode="json") if outcome.summary else {},
    }


COMMAND = Command(
    group=Group.WORK_ON,
    help="run the whole chain in this process, without Airflow",
    description="Runs the chain from plan to register in this process and shows the verdict and "
    "where the reports are. Work that was done before, here or in Airflow, is not repeated.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: RunDone,
    epilog="examples:\n"
    "  everfit run taxi_fare\n"
    "  everfit run taxi_fare --window all --reason 'more history'\n"
    "  */15 * * * * everfit run taxi_fare --if-due    (a line of a crontab)",
    page="explanation/gate.md",
)
