"""What looks at holdouts have spent in a year, drawn against what they may spend."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_components.contracts.looks import Look
from pipeline_components.report.page import Html, escape, short

WIDTH, HEIGHT, BASE, TOP = 900.0, 150.0, 118.0, 30.0


def budget_figure(looks: Sequence[Look], limit: float) -> Html:
    """A bar for each look, as high as all looks up to it have spent together; the last stands out.

    Parameters
    ----------
    looks : sequence of Look
        Oldest first; the one that is decided on is the last.
    limit : float
        False promotions a year that are allowed.
    """
    spent: list[float] = []
    for look in looks:
        spent.append((spent[-1] if spent else 0.0) + look.alpha)
    highest = max(limit, spent[-1] if spent else 0.0)

    def y(value: float) -> float:
        return BASE - (BASE - TOP) * value / highest

    slot = min(WIDTH / max(len(looks), 1), 60.0)
    words = (
        f"{len(looks)} looks in a year have spent {short(spent[-1] if spent else 0.0)} of "
        f"{short(limit)}"
    )
    parts = [
        f'<svg class="drawn calm" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" '
        f'aria-label="{escape(words)}" font-size="13">',
        f'<line x1="0" y1="{y(limit):.1f}" x2="{WIDTH:g}" y2="{y(limit):.1f}" '
        'stroke="var(--bad)" stroke-width="1.5" stroke-dasharray="5 4"/>',
        f'<text x="{WIDTH - 2:g}" y="{y(limit) - 7:.1f}" text-anchor="end">'
        f"allowed in a year: {short(limit)}</text>",
        f'<line x1="0" y1="{BASE:g}" x2="{WIDTH:g}" y2="{BASE:g}" stroke="var(--line)"/>',
    ]
    for number, total in enumerate(spent):
        last = number == len(spent) - 1
        colour, opacity = ("var(--accent)", "1") if last else ("var(--soft)", ".45")
        top = min(y(total), BASE - 1)
        parts.append(
            f'<rect x="{number * slot + slot * 0.15:.1f}" y="{top:.1f}" '
            f'width="{slot * 0.7:.1f}" height="{BASE - top:.1f}" fill="{colour}" '
            f'opacity="{opacity}"/>'
        )
    parts.append(
        f'<text class="faint" x="2" y="{BASE + 22:g}" font-size="12.5">{escape(words)}; '
        "the coloured bar is this look</text></svg>"
    )
    return Html(f'<figure class="scroll">{"".join(parts)}</figure>')
