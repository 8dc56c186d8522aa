"""Intervals drawn by hand as inline SVG, in the page's own colours: light, dark and printed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline_components.contracts.verdicts import Bound, Comparison, Estimate
from pipeline_components.report.page import Html, Tone, escape, number, short

WIDTH, LEFT, RIGHT = 900.0, 2.0, 2.0


def gain_figure(found: Comparison, tone: Tone, judged: Bound | None = None) -> Html:
    """The interval of the gain against zero and the margin.

    The acceptable side is shaded; the picture is described in words for those who do not see it.

    Parameters
    ----------
    found : Comparison
        Its interval is the thick one.
    tone : Tone
    judged : Bound, optional
        The interval that was judged by, at the level the look has spent: thin, with its ends told.
    """
    inner = (found.gain.low, found.gain.high)
    low, high = (judged.low, judged.high) if judged else inner
    value = found.gain.value
    superior = found.intention == "superior_by"
    need = found.margin if superior else -found.margin
    start, end = _domain((0.0, need, low, value, high, *inner))

    def x(at: float) -> float:
        return LEFT + (at - start) / (end - start) * (WIDTH - LEFT - RIGHT)

    bar, axis = 84.0, 138.0
    word = "required" if superior else "allowed"
    parts = [
        f'<svg class="drawn {tone}" viewBox="0 0 {WIDTH:g} 184" role="img" '
        f'aria-label="{escape(_words(found, word, judged))}" font-size="14">',
        f'<rect x="{x(need):.1f}" y="40" width="{max(WIDTH - RIGHT - x(need), 0):.1f}" '
        f'height="{axis - 40:g}" fill="var(--good-tint)"/>',
        f'<line x1="{LEFT:g}" y1="{axis:g}" x2="{WIDTH - RIGHT:g}" y2="{axis:g}" '
        'stroke="var(--line)" stroke-width="1"/>',
    ]
    for tick in _ticks(start, end):
        if not 24 < x(tick) < WIDTH - 24:  # its label would be cut off
            continue
        parts.append(
            f'<line x1="{x(tick):.1f}" y1="{axis:g}" x2="{x(tick):.1f}" y2="{axis + 5:g}" '
            'stroke="var(--soft)" stroke-width="1"/>'
            f'<text class="faint" x="{x(tick):.1f}" y="{axis + 21:g}" text-anchor="middle" '
            f'font-size="12.5">{_signed(tick)}</text>'
        )
    zero, edge = x(0.0), x(need)
    parts.append(
        f'<line x1="{zero:.1f}" y1="40" x2="{zero:.1f}" y2="{axis:g}" stroke="var(--soft)" '
        'stroke-width="1.25"/>'
    )
    if need:
        parts.append(
            f'<line x1="{edge:.1f}" y1="34" x2="{edge:.1f}" y2="{axis:g}" stroke="var(--good)" '
            'stroke-width="1.75" stroke-dasharray="5 4"/>'
        )
    # the two labels above lean away from each other, so that they never collide
    right = need >= 0
    label = f"{word}: {_signed(need)}" if need else f"{word}: no less than 0"
    parts.append(_text(edge, 24, label, "start" if right else "end", "var(--good)"))
    if need:
        parts.append(_text(zero, 24, "no difference", "end" if right else "start", None))
    if judged:
        parts.append(
            f'<line x1="{x(low):.1f}" y1="{bar:g}" x2="{x(high):.1f}" y2="{bar:g}" '
            'stroke="var(--tone)" stroke-width="2"/>'
        )
    parts.append(
        f'<line x1="{x(inner[0]):.1f}" y1="{bar:g}" x2="{x(inner[1]):.1f}" y2="{bar:g}" '
        'stroke="var(--tone)" stroke-width="7" stroke-linecap="round" opacity=".38"/>'
        f'<path d="M{x(low):.1f} {bar - 9:g}v18M{x(high):.1f} {bar - 9:g}v18" '
        'stroke="var(--tone)" stroke-width="2" fill="none" stroke-linecap="round"/>'
        f'<circle cx="{x(value):.1f}" cy="{bar:g}" r="7.5" fill="var(--tone)" '
        'stroke="var(--surface)" stroke-width="2.5"/>'
        f'<text x="{x(value):.1f}" y="{bar - 19:g}" text-anchor="middle" font-weight="650" '
        f'font-size="16">{_signed(value)}</text>'
        f"{_end(x(low), bar, _signed(low), -1, (zero, edge))}"
        f"{_end(x(high), bar, _signed(high), 1, (zero, edge))}"
        f'<text class="faint" x="{LEFT:g}" y="180" font-size="12.5">← baseline better</text>'
        f'<text class="faint" x="{WIDTH - RIGHT:g}" y="180" text-anchor="end" font-size="12.5">'
        f"candidate better, gain in {escape(found.metric)} →</text></svg>"
    )
    return Html(f'<figure class="scroll">{"".join(parts)}</figure>')


def strip(estimates: Sequence[tuple[str, Estimate | None]]) -> Html:
    """Estimates of one metric beside each other on one small scale; the first stands out.

    Parameters
    ----------
    estimates : sequence of (name, estimate)
        Candidate first.
    """
    there = [(name, e) for name, e in estimates if e is not None]
    if not there:
        return Html("")
    start = min(e.low for _, e in there)
    end = max(e.high for _, e in there)
    span = (end - start) or 1.0
    height = 10 * len(there) + 4

    def x(at: float) -> float:
        return 6 + (at - start) / span * 148

    parts = [
        f'<svg viewBox="0 0 160 {height}" width="160" height="{height}" role="img" aria-label="'
        + "; ".join(f"{escape(name)} {number(e.low)} to {number(e.high)}" for name, e in there)
        + '">'
    ]
    for index, (_, e) in enumerate(there):
        y = 7 + 10 * index
        colour = "var(--accent)" if index == 0 else "var(--soft)"
        parts.append(
            f'<line x1="{x(e.low):.1f}" y1="{y}" x2="{x(e.high):.1f}" y2="{y}" stroke="{colour}" '
            'stroke-width="3" stroke-linecap="round" opacity=".45"/>'
            f'<circle cx="{x(e.value):.1f}" cy="{y}" r="3.4" fill="{colour}"/>'
        )
    return Html("".join(parts) + "</svg>")


def _domain(points: Sequence[float]) -> tuple[float, float]:
    """Room for every point, and for the labels beside the outermost."""
    low, high = min(points), max(points)
    room = (high - low) * 0.2 or max(abs(high), 1e-9)
    return low - room, high + room


def _ticks(start: float, end: float) -> list[float]:
    """Between four and nine round numbers."""
    raw = (end - start) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.ceil(start / step)
    return [round(k * step, 12) for k in range(first, math.floor(end / step) + 1)]


def _signed(value: float) -> str:
    text = short(value)
    return f"+{text}" if value > 0 else text.replace("-", "−")


def _end(x: float, bar: float, text: str, outward: int, lines: Sequence[float]) -> str:
    """The number at an end of the interval: beside it, or below where an upright line is there."""
    length = 8.5 * len(text)
    beside, below = x + outward * 12, x - outward * 2

    def free(at: float, way: int) -> bool:
        first, last = sorted((at, at + way * length))
        return not any(first - 3 < line < last + 3 for line in lines)

    if not free(beside, outward) and free(below, -outward):
        at, y, way = below, bar + 30, -outward
    else:
        at, y, way = beside, bar + 5, outward
    anchor = "start" if way > 0 else "end"
    return f'<text class="faint" x="{at:.1f}" y="{y:g}" text-anchor="{anchor}">{text}</text>'


def _text(x: float, y: float, text: str, anchor: str, colour: str | None) -> str:
    """A label that starts or ends at ``x`` and stays inside the picture."""
    length = 7.6 * len(text)
    if anchor == "start" and x + length > WIDTH:
        anchor = "end"
    elif anchor == "end" and x - length < 0:
        anchor = "start"
    shift = 0 if anchor == "middle" else 6 if anchor == "start" else -6
    look = f'style="fill:{colour}" font-weight="600"' if colour else 'class="faint"'
    return (
        f'<text x="{x + shift:.1f}" y="{y:g}" text-anchor="{anchor}" {look}>{escape(text)}</text>'
    )


def _words(found: Comparison, word: str, judged: Bound | None) -> str:
    told = (
        f"Gain of the candidate in {found.metric}: {short(found.gain.value)}, interval "
        f"{short(found.gain.low)} to {short(found.gain.high)}; "
    )
    if judged:
        told += f"judged by {short(judged.low)} to {short(judged.high)}; "
    return f"{told}{word} {short(found.margin)}"
