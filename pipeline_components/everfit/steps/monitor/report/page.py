"""The monitor page: what became of each new span, why, and how drift and loss went over time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from everfit.contracts import wording
from everfit.contracts.messages.monitoring import DEPENDS, ColumnDrift, Rise, SpanEvaluation
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.spec.metrics import METRICS, metric_title, metric_unit
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.reporting.plot import NARROW, WIDE
from everfit.reporting.templating import Tone, render
from everfit.steps.monitor.report import loss_picture
from everfit.steps.monitor.report.drift_picture import (
    SHOWN_COLUMNS,
    courses,
    drift_map,
    importance,
    legend,
    ranked_columns,
    shade,
)
from everfit.steps.monitor.report.span_order import SHOWN_SPANS, in_order

TEMPLATE = "steps/monitor/report/monitor_page.html.j2"

SHOWN_IN_DETAIL = 6
"""Spans whose columns are listed one by one: the newest of those evaluated now."""

SHOWN_CHECKS = 100
SHOWN_SCORES = 12

_KINDS = {"number": "numbers", "category": "categories", "missing": "missing values"}


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
        checks = [
            (found.span.name, check, self.sentence(check.message))
            for found in reversed(self.now)
            for check in found.checks
        ]
        window = wording.count(len(self.champion.window), "span")
        return render(
            TEMPLATE,
            title=f"{self.newest.span.name} compared with champion v{self.champion.version}",
            kicker=f"{self.spec.name} · monitoring",
            lead=self.sentence(self.newest.because),
            badge=badge,
            tone=tone,
            footer="Whether this starts a training is for the triggers to decide; this page says "
            "what was measured. It holds no time and fetches nothing.",
            monitor=self.monitor,
            over_time=self.over_time(),
            scores=self.scores(),
            checks=checks[:SHOWN_CHECKS],
            more_checks=max(len(checks) - SHOWN_CHECKS, 0),
            columns=self.columns(),
            spans=self.spans(),
            notes=self.notes[:SHOWN_CHECKS],
            champion=f"champion v{self.champion.version}, trained on {window}",
            run_key=self.champion.run_key,
            method=self.method(),
            title_of=metric_title,
            importance=importance,
        )

    def outcome(self, found: SpanEvaluation) -> tuple[str, Tone]:
        """A word for what became of a span, and its tone."""
        if found.state == "broken":
            return "broken", "bad"
        if found.state == "too_small":
            return "too few rows", "calm"
        if any(rise.beyond(self.monitor.worse_by) for rise in self.primary(found)):
            return "decayed", "bad"
        if any(rise.surged(self.monitor.worse_by) for rise in self.primary(found)):
            return "harder for any model", "warn"
        if found.inputs >= self.monitor.effect:
            return "drifted", "warn"
        if found.any_column >= self.monitor.effect:
            return "drift elsewhere", "calm"
        return ("no drift", "good") if found.assessed else ("not assessed", "calm")

    def primary(self, found: SpanEvaluation) -> list[Rise]:
        return [rise for rise in found.rises if rise.metric == self.spec.primary_metric]

    def unit(self, metric: str) -> str | None:
        return metric_unit(metric, self.spec.target.unit)

    def sentence(self, text: str) -> str:
        """Text with a full stop, and a capital where it does not begin with a column's name."""
        text = text.strip()
        named = re.split(r"[ :,;]", text, maxsplit=1)[0] in self.names
        if named or re.match(r"[a-z]+\b(?!_)", text) is None:
            return f"{text.rstrip('.')}." if text else ""
        return wording.sentence(text)

    def over_time(self) -> dict[str, Any]:
        total = len(ranked_columns(self.shown))
        window = wording.count(len(self.champion.window), "span")
        lead = (
            f"Each column of the data compared with the {window} the champion was trained on, span "
            "by span. Point at a cell for its score, or at a name for all scores of the column."
        )
        left_out = []
        if total > SHOWN_COLUMNS:
            left_out.append(f"the {SHOWN_COLUMNS} of {total:,} columns that moved most")
        if len(self.every) > len(self.shown):
            left_out.append(f"the newest {len(self.shown)} of {len(self.every):,} spans")
        if left_out:
            lead += f" Shown: {' and '.join(left_out)}."
        return {
            "lead": lead,
            "wide": drift_map(self.shown, self.monitor, WIDE),
            "narrow": drift_map(self.shown, self.monitor, NARROW),
            "legend": legend(self.monitor),
            "courses": courses(self.shown, self.monitor),
        }

    def scores(self) -> dict[str, Any]:
        metric = self.spec.primary_metric
        known, unit, margin = METRICS[metric], self.unit(metric), self.monitor.worse_by
        better = "higher" if known.greater_is_better else "lower"
        rows = [
            (found.span.name, rise, self.unit(rise.metric), self.certainty(rise))
            for found in reversed(self.now)
            for rise in found.rises
        ]
        drawn = [
            loss_picture.loss_picture(self.shown, metric, margin, width, unit)
            for width in (WIDE, NARROW)
        ]
        risen = [rise for found in self.shown for rise in self.primary(found)]
        explained = loss_picture.legend(metric, risen, margin, unit) if risen else []
        return {
            "lead": f"{wording.capital(known.full_title)}, {better} is better, on rows the "
            "champion was not trained on.",
            "wide": drawn[0],
            "narrow": drawn[1] or drawn[0],
            "legend": explained,
            "rows": rows[:SHOWN_SCORES],
            "more": max(len(rows) - SHOWN_SCORES, 0),
        }

    def certainty(self, rise: Rise) -> dict[str, Any]:
        """How sure it is that the score is worse."""
        beyond = rise.metric == self.spec.primary_metric and rise.beyond(self.monitor.worse_by)
        if rise.estimated:
            how = "an estimate"
        elif rise.excess_low > 0:
            how = f"at least {wording.amount(rise.excess_low, self.unit(rise.metric))} (95 %)"
        else:
            how = "within chance" if rise.excess > 0 else "not worse"
        if rise.test is not None and rise.excess > 0:
            how += f"; {rise.test.in_words}"
        return {"how": how, "strong": beyond and not rise.estimated}

    def columns(self) -> dict[str, Any]:
        compared = [found for found in reversed(self.now) if found.columns]
        return {
            "spans": [self.of_span(found) for found in compared[:SHOWN_IN_DETAIL]],
            "more": max(len(compared) - SHOWN_IN_DETAIL, 0),
        }

    def of_span(self, found: SpanEvaluation) -> dict[str, Any]:
        """The columns of one span, those that drifted first."""
        ranked = sorted(found.columns, key=lambda c: (not c.drifted, -c.score, c.name))
        shown, rest = ranked[:SHOWN_COLUMNS], ranked[SHOWN_COLUMNS:]
        drifted = sum(column.drifted for column in found.columns)
        title = f"{found.span.name}: {drifted} of {len(found.columns)} columns drifted"
        if found.state != "measured":
            title += ", which counts for nothing: the span is broken"
        measures = dict.fromkeys((column.kind, column.measure) for column in shown)
        how = "; ".join(f"{_KINDS[kind]}: {measure}" for kind, measure in sorted(measures))
        return {
            "title": title,
            "caption": f"The upright line is the smallest score that matters. {how}.",
            "columns": [
                (column, *self.state(column), self.colour(column), self.sentence(column.message))
                for column in shown
            ],
            "more": len(rest),
            "more_drifted": sum(column.drifted for column in rest),
        }

    def state(self, column: ColumnDrift) -> tuple[str, Tone]:
        if column.drifted:
            matters = column.depends is None or column.depends >= DEPENDS
            return "drifted", "warn" if matters else "calm"
        if not column.assessed:
            return "not assessed", "calm"
        return ("no alarm", "calm") if column.score >= self.monitor.off_below else ("same", "good")

    def colour(self, column: ColumnDrift) -> str:
        return shade(column.score, True, self.monitor) if column.drifted else "var(--accent)"

    def spans(self) -> dict[str, Any]:
        metric, rows = self.spec.primary_metric, []
        for found in reversed(self.shown):
            word, tone = self.outcome(found)
            rise = next((r for r in self.primary(found) if r.source == "champion"), None)
            worse = None
            if rise is not None:
                worse = wording.amount(rise.excess, self.unit(metric), signed=True)
                worse += " (estimate)" if rise.estimated else ""
            drifted = sum(column.drifted for column in found.columns)
            rows.append(
                {
                    "name": found.span.name,
                    "now": found in self.now,
                    "outcome": word,
                    "tone": tone,
                    "rows": found.span.rows,
                    "drifted": f"{drifted:,} of {len(found.columns):,}" if found.columns else None,
                    "worse": worse,
                    "because": self.sentence(found.because),
                }
            )
        return {
            "rows": rows,
            "more": len(self.every) - len(self.shown),
            "worse_by": f"{metric_title(metric)} worse by",
        }

    def drift_level(self) -> str:
        """What the newest span's drift was tested at."""
        tested = self.newest.tested
        return wording.percent(tested.level if tested else self.monitor.level)

    def across_pipelines(self) -> list[tuple[str, str]]:
        """Why it was that, where one rate is kept over all pipelines."""
        tested = self.newest.tested
        if tested is None:
            return []
        return [("Over all pipelines", f"{self.newest.span.name} was {tested.in_words}")]

    def decay_level(self) -> str:
        """How surely, in words."""
        if self.monitor.decay_level is None:
            return "with 95 % one-sided confidence"
        return (
            f"surely (of champions that are not, {wording.percent(self.monitor.decay_level)} are "
            "called worse on any span of their lives: each span has its level, which falls with "
            "its place)"
        )

    def method(self) -> list[tuple[str, str]]:
        spec = self.monitor
        spread = next((f.dispersion for f in reversed(self.now) if f.dispersion), "")
        return [
            (
                "A column alarms",
                f"where its drift score is {wording.plain(spec.effect)} or more and the difference "
                f"is significant: over all columns, at most {self.drift_level()} of spans "
                "without drift raise an alarm (Holm’s correction)",
            ),
            *self.across_pipelines(),
            (f"A score of {wording.plain(spec.effect)} is", spec.effect_in_words),
            ("An alarm ends", f"below {wording.plain(spec.off_below)}"),
            ("Dependence in time", spread or "nothing was compared"),
            (
                "Importance",
                "the share of the champion’s permutation importance; from "
                f"{wording.percent(DEPENDS)} on its predictions depend on the column, and its "
                "drift counts as drift of the inputs. None: it does not read the column, "
                "or would not miss it",
            ),
            (
                "The score has decayed",
                f"where it is worse than attainable {self.decay_level()}, and by "
                f"{spec.worse_by.text} or more: than the champion’s own recipe fitted afresh on "
                "the spans before or, where that is not known, than when it was judged. An "
                "estimate never counts: without labels it is derived from the champion’s own "
                "predictions",
            ),
            ("Too few rows", f"a span of fewer than {spec.min_rows:,} is not compared"),
        ]
