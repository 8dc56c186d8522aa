"""A classifier's pictures: ROC and precision-recall, calibration, confusion and recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everfit.contracts import wording
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.resampling import Floats, totals
from everfit.ml.scoring.scored import Scored
from everfit.reporting.plot import LINE_HEIGHT, NARROW, Plot, legend, title
from everfit.reporting.svg import FONT_SIZE, Drawing, clipped, text_width
from everfit.steps.evaluate.calibration import curve

POINTS = 120
"""Points of a curve: more cannot be seen."""
STOPS = tuple(round(0.1 * place, 1) for place in range(1, 10))
"""Shares at which a curve says where it is."""
MOST_CLASSES = 12
BARS = 40

_CANDIDATE, _BASELINE = "var(--accent)", "var(--second)"
_FIELD = (44.0, 52.0, NARROW - 8, 292.0)


def roc(candidate: Scored, baseline: Scored | None) -> Drawing:
    """ROC curves, with the area below each."""
    drawing, plot = _unit_square("ROC curve", "true positive rate", "false positive rate")
    plot.curve([(0, 0), (1, 1)], "var(--third)", dash="4 4", width=1)
    curves = {}
    for name, scored, colour in reversed(_models(candidate, baseline)):
        hits, alarms = _cumulative(scored)
        x, y = alarms / max(alarms[-1], 1), hits / max(hits[-1], 1)
        keep = _thinned(x, y)
        plot.curve(list(zip(x[keep], y[keep], strict=True)), colour)
        curves[name] = (x, y)
    for stop in STOPS:
        told = [
            f"{name} {wording.percent(float(np.interp(stop, *curves[name])))}"
            for name in reversed(curves)
        ]
        tip = f"false positive rate {wording.percent(stop)}: true positive rate {', '.join(told)}"
        _column(plot, stop, tip)
    _areas(drawing, candidate, baseline, "roc_auc", "area")
    return drawing


def precision_recall(candidate: Scored, baseline: Scored | None) -> Drawing:
    """Precision-recall curves, with the average precision of each."""
    drawing, plot = _unit_square("Precision and recall", "precision", "recall")
    share = float(candidate.is_positive.mean())
    plot.curve([(0, share), (1, share)], "var(--third)", dash="4 4", width=1)
    curves = {}
    for name, scored, colour in reversed(_models(candidate, baseline)):
        hits, alarms = _cumulative(scored)
        recall = hits[1:] / max(hits[-1], 1)
        precision = hits[1:] / np.maximum(hits[1:] + alarms[1:], 1)
        keep = _thinned(recall, precision)
        points: list[tuple[float, float]] = []
        for x, y in zip(recall[keep], precision[keep], strict=True):
            points += [(points[-1][0] if points else 0.0, float(y)), (float(x), float(y))]
        plot.curve(points, colour)
        curves[name] = (recall, precision)
    for stop in STOPS:
        told = []
        for name in reversed(curves):
            recall, precision = curves[name]
            place = min(int(np.searchsorted(recall, stop)), len(recall) - 1)
            told.append(f"{name} {wording.percent(float(precision[place]))}")
        _column(plot, stop, f"recall {wording.percent(stop)}: precision {', '.join(told)}")
    _areas(drawing, candidate, baseline, "average_precision", "average precision")
    return drawing


def calibration(candidate: Scored, baseline: Scored | None, positive: str) -> Drawing:
    """How often the positive class came true, in groups of equally many rows, above counts."""
    drawing, plot = _unit_square(
        "Calibration", "came true", clipped(f"predicted probability of {positive}", NARROW), 58
    )
    plot.curve([(0, 0), (1, 1)], "var(--third)", dash="4 4", width=1)
    for name, scored, colour in reversed(_models(candidate, baseline)):
        rows, said, came = curve(scored)
        plot.curve(list(zip(said, came, strict=True)), colour)
        for count, x, y in zip(rows, said, came, strict=True):
            tip = (
                f"{name}: {wording.count(int(count), 'row')} with probability "
                f"{wording.percent(float(x))} on average; {wording.percent(float(y))} came true"
            )
            plot.dot(float(x), float(y), colour, tip)
    top = plot.bottom + 50
    counts, edges = np.histogram(np.clip(candidate.probability, 0, 1), bins=BARS, range=(0, 1))
    tallest = max(int(counts.max()), 1)
    for count, begin, end in zip(counts, edges[:-1], edges[1:], strict=True):
        height = 40 * float(count) / tallest
        if count:
            x = plot.at_x(float(begin))
            width = plot.at_x(float(end)) - x - 0.6
            drawing.add(
                "rect",
                x=x,
                y=top + 40 - max(height, 0.6),
                width=width,
                height=max(height, 0.6),
                fill="var(--accent)",
                opacity="0.55",
            )
    drawing.line(plot.left, top + 40, plot.right, top + 40, "var(--line)")
    drawing.text(plot.left - 7, top + 12, wording.number(tallest), "end", faint=True)
    drawing.text(plot.left - 7, top + 40, "rows", "end", faint=True)
    legend(drawing, top + 62, [(colour, name) for name, _, colour in _models(candidate, baseline)])
    return drawing


def confusion(candidate: Scored, classes: Sequence[str]) -> Drawing:
    """Rows by actual (down) and predicted (across) class."""
    names, counts, shown = _classes(candidate, classes)
    part = counts[np.ix_(shown, shown)]
    share = part / np.maximum(counts[shown].sum(axis=1, keepdims=True), 1)
    labels = [names[k] for k in shown]
    left, top = 104.0, 48 + min(max(map(text_width, labels)), 84) * 0.75
    cell = min((NARROW - left) / len(shown), 46.0)
    drawing = Drawing(NARROW, top + cell * len(shown) + 26, "Confusion matrix")
    hidden = len(names) - len(shown)
    title(drawing, "Rows by class" + (f" (commonest {MOST_CLASSES})" if hidden else ""))
    drawing.text(0, top - 8, "actual →", faint=True)
    drawing.text(NARROW, 34, "predicted ↓", "end", faint=True)
    for place, label in enumerate(labels):
        middle = cell * (place + 0.5)
        drawing.text(left - 8, top + middle + 4, clipped(label, left - 8), "end")
        # ends at its column, so that the last one is not cut
        drawing.text(left + middle + 3, top - 7, clipped(label, 84), "end", turned=48)
    for row in range(len(shown)):
        for column in range(len(shown)):
            x, y, found = left + cell * column, top + cell * row, float(share[row, column])
            drawing.add(
                "rect", x=x + 0.5, y=y + 0.5, width=cell - 1, height=cell - 1, fill="var(--track)"
            )
            drawing.add(
                "rect",
                x=x + 0.5,
                y=y + 0.5,
                width=cell - 1,
                height=cell - 1,
                fill="var(--accent)" if row == column else "var(--bad)",
                opacity=f"{0.5 * found:.2f}",
            )
            count = wording.number(int(part[row, column]))
            if text_width(count) <= cell - 3 and part[row, column]:
                drawing.text(x + cell / 2, y + cell / 2 + FONT_SIZE / 3, count, "middle")
            tip = (
                f"{wording.count(int(part[row, column]), 'row')} of {labels[row]} predicted as "
                f"{labels[column]}: {wording.percent(found)} of the class"
            )
            drawing.hit(x, y, cell, cell, tip, stop=bool(part[row, column]))
    note = "Strength of colour: share of the actual class"
    drawing.text(0, drawing.height - 6, note, faint=True)
    return drawing


def recall_of_classes(
    candidate: Scored, baseline: Scored | None, classes: Sequence[str]
) -> Drawing:
    """The share of each class that was found, beside the baseline's."""
    names, counts, shown = _classes(candidate, classes)
    ours = _recall(counts)
    theirs = None if baseline is None else _recall(confusion_counts(baseline))
    top, step, left = 30.0, 24.0, 128.0
    bottom = top + step * len(shown)
    drawing = Drawing(NARROW, bottom + 30 + LINE_HEIGHT, "Recall of each class")
    title(drawing, "Recall of each class")
    plot = Plot(drawing, (0, 1), (0, 1), left, top, NARROW - 22, bottom)
    for place, k in enumerate(shown):
        y = top + step * place
        drawing.text(left - 8, y + 16, clipped(names[k], left - 8), "end")
        drawing.add(
            "rect",
            x=left,
            y=y + 5,
            width=max(plot.at_x(float(ours[k])) - left, 0.8),
            height=14,
            rx=2,
            fill=_CANDIDATE,
        )
        tip = f"{names[k]}: candidate {wording.percent(float(ours[k]))}"
        if theirs is not None:
            x = plot.at_x(float(theirs[k]))
            drawing.line(x, y + 2, x, y + 22, _BASELINE, stroke_width=3)
            tip += f", baseline {wording.percent(float(theirs[k]))}"
        drawing.hit(0, y, NARROW, step, tip)
    plot.floor()
    plot.scale_x(percent=True)
    entries = [(colour, name) for name, _, colour in _models(candidate, baseline)]
    legend(drawing, bottom + 38, entries)
    return drawing


