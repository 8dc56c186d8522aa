"""The monitor page: what became of each new span, why, and how drift and loss went over time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.monitoring import DEPENDS, ColumnDrift, Rise, SpanEvaluation
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.spec import PipelineSpec
from pipeline_components.report.elements import digest, facts, tag
from pipeline_components.report.page import (
    Html,
    Section,
    Tone,
    escape,
    number,
    page,
    pill,
    short,
    table,
)

from .drift_picture import SHOWN_COLUMNS, courses, drift_map, ranked_columns, shade
from .loss_picture import loss_picture, margin_text
from .span_order import SHOWN_SPANS, in_order

SHOWN_IN_DETAIL = 6
"""Spans whose columns are listed one by one: the newest of those evaluated now."""

SHOWN_CHECKS = 100
SHOWN_SCORES = 12


def monitor_page(
    spec: PipelineSpec,
    champion: ChampionRef,
    evaluations: Sequence[SpanEvaluation],
    earlier: Sequence[SpanEvaluation],
    notes: Sequence[str] = (),
) -> bytes:
    """One self-contained page; the same bytes for the same values.

    Parameters
    ----------
    evaluations : sequence of SpanEvaluation
        What was measured now, oldest first; at least one.
    earlier : sequence of SpanEvaluation
        Of this champion before, oldest first: for the pictures over time.
    notes : sequence of str
        What could not be measured, and why.
    """
    return _Page(spec, champion, evaluations, earlier, notes).page()


class _Page:
    def __init__(
        self,
        spec: PipelineSpec,
        champion: ChampionRef,
        evaluations: Sequence[SpanEvaluation],
        earlier: Sequence[SpanEvaluation],
        notes: Sequence[str],
    ) -> None:
        self.spec, self.monitor, self.champion = spec, spec.monitor, champion
        self.now, self.notes = list(evaluations), list(notes)
        self.every = in_order(evaluations, earlier)
        self.shown = self.every[-SHOWN_SPANS:]
        self.newest = self.now[-1]
        self.names = {column.name for span in self.shown for column in span.columns}
        self.names |= {check.column for span in self.shown for check in span.checks if check.column}

    def page(self) -> bytes:
        badge, tone = self.outcome(self.newest)
        sections = [Section("Drift over time", self.over_time())]
        sections.append(Section("The champion’s score", self.scores()))
        checked = [span for span in reversed(self.now) if span.checks]
        if checked:
            sections.append(Section("Hard checks", self.checks(checked)))
        if any(found.columns for found in self.now):
            sections.append(Section("Columns", self.columns()))
        sections.append(Section("Spans", self.spans()))
        if self.notes:
            items = "".join(f"<li>{escape(note)}</li>" for note in self.notes[:SHOWN_CHECKS])
            sections.append(Section("What could not be measured", f"<ul>{items}</ul>"))
        sections.append(Section("How it was measured", self.method()))
        return page(
            f"{self.newest.span.name} against champion v{self.champion.version}",
            self.sentence(self.newest.because),
            sections,
            badge=badge,
            tone=tone,
            kicker=f"{self.spec.name} · monitoring",
            footer="Whether this wakes a training is for the triggers to say; this page says what "
            "was measured. It holds no time and fetches nothing.",
        )

    def outcome(self, found: SpanEvaluation) -> tuple[str, Tone]:
        """A word for what became of a span, and its tone."""
        if found.state == "broken":
            return "broken", "bad"
        if found.state == "too_small":
            return "too few rows", "calm"
        if any(rise.beyond(self.monitor.worse_by) for rise in self.primary(found)):
            return "decayed", "bad"
        if found.inputs >= self.monitor.effect:
            return "drifted", "warn"
        if found.any_column >= self.monitor.effect:
            return "drift elsewhere", "calm"
        return "no drift", "good"

    def primary(self, found: SpanEvaluation) -> list[Rise]:
        return [rise for rise in found.rises if rise.metric == self.spec.primary_metric]

    def sentence(self, text: str) -> str:
        """Text with a full stop, and a capital where it does not begin with a column's name."""
        text = text.strip()
        if not text:
            return ""
        begin = text if re.match(r"[a-z]+\b(?!_)", text) is None else text[0].upper() + text[1:]
        named = re.split(r"[ :,;]", text, maxsplit=1)[0] in self.names
        return (text if named else begin).rstrip(".") + "."

    def over_time(self) -> Html:
        total = len(ranked_columns(self.shown))
        lead = (
            f"Each column of the data against the {len(self.champion.window):,} spans the "
            "champion was trained on, span by span. Hover over a cell for what moved."
        )
        left_out = []
        if total > SHOWN_COLUMNS:
            left_out.append(f"the {SHOWN_COLUMNS} of {total:,} columns that moved most")
        if len(self.every) > len(self.shown):
            left_out.append(f"the newest {len(self.shown)} of {len(self.every):,} spans")
        if left_out:
            lead += f" Shown: {' and '.join(left_out)}."
        drawn = courses(self.shown, self.monitor)
        if drawn:
            drawn = Html(
                "<h3>The columns that alarmed</h3><p>Drift score by span: an alarm begins at the "
                f"solid line ({short(self.monitor.effect)}), if significant, and ends below the "
                f"dashed one ({short(self.monitor.off_below)}).</p>{drawn}"
            )
        return Html(f"<p>{escape(lead)}</p>{drift_map(self.shown, self.monitor)}{drawn}")

    def scores(self) -> Html:
        metric = self.spec.primary_metric
        known = METRICS[metric]
        better = "higher" if known.greater_is_better else "lower"
        lead = (
            f"<p>{escape(known.title[:1].upper() + known.title[1:])} ({escape(metric)}), {better} "
            "is better, on rows the champion was not trained on.</p>"
        )
        rows = [
            [
                _plain(found.span.name), _metric(rise), number(rise.reference),
                number(rise.current), self.worse(rise), _rows(rise), escape(rise.method),
            ]
            for found in reversed(self.now)
            for rise in found.rises
        ]  # fmt: skip
        listed = Html("")
        if rows:
            headers = [
                "Span", "Metric", "When judged", "On this span", "Worse by", "Labelled rows",
                "Uncertainty",
            ]  # fmt: skip
            listed = Html(f"<h3>Measured now</h3>{table(headers, rows[:SHOWN_SCORES])}")
            if len(rows) > SHOWN_SCORES:
                listed = Html(
                    f"{listed}<p>and {len(rows) - SHOWN_SCORES:,} more in drift.json.</p>"
                )
        return Html(f"{lead}{loss_picture(self.shown, metric, self.monitor.worse_by)}{listed}")

    def worse(self, rise: Rise) -> Html:
        if rise.estimated:
            return Html(f"{_signed(rise.worse)}<br><small>an estimate</small>")
        beyond = rise.metric == self.spec.primary_metric and rise.beyond(self.monitor.worse_by)
        worse = Html(f"<strong>{_signed(rise.worse)}</strong>") if beyond else _signed(rise.worse)
        surely = (
            f"surely by {short(rise.low)} or more" if rise.low > 0 else "may be chance"
            if rise.worse > 0 else "not worse"
        )  # fmt: skip
        return Html(f'{worse}<br><small style="white-space:nowrap">{surely}</small>')

    def checks(self, checked: Sequence[SpanEvaluation]) -> Html:
        items = []
        for found in checked:
            for check in found.checks:
                tone: Tone = "bad" if check.severity == "error" else "warn"
                column = f" {tag(check.column)}" if check.column else ""
                items.append(
                    f"<li><div>{pill(check.severity, tone)}</div><div><div class='head'>"
                    f"<strong>{escape(found.span.name)}</strong>{column}"
                    f"<code>{escape(check.code)}</code></div>"
                    f"<p>{escape(self.sentence(check.message))}</p></div></li>"
                )
        rest = ""
        if len(items) > SHOWN_CHECKS:
            rest = f"<p>and {len(items) - SHOWN_CHECKS:,} more.</p>"
        return Html(
            "<p>Asked before any statistic. A span with an error is compared with nothing: no "
            "statistic of it would mean what it says.</p>"
            f'<ul class="findings">{"".join(items[:SHOWN_CHECKS])}</ul>{rest}'
        )

    def columns(self) -> Html:
        compared = [found for found in reversed(self.now) if found.columns]
        parts = []
        for place, found in enumerate(compared[:SHOWN_IN_DETAIL]):
            drifted = sum(column.drifted for column in found.columns)
            title = f"{found.span.name}: {drifted} of {len(found.columns)} columns drifted"
            if found.state != "measured":
                title += ", which counts for nothing: the span is broken"
            listed = self.column_table(found)
            parts.append(
                f"<h3>{escape(title)}</h3>{listed}"
                if place == 0
                else f"<details><summary>{escape(title)}</summary>{listed}</details>"
            )
        if len(compared) > SHOWN_IN_DETAIL:
            parts.append(
                f"<p>The {len(compared) - SHOWN_IN_DETAIL:,} older spans are in drift.json.</p>"
            )
        return Html("".join(parts))

    def column_table(self, found: SpanEvaluation) -> Html:
        ranked = sorted(found.columns, key=lambda c: (not c.drifted, -c.score, c.name))
        rows = [
            [
                _plain(column.name),
                self.state(column),
                self.bar(column),
                _chance(column),
                _depends(column),
                escape(self.sentence(column.message)),
            ]
            for column in ranked[:SHOWN_COLUMNS]
        ]  # fmt: skip
        headers = ["Column", "", "Drift score", "Chance alone", "Importance", "How it moved"]
        measures = dict.fromkeys((c.kind, c.measure) for c in ranked[:SHOWN_COLUMNS])
        how = "; ".join(f"{_KINDS[kind]}: {measure}" for kind, measure in sorted(measures))
        drawn = f"The upright line is the smallest score that matters. {how}."
        text = str(table(headers, rows, caption=drawn))
        if len(ranked) > SHOWN_COLUMNS:
            rest = ranked[SHOWN_COLUMNS:]
            drifted = sum(column.drifted for column in rest)
            text += f"<p>and {len(rest):,} more columns, {drifted:,} of them drifted.</p>"
        return Html(text)

    def state(self, column: ColumnDrift) -> Html:
        if column.drifted:
            return pill("drifted", "warn" if _matters(column) else "calm")
        if column.score >= self.monitor.off_below:
            return pill("no alarm", "calm")
        return pill("same", "good")

    def bar(self, column: ColumnDrift) -> Html:
        top = 3 * self.monitor.effect
        length = min(column.score / top, 1.0) * 84
        colour = "var(--accent)" if not column.drifted else shade(column.score, True, self.monitor)
        over = ""
        if column.score > top:  # the bar goes on
            over = f'<path d="M85 2l5 5-5 5z" fill="{colour}"/>'
        return Html(
            f'<span style="white-space:nowrap" title="{escape(column.measure)}">'
            '<svg viewBox="0 0 92 14" width="92" height="14" aria-hidden="true">'
            '<rect y="2" width="84" height="10" rx="2" fill="var(--track)"/>'
            f'<rect y="2" width="{length:.1f}" height="10" rx="2" fill="{colour}"/>'
            f'<path d="M28 0v14" stroke="var(--ink)" stroke-width="1.2"/>{over}</svg> '
            f"{escape(short(column.score))}</span>"
        )

    def spans(self) -> Html:
        rows = []
        for found in reversed(self.shown):
            word, tone = self.outcome(found)
            rise = next((r for r in self.primary(found) if r.source == "champion"), None)
            worse = Html("–")
            if rise is not None:
                worse = Html(_signed(rise.worse) + (" (estimate)" if rise.estimated else ""))
            name = _plain(found.span.name)
            rows.append(
                [
                    Html(f"{name} {tag('now')}") if found in self.now else name,
                    pill(word, tone),
                    found.span.rows,
                    _counted(found),
                    worse,
                    escape(self.sentence(found.because)),
                ]
            )
        headers = [
            "Span", "Outcome", "Rows", "Columns drifted", f"{self.spec.primary_metric} worse by",
            "Why",
        ]  # fmt: skip
        text = str(table(headers, rows))
        if len(self.every) > len(self.shown):
            text += f"<p>and {len(self.every) - len(self.shown):,} older spans.</p>"
        return Html(text)

    def method(self) -> Html:
        spec = self.monitor
        spread = next((f.dispersion for f in reversed(self.now) if f.dispersion), "")
        pairs: list[tuple[str, object]] = [
            ("Compared with", f"champion v{self.champion.version}, trained on "
             f"{len(self.champion.window):,} spans"),
            ("Champion’s run", digest(self.champion.run_key)),
            ("A column alarms", f"where its drift score is {short(spec.effect)} or more and the "
             f"difference is significant: over all columns together at most {100 * spec.level:g} "
             "of 100 spans without drift raise an alarm (Holm’s correction)"),
            ("An alarm ends", f"below {short(spec.off_below)}"),
            ("Dependence in time", spread or "nothing was compared"),
            ("Importance", "the share of the champion’s permutation importance; from "
             f"{100 * DEPENDS:g} % on its predictions depend on the column, and its drift counts "
             "as drift of the inputs. None: it does not read the column, or would not miss it"),
            ("The score has decayed", f"where it is surely worse (95 %, one-sided), and by "
             f"{margin_text(spec.worse_by)} or more. An estimate never says so: without labels "
             "it is derived from the champion’s own predictions"),
            ("Too few rows", f"a span of fewer than {spec.min_rows:,} is not compared"),
        ]  # fmt: skip
        return facts(pairs)


