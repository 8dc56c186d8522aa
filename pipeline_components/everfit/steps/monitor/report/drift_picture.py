"""Drift over time: a map of columns by spans, and the course of those that moved most.

A cell's shade is its drift score against the two thresholds; an alarm also bears a sign, so that
colour is never the only carrier.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from everfit.contracts import wording
from everfit.contracts.messages.monitoring import ColumnDrift, SpanEvaluation
from everfit.contracts.spec.monitor import MonitorSpec
from everfit.reporting.plot import NARROW, Plot, title
from everfit.reporting.svg import Drawing, clipped, element, fixed, text_width
from everfit.steps.monitor.report.span_order import short_names

SHOWN_COLUMNS = 25
"""Columns of the map: those that moved most."""

NARROW_SPANS = 10
"""Spans of the map on a phone: the newest."""

COURSES = 6
"""Columns whose course is drawn as a line."""

_ROW, _BESIDE, _STEEP = 22.0, 84.0, -52.0

Entries = list[tuple[Markup, str]]


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
                max(known[0], found[0]),
                max(known[1], found[1]),
                max(known[2], found[2]),
            )
    return sorted(best, key=lambda name: (*(-value for value in best[name]), name))


def drift_map(spans: Sequence[SpanEvaluation], spec: MonitorSpec, width: float) -> Drawing | None:
    """Columns by spans, oldest span at the left; the most drifted columns at the top.

    Returns
    -------
    Drawing or None
        None where no span has been compared yet.
    """
    names = ranked_columns(spans)[:SHOWN_COLUMNS]
    if not names:
        return None
    if width <= NARROW:
        spans = spans[-NARROW_SPANS:]
    left = min(max(map(text_width, names)) + 12, 190.0 if width > NARROW else 122.0)
    step = min((width - left - _BESIDE) / len(spans), 48.0)
    labels = short_names([span.span.name for span in spans])
    top = 18 + 0.8 * max(map(text_width, labels))
    alarms = sum(c.drifted for span in spans if span.state == "measured" for c in span.columns)
    drawing = Drawing(
        width,
        top + _ROW * len(names) + 4,
        f"Drift scores of {wording.count(len(names), 'column')} over "
        f"{wording.count(len(spans), 'span')}, {wording.count(alarms, 'alarm')}",
    )
    for index, label in enumerate(labels):
        drawing.text(left + step * (index + 0.5) + 4, top - 6, label, faint=True, turned=_STEEP)
    beside = left + step * len(spans) + 8
    drawing.text(beside, top - 6, "importance", faint=True)
    for row, name in enumerate(names):
        y = top + _ROW * row
        drawing.text(0, y + 15, clipped(name, left - 8))
        found = [next((c for c in span.columns if c.name == name), None) for span in spans]
        for index, (span, column) in enumerate(zip(spans, found, strict=True)):
            _cell(drawing, left + step * index, y, step, labels[index], span, name, column, spec)
        depends = next((c.depends for c in reversed(found) if c is not None), None)
        drawing.text(beside, y + 15, importance(depends), faint=True)
        drawing.hit(0, y, left - 6, _ROW, _told(name, labels, spans, found))
    return drawing


def _told(
    name: str,
    labels: Sequence[str],
    spans: Sequence[SpanEvaluation],
    found: Sequence[ColumnDrift | None],
) -> str:
    """The scores of one row, for those who do not point at each cell."""
    every = [
        f"{label} {wording.plain(column.score)}{' (alarm)' if column.drifted else ''}"
        for label, span, column in zip(labels, spans, found, strict=True)
        if column is not None and span.state == "measured"
    ]
    return f"{name}: {', '.join(every) or 'not compared'}"


def _cell(
    drawing: Drawing,
    x: float,
    y: float,
    step: float,
    label: str,
    span: SpanEvaluation,
    name: str,
    column: ColumnDrift | None,
    spec: MonitorSpec,
) -> None:
    box: dict[str, object] = {
        "x": x + 1,
        "y": y + 1,
        "width": step - 2,
        "height": _ROW - 2,
        "rx": 2.5,
    }
    middle = (x + step / 2, y + _ROW / 2)
    tip, stop = f"{name}, {label}: ", True
    if column is None or span.state != "measured":
        drawing.add("rect", **box, fill="none", stroke="var(--line)")
        tip += {"broken": "broken", "too_small": "too few rows"}.get(span.state, "not compared")
        if column is not None:
            tip += f"; {column.message}"
        if span.state == "broken":
            drawing.body.append(_cross(*middle))
        elif span.state == "too_small":
            drawing.body.append(_dash(*middle))
        stop = False
    else:
        drawing.add("rect", **box, fill=shade(column.score, column.drifted, spec))
        how = wording.p_value(column.adjusted) if column.assessed else "not assessed"
        tip += f"score {wording.plain(column.score)}, {how}"
        if column.drifted:
            drawing.body.append(_dot(*middle))
            tip += f". {wording.sentence(column.message)}"
        stop = column.drifted
    drawing.hit(x, y, step, _ROW, tip, stop=stop)


def shade(score: float, drifted: bool, spec: MonitorSpec) -> str:
    """The colour of a score: grey below the lower threshold, stronger up to thrice the upper."""
    if drifted:
        share = min(score / (3 * spec.effect), 1.0)
        return f"color-mix(in srgb, var(--bad) {55 + 45 * share:.0f}%, var(--surface))"
    if score < spec.off_below:
        return "var(--track)"
    share = min(score / (3 * spec.effect), 1.0)
    return f"color-mix(in srgb, var(--warn) {18 + 40 * share:.0f}%, var(--surface))"


def legend(spec: MonitorSpec) -> Entries:
    """What the shades and signs of the map mean."""
    off, effect = wording.plain(spec.off_below), wording.plain(spec.effect)

    def filled(colour: str) -> Markup:
        return element("rect", width=16, height=14, rx=2.5, fill=colour)

    empty = element(
        "rect", x=0.5, y=0.5, width=15, height=13, rx=2.5, fill="none", stroke="var(--line)"
    )
    return [
        (filled(shade(0, False, spec)), f"score below {off}"),
        (filled(shade(spec.effect, False, spec)), f"{off} or more, no alarm"),
        (
            filled(shade(spec.effect, True, spec)) + _dot(8, 7),
            f"alarm: {effect} or more, and significant; darker is more",
        ),
        (empty + _cross(8, 7), "broken span"),
        (empty + _dash(8, 7), "too few rows"),
    ]


def courses(spans: Sequence[SpanEvaluation], spec: MonitorSpec) -> list[tuple[Drawing, str]]:
    """The score of the columns that alarmed over the spans, with both thresholds; and the measure.

    Empty where there are fewer than two spans, or no alarms.
    """
    spans = [span for span in spans if span.state == "measured"]
    alarmed = {column.name for span in spans for column in span.columns if column.drifted}
    names = [name for name in ranked_columns(spans) if name in alarmed][:COURSES]
    return [_course(name, spans, spec) for name in names] if len(spans) > 1 else []


def _course(name: str, spans: Sequence[SpanEvaluation], spec: MonitorSpec) -> tuple[Drawing, str]:
    found = [next((c for c in span.columns if c.name == name), None) for span in spans]
    highest = max(max((c.score for c in found if c), default=0.0), spec.effect) * 1.12
    drawing = Drawing(NARROW, 150, f"Drift score of {name} over {len(spans)} spans")
    title(drawing, name)
    plot = Plot(drawing, (0, len(spans) - 1), (0, highest), 44, 26, NARROW - 8, 124)
    drawing.add(
        "rect",
        x=plot.left,
        y=plot.top,
        width=plot.right - plot.left,
        height=plot.at_y(spec.effect) - plot.top,
        fill="var(--bad-tint)",
    )
    apart = plot.at_y(spec.off_below) - plot.at_y(spec.effect) > 14
    for value, dash, said in ((spec.effect, None, True), (spec.off_below, "4 4", apart)):
        y = plot.at_y(value)
        drawing.line(
            plot.left, y, plot.right, y, "var(--bad)", stroke_dasharray=dash, opacity="0.75"
        )
        if said:
            drawing.text(plot.left - 6, y + 4, wording.plain(value), "end", faint=True)
    plot.floor()
    labels = short_names([span.span.name for span in spans])
    drawing.text(plot.left, 142, labels[0], faint=True)
    drawing.text(plot.right, 142, labels[-1], "end", faint=True)
    known = [(place, column) for place, column in enumerate(found) if column is not None]
    path = "".join(
        f"{'L' if n and known[n - 1][0] == place - 1 else 'M'}{fixed(plot.at_x(place))} "
        f"{fixed(plot.at_y(column.score))}"
        for n, (place, column) in enumerate(known)
    )
    drawing.add("path", d=path, fill="none", stroke="var(--accent)", stroke_width=1.5)
    for place, column in known:
        x, y = plot.at_x(place), plot.at_y(column.score)
        colour = "var(--bad)" if column.drifted else "var(--accent)"
        drawing.add("circle", cx=x, cy=y, r=3.8 if column.drifted else 2.4, fill=colour)
        tip = f"{labels[place]}: {wording.plain(column.score)}"
        drawing.hit(x - 8, y - 8, 16, 16, tip, stop=column.drifted)
    return drawing, known[-1][1].measure if known else ""


def importance(depends: float | None) -> str:
    """A share of the champion's importance, where it is known."""
    if depends is None:
        return wording.NOTHING
    if depends == 0:
        return "none"
    return "< 1 %" if depends < 0.01 else f"{100 * depends:.0f} %"


def _dot(x: float, y: float) -> Markup:
    return element("circle", cx=x, cy=y, r=3.4, fill="var(--surface)")


def _cross(x: float, y: float) -> Markup:
    return element(
        "path",
        d=f"M{fixed(x - 3)} {fixed(y - 3)}l6 6m0 -6l-6 6",
        stroke="var(--bad)",
        stroke_width=1.6,
        stroke_linecap="round",
    )


def _dash(x: float, y: float) -> Markup:
    return element(
        "path", d=f"M{fixed(x - 3)} {fixed(y)}h6", stroke="var(--soft)", stroke_width=1.4
    )
