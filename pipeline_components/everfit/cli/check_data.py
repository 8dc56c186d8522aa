"""Everything that one span shows to be wrong with a spec, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from everfit.contracts.errors import UserError, shortlist
from everfit.contracts.spec.expression import columns_of
from everfit.contracts.visible import hidden_marks, visible

if TYPE_CHECKING:
    from everfit.contracts.messages.requests import Anomaly
    from everfit.contracts.messages.spans import Snapshot
    from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
    from everfit.contracts.spec.pipeline import PipelineSpec
    from everfit.engine.context import Context

_ROWS = 1_000
_EPOCHS = (("epoch_us", 1e14), ("epoch_ms", 1e11), ("epoch_s", 1e8))
_YES = {True: ("yes", "on", "true", "y"), False: ("no", "off", "false", "n")}
"""What YAML reads as a truth value without quotes."""


class Shown(NamedTuple):
    """What a span shows, a line each."""

    problems: list[str]
    warnings: list[str]
    fields: dict[str, str]
    """Problem that does not begin with the field it is about → that field."""


def check_data(spec: PipelineSpec, snapshot: Snapshot, path: Path, context: Context) -> Shown:
    """Compare a spec with the rows of one span.

    Parameters
    ----------
    spec : PipelineSpec
    snapshot : Snapshot
        The span, and what reading it has shown.
    path : Path
        Its table.
    context : Context

    Returns
    -------
    Shown
    """
    from everfit.contracts.spec.named_columns import missing_columns
    from everfit.ml.profiles.cache import statistics_of_spans

    ((statistics,), _) = statistics_of_spans(context, (snapshot.span,))
    missing = missing_columns(
        spec,
        [*(column.name for column in statistics.columns), *snapshot.unread],
        snapshot.span.name,
    )
    if missing:
        return Shown(missing, [], {})
    frame = _first_rows(path)
    found = _judged(spec, snapshot, path, statistics)
    problems = [
        *_time_problems(spec, statistics, frame),
        *_positive_problems(spec, statistics),
        *_expression_problems(spec, frame),
        *_weight_problems(spec, snapshot, path),
        *found.problems,
    ]
    warnings = [*_time_warnings(spec, statistics), *found.warnings]
    return Shown(problems, warnings, found.fields)


def _first_rows(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from everfit.data.tables.frames import to_frame

    with pq.ParquetFile(path, pre_buffer=False) as file:
        return to_frame(pa.Table.from_batches([next(file.iter_batches(_ROWS))]))


def _judged(
    spec: PipelineSpec, snapshot: Snapshot, path: Path, statistics: SpanStatistics
) -> Shown:
    """What validate would say of the span alone."""
    from everfit.steps.validate.check_readings import check_distinct, check_readings
    from everfit.steps.validate.check_rules import check_rules
    from everfit.steps.validate.check_schema import check_schema
    from everfit.steps.validate.check_span import check_span
    from everfit.steps.validate.check_target import check_target
    from everfit.steps.validate.check_times import check_times
    from everfit.steps.validate.findings import Findings
    from everfit.steps.validate.report.told_findings import READING
    from everfit.steps.validate.target_profile import profile_target

    findings = Findings(snapshot.span.name, spec)
    target = profile_target(path, spec.target, spec.shown_features, statistics.columns, spec.time)
    check_span(snapshot.span, statistics, spec, findings)
    check_target(target, spec, findings)
    check_readings(snapshot.readings, spec, findings)
    check_rules(snapshot.rules, findings)
    check_times(snapshot.times, statistics.rows, spec, findings)
    check_distinct(statistics, spec, findings)
    if spec.curated is not None:
        check_schema(statistics, spec.curated, findings)
    problems, warnings, fields = [], [], {}
    for one in findings.anomalies:
        about = f" {one.column}" if one.column else ""
        line = f"{one.span}: {one.code}{about}: {one.message.rstrip('.')}."
        if one.severity == "error":
            problems.append(line)
            if (field := _field_of(spec, one)) is not None:
                fields[line] = field
        elif one.code in {*READING, "ROWS-DROPPED"} or one.severity == "warning":
            warnings.append(line)
    return Shown(problems, warnings, fields)


def _field_of(spec: PipelineSpec, anomaly: Anomaly) -> str | None:
    """Where the spec says what an anomaly is about; None where it does not."""
    from everfit.contracts.spec.named_columns import named_columns

    if anomaly.code.startswith("TARGET-") and anomaly.code != "TARGET-LEAK":
        return "target"
    if anomaly.code.startswith("ROW-RULE"):
        return "validation.rows"
    return next((field for field, name in named_columns(spec) if name == anomaly.column), None)


def _time_problems(spec: PipelineSpec, statistics: SpanStatistics, frame: Any) -> Iterator[str]:
    column = statistics.column(spec.time) if spec.time else None
    if column is None or column.all_missing or column.type in ("timestamp", "integer", "float"):
        return
    value = next(iter(frame[column.name].dropna().tolist()), "")
    yield (
        f"time: {column.name!r} is {column.type}, such as {visible(value)}: rows are ordered by a "
        "timestamp or a number; name its format, such as source.times: "
        f"{{{column.name}: '%d.%m.%Y'}}"
    )


def _time_warnings(spec: PipelineSpec, statistics: SpanStatistics) -> Iterator[str]:
    column = statistics.column(spec.time) if spec.time else None
    if column is None or column.type not in ("integer", "float") or column.max is None:
        return
    form = _looks_like_epoch(column)
    if form is not None:
        yield (
            f"time: {column.name!r} holds numbers such as {column.max:.0f}: rows are ordered by "
            f"them, and no feature is made of them. If that is {form}, say source.times: "
            f"{{{column.name}: {form}}}"
        )


def _looks_like_epoch(column: ColumnStatistics) -> str | None:
    low, high = column.min or 0.0, column.max or 0.0
    if low >= 19000101 and high <= 21001231:
        return "yyyymmdd"
    return next((form for form, least in _EPOCHS if low >= least), None)


def _positive_problems(spec: PipelineSpec, statistics: SpanStatistics) -> Iterator[str]:
    """The positive class is none of the target's values, and why that may be."""
    positive = spec.target.positive
    column = statistics.column(spec.target.name)
    if positive is None or spec.target.expression is not None or column is None:
        return
    if column.type != "string" or not column.categories_complete or not column.categories:
        return
    classes = [text for text, _ in column.categories]
    if isinstance(positive, bool):
        near = next((text for text in classes if text.strip().lower() in _YES[positive]), None)
        meant = f"write positive: '{near}'" if near else f"the classes are {shortlist(classes)}"
        yield (
            f"target.positive: YAML reads an unquoted {positive} as a truth value, "
            f"and {column.name!r} holds texts: {meant}" + (", in quotes" if near else "")
        )
        return
    if str(positive) not in classes:
        shown = shortlist(map(visible, classes))
        alike = next((c for c in classes if _bare(c) == _bare(str(positive))), None)
        hint = ""
        if alike is not None and hidden_marks(alike):
            hint = f"; {visible(alike)} has characters that cannot be seen: clean it at the source"
        elif alike is not None:
            hint = f"; did you mean {alike!r}?"
        yield f"target.positive: {visible(positive)} is not among the classes {shown}{hint}"


