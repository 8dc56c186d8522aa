"""The data report: what came, what is strange about it, and why a span was quarantined."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_components.contracts.anomalies import ANOMALIES
from pipeline_components.contracts.requests import Anomaly
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.contracts.statistics import ColumnStatistics, SpanStatistics
from pipeline_components.report.page import Html, Section, Tone, escape, number, page, pill, table
from pipeline_components.statistics.column_profile import iso_time
from pipeline_components.validate.choose_spans import Choice
from pipeline_components.validate.findings import RANK, percent
from pipeline_components.validate.judge import Judgement
from pipeline_components.validate.small_pictures import (
    bars,
    common_axis,
    heights,
    line,
    median_of,
)

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
        sections = [Section("Spans", self.overview())]
        if any(self.bad):
            sections.append(Section("Why spans were quarantined", self.reasons()))
        rest = [a for a in self.anomalies if a.severity != "error"]
        if rest:
            sections.append(Section("Warnings and remarks", self.remarks(rest)))
        sections.append(Section("Columns", self.columns()))
        bad = sum(self.bad)
        if self.choice.stop is not None:
            badge = "stopped"
        elif bad:
            badge = f"{bad} quarantined"
        else:
            badge = "good"
        tone: Tone = "bad" if self.choice.stop else "warn" if bad else "good"
        return page(
            f"Data report: {self.spec.name}", self.lead(), sections, badge=badge, tone=tone,
            kicker="Everfit · validate",
        )  # fmt: skip

    def lead(self) -> str:
        stop = self.choice.stop
        if stop is not None:
            return f"Nothing is trained: {stop.must}; {stop.found}. {stop.todo}."
        window, holdout = self.choice.window, self.choice.holdout
        rows = sum(span.rows for span in window)
        text = f"Training goes on with {_spans(window)} of {rows:,} rows"
        if holdout:
            text += f", to be judged on {_spans(holdout)} of {sum(s.rows for s in holdout):,}"
        else:
            text += ", a share of which is held out to judge on"
        bad = [span.name for span, is_bad in zip(self.spans, self.bad, strict=True) if is_bad]
        return text + (f"; left out: {', '.join(bad[:5])}." if bad else "; all of these are good.")

    def overview(self) -> Html:
        window = {span.name for span in self.choice.window}
        holdout = {span.name for span in self.choice.holdout}
        rows = []
        for span, known, judgement in zip(self.spans, self.statistics, self.judged, strict=True):
            use = "train" if span.name in window else "judge" if span.name in holdout else "–"
            counts = dict.fromkeys(RANK, 0)
            for anomaly in judgement.anomalies:
                counts[anomaly.severity] += 1
            time = known.column(self.spec.time) if self.spec.time else None
            rows.append(
                [
                    _name(span.name),
                    pill("good") if judgement.good else pill("quarantined"),
                    use if judgement.good else "–",
                    known.rows,
                    _day(time.time_min if time else span.time_min),
                    _day(time.time_max if time else span.time_max),
                    known.duplicates,
                    counts["error"],
                    counts["warning"],
                    counts["info"],
                ]
            )
        headers = (
            "Span", "Verdict", "Used to", "Rows", "From", "To", "Repeats", "Errors",
            "Warnings", "Remarks",
        )  # fmt: skip
        return table(headers, rows)

    def reasons(self) -> Html:
        parts = []
        for index, judgement in enumerate(self.judged):
            if judgement.good:
                continue
            parts.append(f"<h3>{escape(self.spans[index].name)}</h3>")
            rows = [
                [
                    pill(a.severity, _TONES[a.severity]),
                    _code(a),
                    _name(a.column),
                    _sentence(a.message),
                    self.beside(index, a.column),
                ]
                for a in judgement.anomalies
                if a.severity == "error"
            ]
            parts.append(
                table(("", "Code", "Column", "What was found", "Before → this span"), rows)
            )
        return Html("".join(parts))

    def beside(self, index: int, name: str | None) -> Html:
        """The column in the good spans before, then in this one, on one axis."""
        if name is None:
            return Html("")
        before = [
            place for place in range(index) if not self.bad[place]
        ][-_BESIDE:]  # fmt: skip
        places = [*before, index]
        drawn = [(place, self.statistics[place].column(name)) for place in places]
        axis = common_axis([column for _, column in drawn if column])
        if axis is None:
            return Html("")
        pictures = [
            bars(
                heights(column, axis), self.caption(place, column), "bad" if place == index else ""
            )
            for place, column in drawn
            if column is not None
        ]
        return Html(f'<span style="white-space:nowrap">{" ".join(pictures)}</span>')

    def remarks(self, rest: Sequence[Anomaly]) -> Html:
        rest = sorted(rest, key=lambda a: RANK[a.severity])
        # One line for the same remark about one column of several spans.
        grouped: dict[tuple[str, str, str | None], list[Anomaly]] = {}
        for anomaly in rest:
            grouped.setdefault((anomaly.severity, anomaly.code, anomaly.column), []).append(anomaly)
        rows = [
            [
                pill(severity, _TONES[severity]),
                _code(some[0]),
                _name(column),
                _name(some[-1].span if len(some) == 1 else f"{len(some)} spans to {some[-1].span}"),
                _sentence(some[-1].message),
            ]
            for (severity, _, column), some in list(grouped.items())[:SHOWN_ANOMALIES]
        ]
        text = table(("", "Code", "Column", "Span", "What was found"), rows)
        if len(grouped) > SHOWN_ANOMALIES:
            text = Html(f"{text}<p>and {len(grouped) - SHOWN_ANOMALIES:,} more.</p>")
        return text

    def columns(self) -> Html:
        names = list(dict.fromkeys(c.name for s in self.statistics for c in s.columns))
        first = max(len(self.spans) - SHOWN_SPANS, 0)
        places = [place for place in range(len(self.spans)) if place >= first or self.bad[place]]
        rows = [self.column_row(name, places) for name in names[:SHOWN_COLUMNS]]
        text = table(("Column", "Type", "Missing", "Median by span", "Values by span"), rows)
        if len(names) > SHOWN_COLUMNS:
            text = Html(f"{text}<p>and {len(names) - SHOWN_COLUMNS:,} more columns.</p>")
        return Html(
            "<p>Each small picture is one span, oldest first, on an axis common to the good "
            "spans; its outer bars hold what lies beyond. Quarantined spans are red. Hover for "
            f"numbers.</p>{text}"
        )

    def column_row(self, name: str, places: Sequence[int]) -> list[object]:
        drawn = [(place, self.statistics[place].column(name)) for place in places]
        good = [column for place, column in drawn if column and not self.bad[place]]
        known = good or [column for _, column in drawn if column]
        newest = known[-1] if known else None
        axis = common_axis(known)
        pictures = [
            bars(
                heights(column, axis) if axis else [],
                self.caption(place, column),
                "bad" if self.bad[place] else "",
            )
            for place, column in drawn
            if column is not None
        ]
        kind = newest.type if newest else None
        medians = [median_of(column) if kind != "timestamp" else None for _, column in drawn]
        middle = [f"{number(value)}" for value in medians if value is not None]
        return [
            _name(name),
            _name(kind),
            percent(newest.missing) if newest else "–",
            line(
                medians, [self.bad[place] for place in places],
                f"median of {name}, from {middle[0]} to {middle[-1]}" if middle else name,
            ),
            Html(
                f'<span style="display:inline-flex;flex-wrap:wrap;gap:3px">{"".join(pictures)}'
                "</span>"
            ),
        ]  # fmt: skip

    def caption(self, place: int, column: ColumnStatistics) -> str:
        """The numbers behind one small picture."""
        text = f"{self.spans[place].name}: {percent(column.missing)} missing"
        if column.categories is not None:
            top = ", ".join(f"{value} {count:,}" for value, count in column.categories[:3])
            about = "" if column.distinct_exact else "about "
            return f"{text}, {about}{column.distinct:,} distinct: {top}"
        if column.min is None or column.max is None:
            return text
        middle = median_of(column)
        if column.type == "timestamp" and middle is not None:
            return f"{text}, {column.time_min} to {column.time_max}, median {iso_time(middle)}"
        return (
            f"{text}, min {number(column.min)}, median {number(middle)}, max {number(column.max)}"
        )


def _code(anomaly: Anomaly) -> Html:
    return Html(
        f'<code title="{escape(ANOMALIES[anomaly.code])}" style="white-space:nowrap">'
        f"{anomaly.code}</code>"
    )


def _name(text: str | None) -> Html | str:
    """A name on one line, where it is not too long for that."""
    if text is None:
        return "–"
    if len(text) > 30:
        return text
    return Html(f'<span style="white-space:nowrap">{escape(text)}</span>')


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _spans(spans: Sequence[Span]) -> str:
    if len(spans) == 1:
        return spans[0].name
    return f"{len(spans)} spans ({spans[0].name} to {spans[-1].name})"


def _day(time: str | None) -> Html | str:
    return _name(time[:10] if time else None)
