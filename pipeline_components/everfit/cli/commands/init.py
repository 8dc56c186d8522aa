"""``everfit init``: a repository of one's own, from data and a few answers."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, get_args

from everfit.cli.command import Command, Group
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.wording import count, percent

if TYPE_CHECKING:
    from everfit.contracts.messages.statistics import SpanStatistics
    from everfit.contracts.settings import Settings

READ = 12
"""The newest spans that are looked at."""


class Begun(TypedDict):
    """A repository that can run."""

    folder: str
    pipeline: str
    task: str
    target: str
    metric: str
    time: str | None
    spans: int
    written: list[str]
    kept: list[str]
    """What was there already, and was left alone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, and the answers to what would be asked."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="where (here)"
    )
    parser.add_argument(
        "--data", metavar="PATH", help="a file, a folder of files, a glob or an address (data)"
    )
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="what to predict: a column, or 'name = expression' (the last column)",
    )
    parser.add_argument("--task", choices=("regression", "binary", "multiclass"), help="its kind")
    parser.add_argument("--metric", metavar="NAME", help="what better means (by task)")
    parser.add_argument("--time", metavar="COLUMN", help="the timestamp that orders rows, or none")
    parser.add_argument("--name", metavar="NAME", help="of the pipeline (from the data's name)")
    parser.add_argument("--yes", action="store_true", help="ask nothing, take what was found")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Look at the data, ask what is open, and write the repository."""
    from everfit.champion.version.dossier import lock
    from everfit.contracts.settings import Settings
    from everfit.contracts.spec.load import SCHEMA_SUFFIX, load_spec
    from everfit.contracts.spec.metric import Task
    from everfit.contracts.spec.metrics import PRIMARY, metric_problem, metrics_of
    from everfit.operations.new_repository import files
    from everfit.operations.new_repository.find_source import source_of
    from everfit.operations.new_repository.suggest import (
        Target,
        check_target,
        names_of_rows,
        suggest_target,
        suggest_task,
        suggest_time,
    )
    from everfit.steps.validate.infer_schema import infer_schema
    from everfit.steps.validate.report.schema_yaml import schema_yaml

    ask = _Asking(terminal, asks=_asks(options))
    root: Path = options.folder.resolve()
    data = options.data or ask("data (a file, a folder, a glob or an address)", _usual_data(root))
    source = source_of(data, root)
    name = options.name or ask("name of the pipeline", name_of(data))
    _check_name(name, root)
    environ = {key: text for key, text in os.environ.items() if key != "EVERFIT_PIPELINES"}
    settings = Settings.from_environment({**environ, "EVERFIT_ROOT": str(root)})
    root.mkdir(parents=True, exist_ok=True)
    spans, tables = _look(name, source, settings, terminal)
    newest = tables[-1]
    if ask.asks and not options.target:
        _show(newest, terminal)
    target = Target.parse(
        options.target or ask("target (a column, or name = expression)", suggest_target(newest))
    )
    check_target(target, newest)
    kinds = get_args(Task)
    task: Task = options.task or ask("task", suggest_task(target, newest), kinds)
    metric = options.metric or ask("metric", PRIMARY[task], metrics_of(task))
    if problem := metric_problem(metric, task):
        raise UserError("INIT-METRIC", "--metric", "a metric is one of the task's", problem)
    time = options.time or suggest_time(newest)
    check_time(time, newest)
    hidden = frozenset[str]()
    if target.expression is not None:
        from everfit.contracts.spec.expression import columns_of

        hidden = columns_of(target.expression)
    pipeline = files.NewPipeline(
        name=name,
        source=source,
        spans=spans,
        rows=sum(table.rows for table in tables),
        target=target,
        task=task,
        metric=metric,
        time=None if time == "none" else time,
        drop=tuple(names_of_rows(newest, hidden | {target.name, time or ""})),
        hidden=tuple(sorted(hidden)),
    )
    own = {
        f"dags/pipelines/{name}.yaml": files.spec_text(pipeline),
        f"dags/pipelines/{name}{SCHEMA_SUFFIX}": schema_yaml(infer_schema(tables), name, tables),
    }
    pins = lock(root).decode().strip()
    written, kept = files.write_new(root, {**own, **files.repository_files(pipeline, pins)})
    load_spec(root / "dags" / "pipelines" / f"{name}.yaml")
    answer: Begun = {
        "folder": str(root),
        "pipeline": name,
        "task": task,
        "target": target.name,
        "metric": metric,
        "time": pipeline.time,
        "spans": spans,
        "written": written,
        "kept": kept,
    }
    terminal.document(answer)
    _tell(answer, terminal)
    return 0


class _Asking:
    """Asks a person, or takes what was found and says so."""

    def __init__(self, terminal: Terminal, *, asks: bool) -> None:
        self._terminal, self.asks = terminal, asks

    def __call__(self, what: str, found: str, known: Sequence[str] = ()) -> Any:
        if not self.asks:
            self._terminal.line(f"{what.partition(' (')[0]}: {found}")
            return found
        title = f"{what}: {', '.join(known)}" if known else what
        while True:
            try:
                answer = input(f"{title} [{found}] ").strip() or found
            except EOFError:
                return found
            if not known or answer in known:
                return answer
            self._terminal.line(f"It is one of {', '.join(known)}.")


def _asks(options: argparse.Namespace) -> bool:
    return not options.yes and not options.json and sys.stdin.isatty() and sys.stdout.isatty()


def _usual_data(root: Path) -> str:
    """The folder ``data``, or the one folder in it that holds the files."""
    folder = root / "data"
    if not folder.is_dir():
        return str(folder)
    there = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    return str(there[0] if len(there) == 1 else folder)


def name_of(data: str) -> str:
    """A pipeline's name from that of its data: of the folder where the file is just ``data``."""
    parts = [re.sub(r"[^a-z0-9]+", "_", Path(part).stem.lower()) for part in Path(data).parts]
    told = [part.strip("_") for part in parts if part.strip("_") not in ("", "data", "table")]
    name = told[-1] if told else "model"
    return (name if name[0].isalpha() else f"t_{name}")[:60]