def _bare(text: str) -> str:
    return "".join(mark for mark in text if mark.isalnum()).casefold()


def _expression_problems(spec: PipelineSpec, frame: Any) -> Iterator[str]:
    """Expressions that do not fit the types of the columns they read."""
    from everfit.data.tables.evaluate_expression import evaluate

    frame = frame.copy(deep=False)
    for name, text in spec.features.derive.items():
        try:
            frame[name] = evaluate(text, frame)
        except UserError as error:
            yield f"features.derive.{name}: {_expressed(error, text, spec, frame)}"
    for part in spec.slices:
        try:
            if columns_of(part.where) <= set(frame.columns):
                evaluate(part.where, frame)
        except UserError as error:
            yield f"slices.{part.name}: {_expressed(error, part.where, spec, frame)}"


def _weight_problems(spec: PipelineSpec, snapshot: Snapshot, path: Path) -> Iterator[str]:
    """Weights that no run would take, of the rows that have a target."""
    if spec.weight is None:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    from everfit.data.tables.evaluate_expression import evaluate
    from everfit.data.tables.frames import to_frame
    from everfit.steps.prepare.weights import row_weights

    reads = columns_of(spec.weight)
    target = spec.target_columns or {spec.target.name}
    with pq.ParquetFile(path) as file:
        table = file.read(columns=sorted(reads | target), use_threads=False)
    try:
        known = to_frame(table.select(sorted(target)))
        text = spec.target.expression
        labelled = (known[spec.target.name] if text is None else evaluate(text, known)).notna()
        row_weights(table.filter(pa.array(labelled)), spec.weight, snapshot.span.name)
    except UserError as error:
        yield f"weight: {error.must}; {error.found}"


def _expressed(error: UserError, text: str, spec: PipelineSpec, frame: Any) -> str:
    """What is wrong with an expression, with a value of a column that it reads."""
    shown = []
    for name in sorted(columns_of(text) & set(map(str, frame.columns))):
        value = next(iter(frame[name].dropna().tolist()), None)
        if value is not None:
            shown.append(f"{name} is like {visible(value)}")
    hint = ""
    times = [name for name in sorted(columns_of(text)) if name not in spec.source.times]
    if times and any(word in text for word in ("hour(", "day(", "month(", "minutes(", "epoch(")):
        hint = f". If {times[0]} is a time, name its format: source.times: {{{times[0]}: epoch_ms}}"
        hint += ", epoch_s, yyyymmdd or a pattern such as %d.%m.%Y"
    return f"{error.line.rstrip('.')}{' (' + shortlist(shown) + ')' if shown else ''}{hint}"
