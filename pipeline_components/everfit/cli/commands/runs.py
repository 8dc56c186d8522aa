"""``everfit runs``: every run with its verdict, gain, duration and cost."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from everfit.cli.arguments import from_one, moment, target_unit
from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.cli.times import utc

if TYPE_CHECKING:
    from everfit.champion.runs import RunOverview
    from everfit.contracts.price import Price

TITLES = ("run", "opened (UTC)", "verdict", "gain", "took", "cost")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which pipeline, and which of its runs."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the pipeline (default: all)")
    parser.add_argument(
        "--verdict", choices=("promote", "hold", "reject"), help="only runs with this verdict"
    )
    parser.add_argument(
        "--since", metavar="TIME", help="only runs opened since, such as 2026-03 or 2026-03-31"
    )
    parser.add_argument(
        "--limit", type=from_one, default=20, metavar="N", help="the newest N of a pipeline (20)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show the runs, the newest last."""
    from everfit.champion.lookup import known_pipeline
    from everfit.champion.runs import Filter, overview
    from everfit.contracts.price import read_price
    from everfit.contracts.settings import Settings
    from everfit.storage.ledger import open_ledger
    from everfit.storage.store import open_store

    settings = Settings.from_environment()
    price = read_price(settings.cpu_hour_price)
    since = moment(options.since, "--since") if options.since else None
    wanted = Filter(options.verdict, since, options.limit)
    found: dict[str, list[RunOverview]] = {}
    with open_ledger(settings.ledger) as ledger:
        if options.name:
            known_pipeline(ledger, options.name, settings.pipelines)
        store = open_store(settings.store)
        for name in (options.name,) if options.name else ledger.pipelines():
            found[name] = overview(ledger, store, name, wanted)
    terminal.document([one.model_dump(mode="json") for runs in found.values() for one in runs])
    for number, (name, runs) in enumerate(found.items()):
        if number:
            terminal.line()
        if len(found) > 1:
            terminal.line(name, style="strong")
        show(runs, target_unit(name, settings.pipelines), terminal, price)
        if not runs:
            terminal.line(f"{name} has no {'such ' if options.verdict or since else ''}run.")
    if not found:
        terminal.line("There is no run yet.")
    return 0


def show(
    runs: list[RunOverview], unit: str | None, terminal: Terminal, price: Price | None = None
) -> None:
    """A line for each run, and what the gain is a gain of.

    Parameters
    ----------
    runs : list of RunOverview
    unit : str or None
        Of the target.
    terminal : Terminal
    price : Price, optional
        Of a CPU hour.
    """
    from everfit.contracts.spec.metrics import metric_title

    terminal.table(TITLES, [_row(one, unit, price) for one in runs], right=("took", "cost"))
    metrics = dict.fromkeys(one.gain.metric for one in runs if one.gain)
    if metrics:
        titles = " or ".join(map(metric_title, metrics))
        terminal.line(f"gain: in {titles} over what it was compared with; positive is better.")


def _row(one: RunOverview, unit: str | None, price: Price | None) -> tuple[str, ...]:
    from everfit.contracts.price import work
    from everfit.contracts.spec.metrics import metric_unit
    from everfit.contracts.wording import NOTHING, amount, duration

    gain = one.gain
    verdict: str = one.verdict or "none yet"
    if one.version is not None:
        verdict += f" v{one.version}"
    return (
        one.run_key[:12],
        utc(one.opened),
        f"{verdict} (champion)" if one.champion else verdict,
        amount(gain.value, metric_unit(gain.metric, unit), signed=True) if gain else NOTHING,
        duration(one.seconds) if one.seconds is not None else NOTHING,
        work(one.cpu_seconds, price) if one.cpu_seconds is not None else NOTHING,
    )


def _answer() -> object:
    from everfit.champion.runs import RunOverview

    return list[RunOverview]


COMMAND = Command(
    group=Group.LOOK_AT,
    help="list runs with verdict, gain, duration and cost",
    description="Lists the runs of one or all pipelines, the newest last: verdict and version, "
    "gain over what the candidate was compared with, time from opening to verdict, and CPU time; "
    "with EVERFIT_CPU_HOUR_PRICE, also money.",
    add_arguments=add_arguments,
    run=run,
    answer=_answer,
    epilog="examples:\n"
    "  everfit runs taxi_fare\n"
    "  everfit runs --verdict hold --since 2026-03\n"
    "  everfit runs taxi_fare --json | jq '.[-1].gain'",
)
