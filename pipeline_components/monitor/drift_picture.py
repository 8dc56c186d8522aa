"""Drift over time: a map of columns by spans, and the course of those that moved most.

Drawn by hand as inline SVG in the page's own colours, so that light, dark and print all hold. A
cell's shade is its drift score against the two thresholds; an alarm also bears a sign, so that
colour is never the only carrier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline_components.contracts.monitor_spec import MonitorSpec
from pipeline_components.contracts.monitoring import ColumnDrift, SpanEvaluation
from pipeline_components.report.page import Html, escape, short

from .span_order import clipped, short_names

SHOWN_COLUMNS = 25
"""Columns of the map: those that moved most."""

COURSES = 6
"""Columns whose course is drawn as a line."""

WIDTH = 900.0
_LEFT, _RIGHT, _ROW = 196.0, 92.0, 22.0
_LONGEST = 24


def ranked_columns(spans: Sequence[SpanEvaluation]) -> list[str]:
    """Names of all columns: those that alarm now first, then those that ever did, by score."""
    best: dict[str, tuple[float, float, float]] = {}
    newest = next((s for s in reversed(spans) if s.columns and s.state == "measured"), None)
    for span in spans:
        for column in span.columns:
            if span.state != "measured":
                best.setdefault(column.name, (0.0, 0.0, 0.0))
                continue
            alarm = column.score if column.drifted else 0.0
            last = alarm if span is newest else 0.0
            known = best.get(column.name, (0.0, 0.0, 0.0))
            found = (last, alarm, column.score)
            best[column.name] = (
                max(known[0], found[0]), max(known[1], found[1]), max(known[2], found[2])
            )  # fmt: skip
    return sorted(best, key=lambda name: (*(-value for value in best[name]), name))


def drift_map(spans: Sequence[SpanEvaluation], spec: MonitorSpec) -> Html:
    """Columns by spans, oldest span at the left; the most drifted columns at the top."""
    names = ranked_columns(spans)[:SHOWN_COLUMNS]
    if not names:
        return Html("<p>No span has been compared yet.</p>")
    step = min((WIDTH - _LEFT - _RIGHT) / len(spans), 54.0)
    labels = short_names([span.span.name for span in spans])
    top = 16 + 6.6 * max(map(len, labels)) * math.sin(math.radians(55)) + 8
    height = top + _ROW * len(names) + 6
    alarms = sum(c.drifted for span in spans if span.state == "measured" for c in span.columns)
    parts = [
        f'<svg class="drawn" viewBox="0 0 {WIDTH:g} {height:.0f}" role="img" aria-label="'
        f'Drift scores of {len(names)} columns over {len(spans)} spans, {alarms} alarms" '
        'font-size="12.5">'
    ]
    for index, (span, label) in enumerate(zip(spans, labels, strict=True)):
        x = _LEFT + step * (index + 0.5)
        parts.append(
            f'<text class="faint" transform="translate({x + 3:.1f} {top - 6:.1f}) rotate(55)" '
            f'font-size="11.5" text-anchor="end"><title>{escape(span.span.name)}</title>'
            f"{escape(label)}</text>"
        )
    beside = _LEFT + step * len(spans) + 12
    for line, y in (("importance", top - 18), ("to champion", top - 5)):
        parts.append(
            f'<text class="faint" x="{beside:.1f}" y="{y:.1f}" font-size="11.5">{line}</text>'
        )
    for row, name in enumerate(names):
        y = top + _ROW * row
        parts.append(
            f'<text x="{_LEFT - 10:g}" y="{y + 14.5:.1f}" text-anchor="end">'
            f"<title>{escape(name)}</title>{escape(clipped(name, _LONGEST))}</text>"
        )
        depends: float | None = None
        for index, span in enumerate(spans):
            column = next((item for item in span.columns if item.name == name), None)
            depends = column.depends if column else depends
            parts.append(_cell(_LEFT + step * index, y, step, span, name, column, spec))
        parts.append(
            f'<text class="faint" x="{beside:.1f}" y="{y + 14.5:.1f}" font-size="12">'
            f"{_importance(depends)}</text>"
        )
    parts.append("</svg>")
    return Html(f'<figure class="scroll">{"".join(parts)}</figure>{legend(spec)}')


def _cell(
    x: float, y: float, step: float, span: SpanEvaluation, name: str, column: ColumnDrift | None,
    spec: MonitorSpec,
) -> str:  # fmt: skip
    box = f'x="{x + 1:.1f}" y="{y + 1:.1f}" width="{step - 2:.1f}" height="{_ROW - 2:g}" rx="2.5"'
    where = f"{escape(name)}, {escape(span.span.name)}: "
    middle = (x + step / 2, y + _ROW / 2)
    if column is None or span.state != "measured":
        why = {"broken": "broken", "too_small": "too few rows"}.get(span.state, "not compared")
        if column is not None:
            why += f"; {escape(column.message)}"
        sign = ""
        if span.state == "broken":
            sign = _cross(*middle)
        elif span.state == "too_small":
            sign = (
                f'<path d="M{middle[0] - 3:.1f} {middle[1]:.1f}h6" stroke="var(--soft)" '
                'stroke-width="1.4"/>'
            )
        return (
            f'<g><title>{where}{why}</title><rect {box} fill="none" stroke="var(--line)"/>'
            f"{sign}</g>"
        )
    fill = shade(column.score, column.drifted, spec)
    told = f"{where}score {short(column.score)}, p {_p(column.adjusted)} after Holm. "
    title = f"<title>{told}{escape(column.message)}</title>"
    sign = ""
    if column.drifted:
        sign = f'<circle cx="{middle[0]:.1f}" cy="{middle[1]:.1f}" r="3.4" fill="var(--surface)"/>'
    return f'<g>{title}<rect {box} fill="{fill}"/>{sign}</g>'


def shade(score: float, drifted: bool, spec: MonitorSpec) -> str:
    """The colour of a score: grey below the lower threshold, stronger up to thrice the upper."""
    if drifted:
        share = min(score / (3 * spec.effect), 1.0)
        return f"color-mix(in srgb, var(--bad) {55 + 45 * share:.0f}%, var(--surface))"
    if score < spec.off_below:
        return "var(--track)"
    share = min(score / (3 * spec.effect), 1.0)
    return f"color-mix(in srgb, var(--warn) {18 + 40 * share:.0f}%, var(--surface))"


def legend(spec: MonitorSpec) -> Html:
    """What the shades and signs of the map mean."""
    items = [
        (f'<rect width="16" height="14" rx="2.5" fill="{shade(0, False, spec)}"/>',
         f"score below {short(spec.off_below)}"),
        (f'<rect width="16" height="14" rx="2.5" fill="{shade(spec.effect, False, spec)}"/>',
         f"{short(spec.off_below)} or more, no alarm"),
        (f'<rect width="16" height="14" rx="2.5" fill="{shade(spec.effect, True, spec)}"/>'
         '<circle cx="8" cy="7" r="3.4" fill="var(--surface)"/>',
         f"alarm: {short(spec.effect)} or more and significant; darker is more"),
        ('<rect x=".5" y=".5" width="15" height="13" rx="2.5" fill="none" stroke="var(--line)"/>'
         + _cross(8, 7), "broken span"),
        ('<rect x=".5" y=".5" width="15" height="13" rx="2.5" fill="none" stroke="var(--line)"/>'
         '<path d="M5 7h6" stroke="var(--soft)" stroke-width="1.4"/>', "too few rows"),
    ]  # fmt: skip
    drawn = "".join(
        '<span style="display:inline-flex;align-items:center;gap:.4em;white-space:nowrap">'
        f'<svg viewBox="0 0 16 14" width="16" height="14" aria-hidden="true">{picture}</svg>'
        f"{escape(text)}</span>"
        for picture, text in items
    )
    return Html(
        '<p class="soft" style="display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;max-width:none;'
        f'font-size:.8125rem">{drawn}</p>'
    )


def courses(spans: Sequence[SpanEvaluation], spec: MonitorSpec) -> Html:
    """The score of the columns that alarmed, over the spans, with both thresholds."""
    spans = [span for span in spans if span.state == "measured"]
    alarmed = {column.name for span in spans for column in span.columns if column.drifted}
    names = [name for name in ranked_columns(spans) if name in alarmed][:COURSES]
    if not names or len(spans) < 2:
        return Html("")
    return Html(
        f'<div class="pictures">{"".join(_course(name, spans, spec) for name in names)}</div>'
    )


def _course(name: str, spans: Sequence[SpanEvaluation], spec: MonitorSpec) -> str:
    width, height, left, bottom = 430.0, 132.0, 38.0, 20.0
    found = [next((c for c in span.columns if c.name == name), None) for span in spans]
    highest = max(max((c.score for c in found if c), default=0.0), spec.effect) * 1.12
    step = (width - left - 10) / max(len(spans) - 1, 1)

    def x(index: int) -> float:
        return left + index * step

    def y(score: float) -> float:
        return 10 + (1 - score / highest) * (height - bottom - 10)

    labels = short_names([span.span.name for span in spans])
    parts = [
        f'<svg viewBox="0 0 {width:g} {height:g}" style="display:block;width:100%;height:auto" '
        f'role="img" aria-label="Drift score of {escape(name)} over {len(spans)} spans" '
        'font-size="11">',
        f'<rect x="{left:g}" y="{y(highest):.1f}" width="{width - left - 10:.1f}" '
        f'height="{y(spec.effect) - y(highest):.1f}" fill="var(--bad-tint)"/>',
    ]
    apart = y(spec.off_below) - y(spec.effect) > 12
    for level, dash, told in ((spec.effect, "", True), (spec.off_below, "4 4", apart)):
        parts.append(
            f'<path d="M{left:g} {y(level):.1f}H{width - 10:g}" stroke="var(--bad)" '
            f'stroke-width="1" stroke-dasharray="{dash}" opacity=".75"/>'
        )
        if told:
            parts.append(
                f'<text class="faint" x="{left - 5:g}" y="{y(level) + 4:.1f}" text-anchor="end">'
                f"{short(level)}</text>"
            )
    parts.append(
        f'<path d="M{left:g} {y(0):.1f}H{width - 10:g}" stroke="var(--line)"/>'
        f'<text class="faint" x="{left:g}" y="{height - 4:g}">{escape(labels[0])}</text>'
        f'<text class="faint" x="{width - 10:g}" y="{height - 4:g}" text-anchor="end">'
        f"{escape(labels[-1])}</text>"
    )
    path, pen, dots = "", "M", ""
    for index, column in enumerate(found):
        if column is None:
            pen = "M"
            continue
        path += f"{pen}{x(index):.1f} {y(column.score):.1f}"
        pen = "L"
        colour = "var(--bad)" if column.drifted else "var(--accent)"
        title = f"{spans[index].span.name}: {short(column.score)}"
        dots += (
            f'<circle cx="{x(index):.1f}" cy="{y(column.score):.1f}" '
            f'r="{3.6 if column.drifted else 2.2}" fill="{colour}"><title>{escape(title)}</title>'
            "</circle>"
        )
    parts.append(f'<path d="{path}" fill="none" stroke="var(--accent)" stroke-width="1.5"/>{dots}')
    newest = next((c for c in reversed(found) if c), None)
    below = escape(name) + (f" · {escape(newest.measure)}" if newest else "")
    return f"<figure>{''.join(parts)}</svg><figcaption>{below}</figcaption></figure>"


def _cross(x: float, y: float) -> str:
    return (
        f'<path d="M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6" stroke="var(--bad)" '
        'stroke-width="1.6" stroke-linecap="round"/>'
    )


def _importance(depends: float | None) -> str:
    if depends is None:
        return "–"
    if depends == 0:
        return "none"
    return "&lt; 1 %" if depends < 0.01 else f"{100 * depends:.0f} %"


def _p(value: float) -> str:
    return "&lt; 0.0001" if value < 1e-4 else short(value)