_KINDS = {"number": "numbers", "category": "categories", "missing": "missing values"}


def _matters(column: ColumnDrift) -> bool:
    return column.depends is None or column.depends >= DEPENDS


def _plain(name: str) -> Html:
    if len(name) > 30:
        return escape(name)
    return Html(f'<span style="white-space:nowrap">{escape(name)}</span>')


def _metric(rise: Rise) -> Html:
    notes = tag("estimate") if rise.estimated else Html("")
    if rise.source == "logged":
        notes = Html(f"{notes} {tag('as served')}")
    return Html(f"{_plain(rise.metric)} {notes}")


def _rows(rise: Rise) -> Html:
    if rise.estimated:
        return Html(f"{rise.rows:,}<br><small>without labels</small>")
    return Html(f"{rise.rows:,}<br><small>{100 * rise.labelled:.3g} % of the span</small>")


def _chance(column: ColumnDrift) -> Html:
    p = column.adjusted
    text = "p < 0.0001" if p < 1e-4 else f"p {short(p)}"
    return Html(f'<span style="white-space:nowrap">{escape(text)}</span>')


def _depends(column: ColumnDrift) -> str:
    if column.depends is None:
        return "unknown"
    if column.depends == 0:
        return "none"
    return "< 1 %" if column.depends < 0.01 else f"{100 * column.depends:.0f} %"


def _counted(found: SpanEvaluation) -> str:
    if not found.columns:
        return "–"
    return f"{sum(column.drifted for column in found.columns):,} of {len(found.columns):,}"


def _signed(value: float) -> Html:
    text = short(value)
    text = f"+{text}" if value > 0 else text.replace("-", "−")
    return Html(f'<span style="white-space:nowrap">{text}</span>')
