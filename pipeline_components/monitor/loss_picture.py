"""The champion's score over the spans, beside what it was when it was judged, and the margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline_components.contracts.margins import Margin
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.monitoring import Rise, SpanEvaluation
from pipeline_components.report.page import Html, escape, short

from .span_order import short_names

WIDTH, HEIGHT = 900.0, 300.0
_LEFT, _RIGHT, _TOP = 64.0, 178.0, 16.0


def loss_picture(spans: Sequence[SpanEvaluation], metric: str, margin: Margin) -> Html:
    """One metric over the spans, oldest at the left.

    A filled dot is measured on labels, a hollow one is an estimate, a square is what was served;
    the line down from it (up, where higher is better) ends at the one-sided bound. The shaded side
    is worse than the margin allows.
    """
    drawn = [
        (index, rise)
        for index, span in enumerate(spans)
        for rise in span.rises
        if rise.metric == metric and math.isfinite(rise.current) and math.isfinite(rise.reference)
    ]
    if not drawn:
        return Html("<p>The champion has not been scored on any of these spans.</p>")
    up = METRICS[metric].greater_is_better
    reference = drawn[-1][1].reference
    edge = reference + (-1 if up else 1) * margin.of(reference)
    ends = [reference, edge, *(r.current for _, r in drawn), *(bound(r) for _, r in drawn)]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.12 or max(abs(high), 1e-9) * 0.1
    low, high = low - room, high + room
    labels = short_names([span.span.name for span in spans])
    rotated = len(spans) > 10
    below = 24 + (6.2 * max(map(len, labels)) * 0.82 if rotated else 0)
    floor = HEIGHT
    step = (WIDTH - _LEFT - _RIGHT) / len(spans)

    def x(index: int) -> float:
        return _LEFT + step * (index + 0.5)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (floor - _TOP)

    right = WIDTH - _RIGHT
    shaded = (y(edge), floor) if up else (_TOP, y(edge))
    estimated = sum(rise.estimated for _, rise in drawn)
    parts = [
        f'<svg class="drawn" viewBox="0 0 {WIDTH:g} {floor + below:.0f}" role="img" '
        f'aria-label="{escape(metric)} of the champion over {len(spans)} spans, '
        f'{short(reference)} when it was judged, {estimated} estimated" font-size="12.5">',
        f'<rect x="{_LEFT:g}" y="{shaded[0]:.1f}" width="{right - _LEFT:.1f}" '
        f'height="{max(shaded[1] - shaded[0], 0):.1f}" fill="var(--bad-tint)"/>',
    ]
    for tick in ticks(low, high):
        parts.append(
            f'<path d="M{_LEFT:g} {y(tick):.1f}H{right:g}" stroke="var(--line)"/>'
            f'<text class="faint" x="{_LEFT - 8:g}" y="{y(tick) + 4:.1f}" text-anchor="end">'
            f"{short(tick)}</text>"
        )
    apart = abs(y(edge) - y(reference)) >= 17
    first, second = (y(reference) + 4, y(edge) + 4)
    if not apart:
        way = 1 if up else -1
        first, second = first - way * 8, second + way * 8
    parts.append(
        f'<path d="M{_LEFT:g} {y(reference):.1f}H{right:g}" stroke="var(--soft)" '
        'stroke-width="1.6"/>'
        f'<path d="M{_LEFT:g} {y(edge):.1f}H{right:g}" stroke="var(--bad)" stroke-width="1.6" '
        'stroke-dasharray="6 4"/>'
        f'<text x="{right + 8:g}" y="{first:.1f}" style="fill:var(--soft)">when judged '
        f"{short(reference)}</text>"
        f'<text x="{right + 8:g}" y="{second:.1f}" style="fill:var(--bad)">worse by '
        f"{margin_text(margin)}: {short(edge)}</text>"
    )
    for index, label in enumerate(labels):
        place = f'x="{x(index):.1f}" y="{floor + 18:.1f}" text-anchor="middle"'
        if rotated:
            place = (
                f'transform="translate({x(index) + 4:.1f} {floor + 14:.1f}) rotate(-55)" '
                'text-anchor="end"'
            )
        parts.append(f'<text class="faint" font-size="11.5" {place}>{escape(label)}</text>')
    for source in ("champion", "logged"):
        of = [(i, r) for i, r in drawn if r.source == source]
        path = "".join(
            f"{'L' if n and of[n - 1][0] == i - 1 else 'M'}{x(i):.1f} {y(r.current):.1f}"
            for n, (i, r) in enumerate(of)
        )
        dash = ' stroke-dasharray="3 3"' if source == "logged" else ""
        parts.append(
            f'<path d="{path}" fill="none" stroke="var(--accent)" stroke-width="1.5" '
            f'opacity=".6"{dash}/>'
        )
    for index, rise in drawn:
        parts.append(_point(x(index), y(rise.current), y(bound(rise)), spans[index], rise, margin))
    parts.append("</svg>")
    return Html(f'<figure class="scroll">{"".join(parts)}</figure>{_legend()}')


def bound(rise: Rise) -> float:
    """The score at the one-sided bound of how much worse it is."""
    if rise.estimated or not math.isfinite(rise.low):
        return rise.current
    sign = -1.0 if METRICS[rise.metric].greater_is_better else 1.0
    return rise.reference + sign * rise.low


def margin_text(margin: Margin) -> str:
    """A margin as a spec writes it."""
    return f"{short(100 * margin.value)} %" if margin.relative else short(margin.value)


def ticks(low: float, high: float) -> list[float]:
    """Between three and six round numbers."""
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return [round(k * step, 12) for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _point(x: float, y: float, end: float, span: SpanEvaluation, rise: Rise, margin: Margin) -> str:
    colour = "var(--bad)" if rise.beyond(margin) else "var(--accent)"
    how = "estimated" if rise.estimated else f"at least {short(rise.low)} worse"
    title = (
        f"{span.span.name}: {rise.metric} {short(rise.current)}, "
        f"{short(rise.worse)} worse, {how}; {rise.rows:,} rows"
    )
    shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.4" '
    if rise.source == "logged":
        shape = f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" '
    look = (
        f'fill="var(--surface)" stroke="{colour}" stroke-width="1.8"'
        if rise.estimated
        else f'fill="{colour}"'
    )
    whisker = ""
    if abs(end - y) > 0.5:
        whisker = (
            f'<path d="M{x:.1f} {y:.1f}V{end:.1f}M{x - 4:.1f} {end:.1f}h8" stroke="{colour}" '
            'stroke-width="1.6" fill="none" opacity=".75"/>'
        )
    return f"<g><title>{escape(title)}</title>{whisker}{shape}{look}/></g>"


def _legend() -> str:
    items = [
        ('<circle cx="8" cy="7" r="4.4" fill="var(--accent)"/>', "measured on labels"),
        ('<circle cx="8" cy="7" r="4.4" fill="var(--bad)"/>', "surely worse, beyond the margin"),
        ('<circle cx="8" cy="7" r="4.2" fill="none" stroke="var(--accent)" stroke-width="1.8"/>',
         "an estimate: no labels yet"),
        ('<rect x="4" y="3" width="8" height="8" fill="var(--accent)"/>', "predictions as served"),
        ('<path d="M8 1v12M4 13h8" stroke="var(--accent)" stroke-width="1.6"/>',
         "bound that holds in 95 of 100 cases"),
    ]  # fmt: skip
    drawn = "".join(
        '<span style="display:inline-flex;align-items:center;gap:.4em;white-space:nowrap">'
        f'<svg viewBox="0 0 16 14" width="16" height="14" aria-hidden="true">{picture}</svg>'
        f"{escape(text)}</span>"
        for picture, text in items
    )
    return (
        '<p class="soft" style="display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;max-width:none;'
        f'font-size:.8125rem">{drawn}</p>'
    )
