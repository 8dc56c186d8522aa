"""The data report: what came, what is strange about it, and why a span was quarantined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from everfit.contracts import wording
from everfit.contracts.messages.anomalies import ANOMALIES
from everfit.contracts.messages.requests import Anomaly
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.statistics import ColumnStatistics, SpanStatistics
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.ml.profiles.column_profile import iso_time
from everfit.reporting.templating import Tone, render
from everfit.steps.validate.choose_spans import Choice
from everfit.steps.validate.findings import RANK
from everfit.steps.validate.judge import Judgement
from everfit.steps.validate.report.small_pictures import bars, common_axis, heights, line, median_of

TEMPLATE = "steps/validate/report/data_report.html.j2"

SHOWN_SPANS = 18
"""Spans drawn per column: the newest, and every quarantined one."""

SHOWN_COLUMNS = 200
SHOWN_ANOMALIES = 500
_BESIDE = 3

_TONES: dict[str, Tone] = {"error": "bad", "warning": "warn", "info": "calm"}


def data_report(
    spec: PipelineSpec,
    spans: Sequence[Span],
    statistics: Sequence[SpanStatistics],
    judged: Sequence[Judgement],
    choice: Choice,
) -> bytes:
    """One self-contained HTML page; the same bytes for the same values.

    Parameters
    ----------
    spans, statistics, judged : sequence
        Of one length, oldest first.
    """
    return _Report(spec, spans, statistics, judged, choice).page()


class _Report:
    def __init__(
        self,
        spec: PipelineSpec,
        spans: Sequence[Span],
        statistics: Sequence[SpanStatistics],
        judged: Sequence[Judgement],
        choice: Choice,
    ) -> None:
        self.spec, self.spans, self.statistics = spec, spans, statistics
        self.judged, self.choice = judged, choice
        self.bad = [not judgement.good for judgement in judged]
        self.anomalies = [anomaly for judgement in judged for anomaly in judgement.anomalies]

    def page(self) -> bytes:
        bad = sum(self.bad)
        badge, tone = "good", "good"
        if self.choice.stop is not None:
            badge, tone = "stopped", "bad"
        elif bad:
            badge, tone = f"{bad} quarantined", "warn"
        names = list(dict.fromkeys(c.name for s in self.statistics for c in s.columns))
        remarks = self.remarks()
        return render(
            TEMPLATE,
            title=f"Data report: {self.spec.name}",
            kicker="Everfit · validate",
            lead=self.lead(),
            badge=badge,
            tone=tone,
            spans=self.overview(),
            reasons=self.reasons(),
            remarks=remarks[:SHOWN_ANOMALIES],
            more_remarks=max(len(remarks) - SHOWN_ANOMALIES, 0),
            columns=self.columns(names[:SHOWN_COLUMNS]),
            more_columns=max(len(names) - SHOWN_COLUMNS, 0),
            meanings=ANOMALIES,
        )

    def lead(self) -> str:
        stop = self.choice.stop
        if stop is not None:
            return f"Nothing is trained: {stop.must}; {stop.found}. {stop.todo}."
        window, holdout = self.choice.window, self.choice.holdout
        text = f"Training goes on with {_spans(window)}"
        if holdout:
            text += f", and is judged on {_spans(holdout)}"
        else:
            text += ", a share of whose rows is held out to judge on"
        bad = [span.name for span, is_bad in zip(self.spans, self.bad, strict=True) if is_bad]
        return text + (f"; left out: {', '.join(bad[:5])}." if bad else "; all spans are good.")

    def overview(self) -> list[dict[str, Any]]:
        window = {span.name for span in self.choice.window}
        holdout = {span.name for span in self.choice.holdout}
        rows = []
        for span, known, judgement in zip(self.spans, self.statistics, self.judged, strict=True):
            use = "training" if span.name in window else "holdout" if span.name in holdout else None
            counts = dict.fromkeys(RANK, 0)
            for anomaly in judgement.anomalies:
                counts[anomaly.severity] += 1
            time = known.column(self.spec.time) if self.spec.time else None
            first = time.time_min if time else span.time_min
            last = time.time_max if time else span.time_max
            rows.append(
                {
                    "name": span.name,
                    "good": judgement.good,
                    "use": use if judgement.good else None,
                    "rows": known.rows,
                    "first": first[:10] if first else None,
                    "last": last[:10] if last else None,
                    "duplicates": known.duplicates,
                    "errors": counts["error"],
                    "warnings": counts["warning"],
                    "remarks": counts["info"],
                }
            )
        return rows

    def reasons(self) -> list[tuple[str, list[tuple[Anomaly, list[Markup]]]]]:
        return [
            (
                self.spans[index].name,
                [
                    (anomaly, self.beside(index, anomaly.column))
                    for anomaly in judgement.anomalies
                    if anomaly.severity == "error"
                ],
            )
            for index, judgement in enumerate(self.judged)
            if not judgement.good
        ]

    def beside(self, index: int, name: str | None) -> list[Markup]:
        """The column in the good spans before, then in this one, on one axis."""
        if name is None:
            return []
        before = [place for place in range(index) if not self.bad[place]][-_BESIDE:]
        drawn = [(place, self.statistics[place].column(name)) for place in [*before, index]]
        axis = common_axis([column for _, column in drawn if column])
        if axis is None:
            return []
        return [
            bars(
                heights(column, axis),
                self.caption(place, column),
                "bad" if place == index else "",
                stop=True,
            )
            for place, column in drawn
            if column is not None
        ]

    def remarks(self) -> list[tuple[Anomaly, Tone, str]]:
        """One line for the same remark about one column of several spans."""
        rest = [anomaly for anomaly in self.anomalies if anomaly.severity != "error"]
        grouped: dict[tuple[str, str, str | None], list[Anomaly]] = {}
        for anomaly in sorted(rest, key=lambda a: RANK[a.severity]):
            grouped.setdefault((anomaly.severity, anomaly.code, anomaly.column), []).append(anomaly)
        return [
            (
                some[-1],
                _TONES[some[-1].severity],
                some[-1].span if len(some) == 1 else f"{len(some)} spans to {some[-1].span}",
            )
            for some in grouped.values()
        ]

    def columns(self, names: Sequence[str]) -> list[dict[str, Any]]:
        first = max(len(self.spans) - SHOWN_SPANS, 0)
        places = [place for place in range(len(self.spans)) if place >= first or self.bad[place]]
        return [self.column(name, places) for name in names]

    def column(self, name: str, places: Sequence[int]) -> dict[str, Any]:
        drawn = [(place, self.statistics[place].column(name)) for place in places]
        good = [column for place, column in drawn if column and not self.bad[place]]
        known = good or [column for _, column in drawn if column]
        newest = known[-1] if known else None
        axis = common_axis(known)
        captions = [self.caption(place, column) for place, column in drawn if column is not None]
        medians = [
            median_of(column) if newest and newest.type != "timestamp" else None
            for _, column in drawn
        ]
        return {
            "name": name,
            "type": newest.type if newest else None,
            "missing": newest.missing if newest else None,
            "line": line(
                medians, [self.bad[place] for place in places], "\n".join([name, *captions])
            ),
            "pictures": [
                bars(
                    heights(column, axis) if axis else [], caption, "bad" if self.bad[place] else ""
                )
                for (place, column), caption in zip(
                    ((place, column) for place, column in drawn if column is not None),
                    captions,
                    strict=True,
                )
            ],
        }

    def caption(self, place: int, column: ColumnStatistics) -> str:
        """The numbers behind one small picture."""
        text = f"{self.spans[place].name}: {wording.percent(column.missing)} missing"
        if column.categories is not None:
            top = ", ".join(f"{value} {count:,}" for value, count in column.categories[:3])
            about = "" if column.distinct_exact else "about "
            return f"{text}, {about}{wording.number(column.distinct)} distinct: {top}"
        if column.min is None or column.max is None:
            return text
        middle = median_of(column)
        if column.type == "timestamp" and middle is not None:
            return f"{text}, {column.time_min} to {column.time_max}, median {iso_time(middle)}"
        unit = self.spec.target.unit if column.name == self.spec.target.name else None
        low, median, high = (
            wording.amount(value, unit) for value in (column.min, middle, column.max)
        )
        return f"{text}, min {low}, median {median}, max {high}"


def _spans(spans: Sequence[Span]) -> str:
    rows = wording.count(sum(span.rows for span in spans), "row")
    if len(spans) == 1:
        return f"{spans[0].name} ({rows})"
    return f"{len(spans)} spans ({spans[0].name} to {spans[-1].name}, {rows})"
