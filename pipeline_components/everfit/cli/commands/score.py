"""``everfit score``: the champion's predictions for whole files, tables and queries."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import EXIT_RETRY, EXIT_USER
from everfit.contracts.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everfit.operations.scoring.score import ScoredSpan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is scored, by which version, and where predictions go."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--input",
        metavar="URI",
        help="a path, a glob, s3://…, https://… or sql:CONNECTION:TABLE (default: the pipeline's "
        "own source)",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="URI",
        help="a folder or s3://bucket/prefix, a file a span; or one .parquet or .csv file",
    )
    parser.add_argument(
        "--version",
        default="champion",
        metavar="N",
        help="champion (default) or a version's number",
    )
    parser.add_argument(
        "--as-of",
        nargs="?",
        const="span",
        metavar="TIME",
        help="by who was champion at that time (UTC; a day alone means its end); without a time: "
        "each span by the champion of its own end",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Score, and say what could not be."""
    from everfit.champion.journal import moment_of
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context, pin_threads
    from everfit.operations.scoring.version import EACH_SPAN

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    as_of: Any = options.as_of
    if as_of not in (None, EACH_SPAN):
        as_of = moment_of(as_of)
    pin_threads(spec.train.threads)
    from everfit.operations.scoring.score import score

    with open_context(settings, terminal.progress()) as context:
        found = score(
            spec,
            context,
            options.output,
            input=options.input,
            version=options.version,
            as_of=as_of,
        )
    terminal.document([one.model_dump(mode="json") for one in found])
    scored = [one for one in found if one.state == "scored"]
    refused = [one for one in found if one.state == "refused"]
    if not scored and not refused:
        version = found[0].version
        terminal.line(f"Nothing to do. {_spans(len(found))} scored by v{version} already.")
    for one in scored:
        terminal.line(f"{one.span}  {count(one.rows, 'row')} scored by v{one.version}")
        terminal.facts(_facts(one))
    for one in refused:
        terminal.complain(one.refusal or "")
    if not refused:
        return 0
    return EXIT_RETRY if all(one.retry for one in refused) else EXIT_USER


def _spans(number: int) -> str:
    return "The span is" if number == 1 else f"All {number:,} spans are"


def _facts(one: ScoredSpan) -> Iterable[tuple[str, str]]:
    if one.unscored:
        are = "has an empty prediction" if one.unscored == 1 else "have empty predictions"
        yield "not scored", f"{count(one.unscored, 'row')} {are}: the model gave no finite number"
    for column, cells in one.unreadable.items():
        yield "unreadable", f"{column}: {count(cells, 'cell')} not of its type, taken as missing"
    for column, cells in one.unseen.items():
        yield "unseen", f"{column}: {count(cells, 'cell')} with a text that training did not have"
    for note in one.notes:
        yield "note", note
    yield "output", one.output or ""


def _answer() -> Any:
    from everfit.operations.scoring.score import ScoredSpan

    return list[ScoredSpan]


COMMAND = Command(
    group=Group.WORK_ON,
    help="predict whole files, tables or queries with the champion",
    description="Reads what the pipeline could read, predicts it with the champion in batches, and "
    "writes a file of predictions for each span that its version has not scored yet.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    epilog="examples:\n"
    "  everfit score taxi_fare --input new/ --output scores/\n"
    "  everfit score taxi_fare --input today.csv --output today.parquet\n"
    "  everfit score churn --input sql:warehouse:customers --output s3://ml/churn/\n"
    "  everfit score taxi_fare --output scores/ --as-of 2026-03-31",
    page="how-to/scoring.md",
)