def confusion_counts(scored: Scored) -> Floats:
    """Rows by actual (down) and predicted (across) class, shape (k, k)."""
    k = scored.scores.shape[1]
    flat = np.bincount(scored.truth.astype(np.int64) * k + scored.predicted_class, minlength=k * k)
    return flat.reshape(k, k).astype(np.float64)


def _classes(
    candidate: Scored, classes: Sequence[str]
) -> tuple[list[str], Floats, np.typing.NDArray[np.int64]]:
    """Names of the classes, rows by actual and predicted class, and the places that are shown."""
    names = [*classes, "unseen"][: candidate.scores.shape[1]]
    counts = confusion_counts(candidate)
    shown = np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_CLASSES]
    return names, counts, np.sort(shown)


def _models(candidate: Scored, baseline: Scored | None) -> list[tuple[str, Scored, str]]:
    models = [("candidate", candidate, _CANDIDATE)]
    return models if baseline is None else [*models, ("baseline", baseline, _BASELINE)]


def _unit_square(
    heading: str, upwards: str, across: str, below: float = 0.0
) -> tuple[Drawing, Plot]:
    """A drawing whose axes both go from 0 to 1."""
    left, top, right, bottom = _FIELD
    drawing = Drawing(NARROW, bottom + 46 + below + LINE_HEIGHT, heading)
    title(drawing, heading)
    plot = Plot(drawing, (0, 1), (0, 1), left, top, right, bottom)
    plot.name_y(upwards)
    plot.scale_y(percent=True)
    plot.floor()
    plot.scale_x(percent=True)
    plot.name_x(across)
    return drawing, plot