def _check_name(name: str, root: Path) -> None:
    from everfit.contracts.spec.load import NAME

    if not NAME.match(name):
        raise UserError(
            "NAME",
            repr(name),
            "a pipeline's name is lower-case letters, digits and _, and begins with a letter",
            todo="Give another with --name",
        )
    path = root / "dags" / "pipelines" / f"{name}.yaml"
    if path.exists():
        raise UserError(
            "INIT-EXISTS",
            str(path),
            "a pipeline that is there is left unchanged",
            "it is there",
            "Give another with --name, or edit it",
        )


def check_time(time: str | None, table: SpanStatistics) -> None:
    """Make sure that the time is a column of timestamps, or none.

    Raises
    ------
    UserError
        If it is another column, or no column.
    """
    column = table.column(time) if time and time != "none" else None
    if time in (None, "none") or (column is not None and column.type == "timestamp"):
        return
    known = [one.name for one in table.columns if one.type == "timestamp"]
    raise UserError(
        "INIT-TIME",
        str(time),
        "the time is a column of timestamps, or none",
        f"it is {column.type if column else 'no column'}; timestamps are {shortlist(known)}"
        if known
        else f"it is {column.type if column else 'no column'}; the table has no timestamps",
        "Name one with --time, or give --time none",
    )


def _look(
    name: str, source: dict[str, Any], settings: Settings, terminal: Terminal
) -> tuple[int, tuple[SpanStatistics, ...]]:
    """How many spans there are, and the statistics of the newest."""
    from everfit.cli.newest_spans import newest_spans
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.data.sources import list_spans
    from everfit.engine.context import open_context
    from everfit.ml.profiles.cache import statistics_of_spans

    gate = {"superior_by": "1%", "baseline": "median"}
    draft = {"name": name, "task": "regression", "target": "_", "source": source, "gate": gate}
    spec = PipelineSpec.model_validate(draft)
    with open_context(settings, terminal.progress()) as context:
        spans = newest_spans(spec, context, READ)
        tables, _ = statistics_of_spans(context, spans)
        there = len(list_spans(spec.source, settings).spans)
    return there, tables


def _show(table: SpanStatistics, terminal: Terminal) -> None:
    terminal.table(
        ("column", "type", "missing", "distinct"),
        [(one.name, one.type, percent(one.missing), f"{one.distinct:,}") for one in table.columns],
        right=("missing", "distinct"),
    )


def _tell(answer: Begun, terminal: Terminal) -> None:
    for path in answer["written"]:
        terminal.line(f"✓ {path}")
    for path in answer["kept"]:
        terminal.line(f"· {path} was there, and is left unchanged")
    terminal.line()
    found = count(answer["spans"], "span")
    terminal.line(f"{answer['task']} of {answer['target']}, from {found}.")
    here = Path(answer["folder"]) == Path.cwd()
    go: Callable[[str], str] = lambda text: text if here else f"cd {answer['folder']} && {text}"  # noqa: E731
    terminal.line(f"Next: {go('everfit run ' + answer['pipeline'])}")


COMMAND = Command(
    group=Group.WORK_ON,
    help="begin a repository of your own from a table",
    description="Looks at the data, asks what no option says (nothing without a terminal), and "
    "writes a small repository: a pipeline's YAML with what was found, its schema, the DAG file, "
    "settings, a workflow and a README. Existing files are left alone.",
    add_arguments=add_arguments,
    run=run,
    answer=lambda: Begun,
    epilog="examples:\n"
    "  everfit init --data trips/ --target fare_amount\n"
    "  everfit init tips --data t.csv --target 'generous = tips > 0.2 * fare' --yes",
    page="how-to/install.md",
)
