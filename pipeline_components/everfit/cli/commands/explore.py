"""``everfit explore``: a table, as one page, before any spec exists."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, get_args

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.contracts.messages.statistics import SpanStatistics
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.engine.context import Context
    from everfit.operations.exploring.page import Explored

READ = 12


class Told(TypedDict):
    """What was looked at, and where the page is."""

    page: str
    spans: int
    rows: int
    target: str
    task: str
    time: str | None
    findings: list[str]
    """Errors and warnings, a line each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to look at, and what to compare it with."""
    parser.add_argument(
        "data", metavar="DATA", help="a file, a folder, a glob or an address; or a pipeline"
    )
    parser.add_argument(
        "--target", metavar="COLUMN", help="a column, or 'name = expression' (the last column)"
    )
    parser.add_argument("--task", choices=("regression", "binary", "multiclass"), help="its kind")
    parser.add_argument("--time", metavar="COLUMN", help="the timestamp that orders rows, or none")
    parser.add_argument(
        "--spans", type=int, default=READ, metavar="N", help=f"newest spans to look at ({READ})"
    )
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="where the page goes (NAME_explored.html)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Look at the data, and write the page; nothing else is left behind."""
    from everfit.contracts.settings import Settings
    from everfit.engine.context import open_context
    from everfit.operations.exploring.page import explore_page

    aside = ("EVERFIT_HOME", "EVERFIT_STORE", "EVERFIT_LEDGER", "EVERFIT_MLFLOW")
    environ = {key: text for key, text in os.environ.items() if key not in aside}
    with tempfile.TemporaryDirectory(prefix="everfit-explore-") as home:
        settings = Settings.from_environment({**environ, "EVERFIT_HOME": home})
        with open_context(settings, terminal.progress()) as context:
            found = _explore(options, settings, context)
            page = explore_page(found)
    target: Path = options.to or Path(f"{found.spec.name}_explored.html")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(page)
    rows = sum(table.rows for table in found.statistics)
    answer: Told = {
        "page": str(target),
        "spans": len(found.statistics),
        "rows": rows,
        "target": found.spec.target.name,
        "task": found.spec.task,
        "time": found.spec.time,
        "findings": [
            f"{one.severity}: {one.span}: {one.code}{f' {one.column}' if one.column else ''}: "
            f"{one.message.rstrip('.')}."
            for one in found.anomalies
            if one.severity != "info"
        ],
    }
    terminal.document(answer)
    for line in answer["findings"]:
        terminal.complain(line)
    looked = f"{count(rows, 'row')} of {count(answer['spans'], 'span')}"
    terminal.line(f"{target}: {looked}, target {answer['target']} ({answer['task']})")
    return 0


def _explore(options: argparse.Namespace, settings: Settings, context: Context) -> Explored:
    from everfit.cli.newest_spans import newest_snapshots
    from everfit.data.sources import list_spans
    from everfit.ml.profiles.cache import statistics_of_spans
    from everfit.operations.exploring.page import Explored
    from everfit.operations.exploring.relations import correlated, sample_rows
    from everfit.operations.new_repository.suggest import names_of_rows
    from everfit.steps.validate.judge import Shown
    from everfit.steps.validate.judge_spans import judge_spans

    known = _pipeline(options.data, settings)
    draft = known or _draft(options.data, settings)
    snapshots = newest_snapshots(draft, context, options.spans)
    spans = tuple(snapshot.span for snapshot in snapshots)
    statistics, _ = statistics_of_spans(context, spans)
    there = len(list_spans(draft.source, settings).spans)
    spec, text = (known, "") if known else _suggested(draft, options, statistics, there)
    shown = Shown(
        readings={one.span.name: one.readings for one in snapshots},
        rules={one.span.name: one.rules for one in snapshots},
    )
    _, _, judged = judge_spans(context, spec, spans, shown)
    frame = sample_rows([context.store.local(one.digest, context.scratch) for one in spans])
    return Explored(
        spec=spec,
        where=options.data,
        there=there,
        snapshots=snapshots,
        statistics=statistics,
        anomalies=[anomaly for one in judged for anomaly in one.anomalies],
        explains=_explains(spec, frame),
        pairs=correlated(frame),
        keys=names_of_rows(statistics[-1], frozenset({spec.target.name, spec.time or ""})),
        sampled=len(frame),
        text=text,
    )


