"""``everfit score``: the champion's predictions for whole files, tables and queries."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import EXIT_RETRY, EXIT_USER
from everfit.contracts.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from everfit.contracts.messages.scoring import ScoredSpan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is scored, by which version, and where predictions go."""
    parser.add_argument("name", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--input",
        metavar="URI",
        help="a path, a glob, s3://…, https://… or sql:CONNECTION:TABLE (default: score.input of "
        "the spec, else the pipeline's own source)",
    )
    parser.add_argument(
        "--output",
        metavar="URI",
        help="a folder or s3://bucket/prefix, a file a span; one .parquet or .csv file; or "
        "sql:CONNECTION:TABLE (default: score.output of the spec)",
    )
    parser.add_argument(
        "--spans",
        type=_spans_asked,
        metavar="N",
        help="the newest N spans, or all (default: score.spans of the spec, else all)",
    )
    parser.add_argument(
        "--version",
        metavar="N",
        help="champion, challenger or a version's number (default: score.version of the spec, else "
        "champion)",
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
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import find_spec, load_spec
    from everfit.engine.context import open_context, pin_threads
    from everfit.engine.own_images import refuse_own_images

    settings = Settings.from_environment()
    spec = load_spec(find_spec(settings.pipelines, options.name))
    refuse_own_images(spec, ("extract", "score"))
    pin_threads(spec.train.threads)
    from everfit.steps.score.request import placed, request_of, score_request

    def given(address: str | None) -> str | None:
        return placed(address, Path.cwd()) if address else None

    request = request_of(
        spec,
        settings.root,
        input=given(options.input),
        output=given(options.output),
        spans=options.spans,
        version=options.version,
        as_of=options.as_of,
    )
    with open_context(settings, terminal.progress()) as context:
        found = score_request(request, context)
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


def _spans_asked(text: str) -> int | str:
    """A number of spans from 1, or all."""
    if text == "all":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("is a number from 1, or all")
    return int(text)


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
    from everfit.contracts.messages.scoring import ScoredSpan

    return list[ScoredSpan]


COMMAND = Command(
    group=Group.WORK_ON,
    help="predict whole files, tables or queries with the champion",
    description="Reads what the pipeline could read, predicts it with the champion in batches, and "
    "writes the predictions of each span that its version has not scored yet to a file or a table.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    epilog="examples:\n"
    "  everfit score taxi_fare --input new/ --output scores/\n"
    "  everfit score taxi_fare --input today.csv --output today.parquet\n"
    "  everfit score churn --input sql:warehouse:customers --output s3://ml/churn/\n"
    "  everfit score churn --output sql:warehouse:ml.churn_scores --spans 1\n"
    "  everfit score taxi_fare --output scores/ --as-of 2026-03-31",
    page="how-to/scoring.md",
)
