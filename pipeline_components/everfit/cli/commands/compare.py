"""``everfit compare``: what differs between two runs, and how each scored."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.cli.times import utc

Row = tuple[str, ...]
"""A title, and what it is for each run."""

if TYPE_CHECKING:
    from pydantic import JsonValue

    from everfit.champion.compare import Difference, RunComparison, Side, SpanSets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two runs."""
    for name, which in (("first", "one run"), ("second", "the other")):
        parser.add_argument(
            name,
            metavar="RUN",
            help=f"{which}: the first letters of its key, or a version such as taxi_fare:3 or "
            "taxi_fare:champion",
        )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show both runs beside each other."""
    from everfit.champion.compare import compare
    from everfit.champion.lookup import find_any_run
    from everfit.contracts.settings import Settings
    from everfit.storage.ledger import open_ledger
    from everfit.storage.store import open_store

    settings = Settings.from_environment()
    with open_ledger(settings.ledger) as ledger:
        first, second = (find_any_run(ledger, text) for text in (options.first, options.second))
        found = compare(ledger, open_store(settings.store), first, second)
    terminal.document(found)
    _show(found, terminal)
    return 0


def _show(found: RunComparison, terminal: Terminal) -> None:
    from everfit.contracts.spec.metrics import metric_title, metric_unit
    from everfit.contracts.wording import apart

    first, second = found.first, found.second
    rows: list[Row] = [("", _called(first), _called(second)), *_sides(first, second)]
    rows += _spans("spans to train on", found.window) + _spans("spans to judge on", found.holdout)
    for pair in found.scores:
        scores = apart(pair.first, pair.second, unit=metric_unit(pair.metric, found.unit))
        rows.append((metric_title(pair.metric), *scores))
    terminal.table(rows[0], rows[1:])
    if not found.comparable:
        terminal.line("They were judged on different rows: their scores cannot be compared.")
    for title, differences in (
        ("spec", found.spec),
        ("model settings", found.candidate),
        ("environment", found.environment),
    ):
        terminal.line()
        if not differences:
            terminal.line(f"{title}: the same")
            continue
        terminal.table((title, "", ""), map(_difference, differences))
    terminal.line()
    terminal.line(f"code that decides: {'the same' if found.same_code else 'differs'}")


def _called(side: Side) -> str:
    version = f" v{side.version}" if side.version is not None else ""
    return f"{side.pipeline}{version}"


def _sides(first: Side, second: Side) -> list[Row]:
    from everfit.contracts.wording import number

    return [
        ("run", first.run_key[:12], second.run_key[:12]),
        ("opened (UTC)", utc(first.opened), utc(second.opened)),
        ("verdict", first.verdict, second.verdict),
        ("model family", first.family, second.family),
        ("rows to train on", number(first.rows_train), number(second.rows_train)),
        ("rows to judge on", number(first.rows_holdout), number(second.rows_holdout)),
    ]


def _spans(title: str, sets: SpanSets) -> list[Row]:
    from everfit.contracts.errors import shortlist

    total = [len(sets.both) + len(only) for only in (sets.first_only, sets.second_only)]
    if not any(total):
        return []
    rows: list[Row] = [(title, *(f"{count:,}" for count in total))]
    if sets.first_only or sets.second_only:
        only = (shortlist(names, 3) or "-" for names in (sets.first_only, sets.second_only))
        rows.append(("  only there", *only))
    return rows


def _difference(one: Difference) -> Row:
    return (f"  {one.name}", _value(one.first), _value(one.second))


def _value(value: JsonValue) -> str:
    import json

    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _answer() -> object:
    from everfit.champion.compare import RunComparison

    return RunComparison


COMMAND = Command(
    group=Group.LOOK_AT,
    help="compare two runs: spec, spans, model and scores",
    description="Shows two runs beside each other: what differs in spec, spans, model settings, "
    "code and environment, and how each candidate scored.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    epilog="examples:\n"
    "  everfit compare 1f4e 9a02\n"
    "  everfit compare taxi_fare:2 taxi_fare:champion",
)