def _areas(
    drawing: Drawing, candidate: Scored, baseline: Scored | None, metric: str, word: str
) -> None:
    """The legend, with the score that each curve amounts to."""
    entries = []
    for name, scored, colour in _models(candidate, baseline):
        value = exact_score(metric, scored)
        told = wording.number(value) if np.isfinite(value) else "undefined"
        entries.append((colour, f"{name}: {told}"))
    bottom = _FIELD[3]
    legend(drawing, bottom + 58, entries)
    drawing.label += f", with {word}"


def _column(plot: Plot, stop: float, tip: str) -> None:
    wide = (plot.right - plot.left) / 10
    plot.drawing.hit(plot.at_x(stop) - wide / 2, plot.top, wide, plot.bottom - plot.top, tip)


def _recall(counts: Floats) -> Floats:
    return np.asarray(np.diag(counts) / np.maximum(counts.sum(axis=1), 1))


def _cumulative(scored: Scored) -> tuple[Floats, Floats]:
    """True and false positives at each threshold from the highest, starting from none."""
    levels, level = np.unique(-scored.probability, return_inverse=True)
    weight = 1.0 if scored.weight is None else scored.weight
    yes, no = (
        totals(m * weight, level, levels.size) for m in (scored.is_positive, ~scored.is_positive)
    )
    return np.append(0, np.cumsum(yes)), np.append(0, np.cumsum(no))


def _thinned(x: Floats, y: Floats) -> np.typing.NDArray[np.int64]:
    """Points about evenly along a curve's length."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    wanted = np.linspace(0, length[-1], POINTS)
    return np.unique(np.append(np.searchsorted(length, wanted).clip(0, x.size - 1), x.size - 1))
