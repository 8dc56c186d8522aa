"""``everfit prune``: what nothing needs any more, listed, or removed where asked to."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import UserError
from everfit.contracts.wording import size

if TYPE_CHECKING:
    from everfit.operations.retention.prune import Pruned


class Amount(TypedDict):
    """How much of something there is."""

    count: int
    bytes: int


class Removed(TypedDict):
    """What was removed; less than what could go where something was in use again."""

    count: int
    bytes: int
    in_use_again: int


class Prunable(TypedDict):
    """What nothing needs any more, and what is kept."""

    pipeline: str | None
    """Null: all of them."""
    unneeded: dict[str, Amount]
    """Kind of thing → how much of it could go."""
    kept: dict[str, Amount]
    """Reason → how much is kept for it."""
    mlflow_runs: list[str]
    """Runs in MLflow that nothing needs any more."""
    removed: Removed | None
    """Null: nothing was to be removed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which pipelines, how old, and whether to do it."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the pipeline")
    parser.add_argument(
        "--all", action="store_true", help="all pipelines, and what belongs to none"
    )
    parser.add_argument(
        "--older-than", default="90d", metavar="LENGTH", help="unused for so long (90d)"
    )
    parser.add_argument("--delete", action="store_true", help="remove it (default: only list it)")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """List what could go, or remove it."""
    from everfit.champion.lookup import known_pipeline
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context
    from everfit.operations.retention.prune import age, prune

    if bool(options.name) == options.all:
        raise UserError(
            "PRUNE-WHICH",
            "everfit prune",
            "name a pipeline, or give --all",
            "both are" if options.name else "neither is",
            "Name one of them",
        )
    age(options.older_than)
    settings = Settings.from_environment()
    with open_context(settings, terminal.progress()) as context:
        if options.name:
            known_pipeline(context.ledger, options.name, settings.pipelines)
        done = prune(context, options.older_than, only=options.name, delete=options.delete)
    answer = _answer(done, options.name)
    terminal.document(answer)
    _show(answer, options.older_than, terminal)
    return 0


def _answer(done: Pruned, name: str | None) -> Prunable:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for one in done.found.condemned:
        counts[one.kind] += 1
        sizes[one.kind] += one.entry.size
    swept = done.swept
    return {
        "pipeline": name,
        "unneeded": {
            kind: {"count": counts[kind], "bytes": amount} for kind, amount in sizes.most_common()
        },
        "kept": {
            why: {"count": count, "bytes": amount}
            for why, (count, amount) in done.found.kept.items()
        },
        "mlflow_runs": [run.run for _, run in done.runs],
        "removed": None
        if swept is None
        else {"count": swept.removed, "bytes": swept.size, "in_use_again": swept.spared},
    }


def _show(answer: Prunable, older_than: str, terminal: Terminal) -> None:
    unneeded, removed = answer["unneeded"], answer["removed"]
    runs = len(answer["mlflow_runs"])
    rows = [_row(kind, amount) for kind, amount in unneeded.items()]
    if runs:
        rows.append(("runs in MLflow, with their artifacts", f"{runs:,}", ""))
    title = "could go" if removed is None else "not needed any more"
    right = ("how many", "size")
    terminal.table((f"{title}, unused for {older_than}", *right), rows, right)
    kept = [_row(_because(why, older_than), amount) for why, amount in answer["kept"].items()]
    terminal.table(("kept", *right), kept, right)
    whose = answer["pipeline"] or "all pipelines"
    if removed is not None:
        spared = f"; {removed['in_use_again']:,} kept: in use again"
        terminal.line(
            f"✓ {whose}  removed {removed['count']:,} ({size(removed['bytes'])})"
            f" and {runs:,} runs in MLflow{spared if removed['in_use_again'] else ''}"
        )
    elif unneeded or runs:
        total = size(sum(amount["bytes"] for amount in unneeded.values()))
        terminal.line(f"· {whose}  {total} could go. Nothing was removed: --delete removes it.")
    else:
        terminal.line(f"✓ {whose}  nothing to remove")


def _row(what: str, amount: Amount) -> tuple[str, str, str]:
    return (what, f"{amount['count']:,}", size(amount["bytes"]))


def _because(why: str, older_than: str) -> str:
    """The reason, with the length of time in place of what stands for it."""
    return why.replace("younger runs", f"runs younger than {older_than}").replace(
        "since then", f"within {older_than}"
    )


COMMAND = Command(
    group=Group.OPERATE,
    help="list or remove what nothing needs any more in store and MLflow",
    description="Lists what nothing needs any more in store and MLflow, and what is kept and why. "
    "Nothing is removed without --delete.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Prunable,
    page="how-to/retention.md",
)
