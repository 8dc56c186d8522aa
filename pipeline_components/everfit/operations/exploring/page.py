"""The page of ``everfit explore``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from everfit.contracts import wording
from everfit.contracts.messages.anomalies import ANOMALIES
from everfit.contracts.messages.requests import Anomaly
from everfit.contracts.messages.spans import Snapshot
from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.ml.profiles.column_profile import iso_time
from everfit.ml.profiles.merge import merge_statistics
from everfit.operations.exploring.relations import STRONG, Pair
from everfit.reporting.templating import Tone, render
from everfit.steps.validate.findings import RANK
from everfit.steps.validate.report.small_pictures import bars, common_axis, heights, line, median_of

TEMPLATE = "operations/exploring/page.html.j2"

MOST_COLUMNS = 200
MOST_PAIRS = 30
LEAKS = 0.9
"""Share of the target's variation from which a column that explains it looks like a leak."""

_TONES: dict[str, Tone] = {"error": "bad", "warning": "warn", "info": "calm"}


@dataclass(frozen=True)
class Explored:
    """What was found; sequences of spans are of one length, oldest first."""

    spec: PipelineSpec
    where: str
    """The data, as it was named."""
    there: int
    """Spans of the source."""
    snapshots: Sequence[Snapshot]
    statistics: Sequence[SpanStatistics]
    anomalies: Sequence[Anomaly]
    explains: Mapping[str, float]
    """Column → share of the target's variation that it explains on its own."""
    pairs: Sequence[Pair]
    keys: Sequence[str]
    """Columns that differ in every row."""
    sampled: int
    """Rows that relations were measured on."""
    text: str
    """A spec to start from; empty where there is one."""


def explore_page(found: Explored) -> bytes:
    """One self-contained HTML page; the same bytes for the same values."""
    whole = merge_statistics(found.statistics)
    target = found.spec.target
    worst = min((RANK[one.severity] for one in found.anomalies), default=2)
    badge, tone = (("errors", "bad"), ("warnings", "warn"), ("sound", "good"))[worst]
    shown = whole.columns[:MOST_COLUMNS]
    ranked = sorted(found.explains.items(), key=lambda item: (-item[1], item[0]))
    return render(
        TEMPLATE,
        title=f"Explored: {found.where}",
        kicker="Everfit · explore",
        lead=_lead(found, whole),
        badge=badge,
        tone=tone,
        facts=_facts(found, whole),
        odd=_odd(found.anomalies),
        meanings=ANOMALIES,
        columns=[_column(column, found) for column in shown],
        more_columns=max(len(whole.columns) - MOST_COLUMNS, 0),
        target=target,
        target_picture=_picture(whole.column(target.name)),
        relations=[(name, share, name in _leaks(found)) for name, share in ranked[:MOST_COLUMNS]],
        pairs=list(found.pairs[:MOST_PAIRS]),
        more_pairs=max(len(found.pairs) - MOST_PAIRS, 0),
        strong=STRONG,
        sampled=found.sampled,
        spans=[
            _span(snapshot, table, found.spec.time)
            for snapshot, table in zip(found.snapshots, found.statistics, strict=True)
        ],
        time=found.spec.time,
        text=found.text,
    )


def _lead(found: Explored, whole: SpanStatistics) -> str:
    spans = wording.count(found.there, "span")
    looked = "" if found.there == len(found.statistics) else f", the newest {len(found.statistics)}"
    looked = f"{looked} of them looked at" if looked else ""
    return (
        f"{wording.count(whole.rows, 'row')} of {wording.count(len(whole.columns), 'column')} "
        f"from {spans}{looked}. Nothing was trained, and nothing is kept but this page."
    )


def _facts(found: Explored, whole: SpanStatistics) -> list[tuple[str, str]]:
    spec = found.spec
    target = spec.target.name
    if spec.target.expression:
        target += f" = {spec.target.expression}"
    about = "" if whole.duplicates_exact else "about "
    leaks = _leaks(found)
    return [
        ("Target", f"{target}, a {spec.task}"),
        ("Time", spec.time or "none was found"),
        ("Likely keys", ", ".join(found.keys) or "no column differs in every row"),
        ("Likely leaks", ", ".join(leaks) or "none was found"),
        ("Repeated rows", f"{about}{wording.number(whole.duplicates)} within their span"),
    ]


def _leaks(found: Explored) -> list[str]:
    surely = [one.column for one in found.anomalies if one.code == "TARGET-LEAK" and one.column]
    likely = [name for name, share in found.explains.items() if share >= LEAKS]
    return list(dict.fromkeys((*surely, *likely)))


def _odd(anomalies: Sequence[Anomaly]) -> list[tuple[Anomaly, Tone, str]]:
    """One line for the same finding about one column of several spans, the gravest first."""
    grouped: dict[tuple[str, str, str | None], list[Anomaly]] = {}
    for one in sorted(anomalies, key=lambda one: RANK[one.severity]):
        grouped.setdefault((one.severity, one.code, one.column), []).append(one)
    return [
        (
            some[-1],
            _TONES[some[-1].severity],
            some[-1].span if len(some) == 1 else f"{len(some)} spans to {some[-1].span}",
        )
        for some in grouped.values()
    ]


def _column(column: ColumnStatistics, found: Explored) -> dict[str, Any]:
    each = [span.column(column.name) for span in found.statistics]
    spread = [median_of(one) if column.type != "timestamp" else None for one in each]
    missing = [None if one is None else one.missing for one in each]
    names = [snapshot.span.name for snapshot in found.snapshots]
    sound = [False] * len(names)
    return {
        "name": column.name,
        "type": column.type,
        "missing": column.missing,
        "distinct": column.distinct,
        "exact": column.distinct_exact,
        "values": _values(column),
        "picture": _picture(column),
        "explains": found.explains.get(column.name),
        "lines": [
            line(values, sound, _by_span(column.name, what, names, values))
            for what, values in (("median", spread), ("missing", missing))
            if len(names) > 1 and any(values)
        ],
    }


def _by_span(column: str, what: str, names: Sequence[str], values: Sequence[float | None]) -> str:
    written = wording.percent if what == "missing" else wording.plain
    told = [
        f"{name}: {'–' if value is None else written(value)}"
        for name, value in zip(names, values, strict=True)
    ]
    return "\n".join([f"{column}, {what}", *told])


def _picture(column: ColumnStatistics | None) -> Any:
    axis = common_axis([column]) if column is not None else None
    if column is None or axis is None:
        return None
    return bars(heights(column, axis), f"{column.name}: {_values(column)}", stop=True)


def _day(time: str | None) -> str:
    return (time or "–")[:10]


def _values(column: ColumnStatistics) -> str:
    """The values of a column in a few words."""
    if column.categories:
        return ", ".join(f"{text} {count:,}" for text, count in column.categories[:4])
    middle = median_of(column)
    if column.min is None or column.max is None or middle is None:
        return "no value"
    if column.type == "timestamp":
        return (
            f"{_day(column.time_min)} to {_day(column.time_max)}, median {_day(iso_time(middle))}"
        )
    low, median, high = (wording.plain(value) for value in (column.min, middle, column.max))
    return f"min {low}, median {median}, max {high}"


def _span(snapshot: Snapshot, statistics: SpanStatistics, time: str | None) -> dict[str, Any]:
    column = statistics.column(time) if time else None
    return {
        "name": snapshot.span.name,
        "rows": statistics.rows,
        "first": column.time_min if column else None,
        "last": column.time_max if column else None,
        "duplicates": statistics.duplicates,
        "notes": "; ".join(snapshot.notes),
    }