def _pipeline(name: str, settings: Settings) -> PipelineSpec | None:
    """The pipeline of that name, where there is one and no such file."""
    from everfit.contracts.spec.load import load_spec

    path = settings.pipelines / f"{name}.yaml"
    return load_spec(path) if path.is_file() and not Path(name).exists() else None


def _draft(data: str, settings: Settings) -> PipelineSpec:
    """A spec that says nothing but where the data is."""
    from everfit.cli.commands.init import name_of
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.operations.new_repository.find_source import source_of

    gate = {"superior_by": "1%", "baseline": "median"}
    return PipelineSpec.model_validate(
        {
            "name": name_of(data),
            "task": "regression",
            "target": "_",
            "source": source_of(data, settings.root),
            "gate": gate,
        }
    )


def _suggested(
    draft: PipelineSpec,
    options: argparse.Namespace,
    statistics: Sequence[SpanStatistics],
    there: int,
) -> tuple[PipelineSpec, str]:
    """The spec that ``everfit init`` would begin with, and its text."""
    import yaml

    from everfit.cli.commands.init import check_time
    from everfit.contracts.spec.expression import columns_of
    from everfit.contracts.spec.metric import Task
    from everfit.contracts.spec.metrics import PRIMARY
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.operations.new_repository import files
    from everfit.operations.new_repository.suggest import (
        Target,
        check_target,
        names_of_rows,
        suggest_target,
        suggest_task,
        suggest_time,
    )

    newest = statistics[-1]
    target = Target.parse(options.target or suggest_target(newest))
    check_target(target, newest)
    task: Task = options.task or suggest_task(target, newest)
    assert task in get_args(Task)
    time = options.time or suggest_time(newest)
    check_time(time, newest)
    hidden = columns_of(target.expression) if target.expression else frozenset()
    text = files.spec_text(
        files.NewPipeline(
            name=draft.name,
            source=draft.source.model_dump(mode="json", exclude_defaults=True),
            spans=there,
            rows=sum(table.rows for table in statistics),
            target=target,
            task=task,
            metric=PRIMARY[task],
            time=None if time == "none" else time,
            drop=tuple(names_of_rows(newest, hidden | {target.name, time or ""})),
            hidden=tuple(sorted(hidden)),
        )
    )
    return PipelineSpec.model_validate({"name": draft.name, **yaml.safe_load(text)}), text


def _explains(spec: PipelineSpec, frame: Any) -> dict[str, float]:
    """Column → share of the target's variation that it explains on its own."""
    from everfit.contracts.errors import UserError
    from everfit.data.tables.evaluate_expression import evaluate
    from everfit.operations.exploring.relations import explained

    if spec.target.expression is not None:
        try:
            target = evaluate(spec.target.expression, frame)
        except UserError:
            return {}
    elif spec.target.name in frame:
        target = frame[spec.target.name]
    else:
        return {}
    classes = spec.task != "regression"
    if not classes:
        import pandas as pd

        target = pd.to_numeric(target, errors="coerce")
    shares = {
        name: explained(frame[name], target, classes=classes)
        for name in frame.columns
        if name != spec.target.name
    }
    return {name: share for name, share in shares.items() if share is not None}


COMMAND = Command(
    group=Group.WORK_ON,
    help="a page about a table, before any spec exists",
    description="Writes one HTML page about a table: types as a run would read them and what was "
    "odd, distributions, missing values, relations to the target, columns that go together, the "
    "time that is covered, likely keys and leaks, and a spec to start from. Nothing is trained, "
    "and nothing but the page is kept.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Told,
    epilog="examples:\n"
    "  everfit explore trips/ --target fare_amount\n"
    "  everfit explore taxi_fare --to taxi.html",
    page="how-to/install.md",
)
