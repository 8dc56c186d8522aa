"""A classifier's pictures: ROC and precision-recall, calibration, confusion and recall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline_components.report.figure import (
    BASELINE,
    CANDIDATE,
    LINE,
    PALE,
    PAPER,
    QUIET,
    RAMP,
    canvas,
    svg,
)
from pipeline_components.scoring.metric_sums import exact_score
from pipeline_components.scoring.resampling import Floats, totals
from pipeline_components.scoring.scored import Scored

from .calibration import curve

POINTS = 160
"""Points of a curve: more cannot be seen."""
MOST_CLASSES = 12


def curves(candidate: Scored, baseline: Scored | None) -> bytes:
    """ROC and precision-recall curves of candidate and baseline."""
    figure, (left, right) = canvas(2, 4.4, 3.7)
    models = [("candidate", candidate, CANDIDATE)]
    if baseline is not None:
        models.append(("baseline", baseline, BASELINE))
    for name, scored, colour in reversed(models):
        hits, alarms = _cumulative(scored)
        positives, negatives = max(hits[-1], 1), max(alarms[-1], 1)
        label = f"{name}, {_shown(exact_score('roc_auc', scored))}"
        keep = _thinned(alarms / negatives, hits / positives)
        left.plot(alarms[keep] / negatives, hits[keep] / positives, color=colour, label=label)
        label = f"{name}, {_shown(exact_score('average_precision', scored))}"
        recall, precision = hits[1:] / positives, hits[1:] / np.maximum(hits[1:] + alarms[1:], 1)
        keep = _thinned(recall, precision)
        right.step(
            np.append(0, recall[keep]), np.append(precision[keep][:1], precision[keep]),
            where="pre", color=colour, label=label,
        )  # fmt: skip
    left.plot([0, 1], [0, 1], color=LINE, linewidth=1, zorder=0)
    right.axhline(float(candidate.is_positive.mean()), color=LINE, linewidth=1, zorder=0)
    for axes in (left, right):
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.02)
        axes.grid()
        axes.legend(loc="lower right" if axes is left else "best", reverse=True)
    left.set_xlabel("false positive rate")
    left.set_ylabel("true positive rate")
    left.set_title("ROC, with area")
    right.set_xlabel("recall")
    right.set_ylabel("precision")
    right.set_title("Precision and recall, with average precision")
    return svg(figure, "ROC and precision-recall curves of candidate and baseline")


def calibration(candidate: Scored, baseline: Scored | None, positive: str) -> bytes:
    """How often the positive class came true, in groups of equally many rows, above counts."""
    figure, _ = canvas(1, 5.2, 4.0)
    figure.clear()
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    top.plot([0, 1], [0, 1], color=LINE, linewidth=1, zorder=0)
    for name, scored, colour in (
        ("baseline", baseline, BASELINE),
        ("candidate", candidate, CANDIDATE),
    ):
        if scored is not None:
            _, said, came = curve(scored)
            top.plot(said, came, marker="o", markersize=4.5, color=colour, label=name)
    top.set_xlim(-0.01, 1.01)
    top.set_ylim(-0.02, 1.02)
    top.set_ylabel("came true")
    top.grid()
    top.legend(loc="upper left", reverse=True)
    top.set_title("Calibration")
    counts, edges = np.histogram(np.clip(candidate.probability, 0, 1), bins=40, range=(0, 1))
    bottom.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=PALE,
               edgecolor=CANDIDATE, linewidth=0.4)  # fmt: skip
    bottom.set_ylabel("rows")
    bottom.set_xlabel(f"predicted probability of {positive}".replace("$", r"\$"))
    return svg(figure, "Calibration of candidate and baseline, with counts of rows")


def confusion(candidate: Scored, baseline: Scored | None, classes: Sequence[str]) -> bytes:
    """Confusion matrix, and recall of each class beside the baseline's."""
    names = [*classes, "unseen"][: candidate.scores.shape[1]]
    counts = confusion_counts(candidate)
    shown = np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_CLASSES]
    shown = np.sort(shown)
    part = counts[np.ix_(shown, shown)]
    share = part / np.maximum(counts[shown].sum(axis=1, keepdims=True), 1)
    labels = [_short(names[k]) for k in shown]
    size = float(np.clip(1.9 + 0.42 * len(shown), 3.4, 7))
    figure, (left, right) = canvas(2, size + 0.6, size)
    from matplotlib.colors import LinearSegmentedColormap

    left.imshow(share, cmap=LinearSegmentedColormap.from_list("everfit", RAMP), vmin=0, vmax=1)
    for row in range(len(shown)):
        for column in range(len(shown)):
            left.annotate(
                f"{int(part[row, column]):,}", (column, row), ha="center", va="center",
                fontsize=8.5 if len(shown) < 7 else 7,
                color=PAPER if share[row, column] > 0.5 else QUIET,
            )  # fmt: skip
    left.set_xticks(range(len(shown)), labels, rotation=30 if len(shown) > 4 else 0,
                    ha="right" if len(shown) > 4 else "center")  # fmt: skip
    left.set_yticks(range(len(shown)), labels)
    left.tick_params(length=0)
    for spine in left.spines.values():
        spine.set_visible(False)
    left.set_xlabel("predicted")
    left.set_ylabel("actual")
    hidden = len(names) - len(shown)
    left.set_title("Rows by class" + (f" (commonest {MOST_CLASSES})" if hidden else ""))
    places = np.arange(len(shown))[::-1]
    right.barh(places, _recall(counts)[shown], height=0.6, color=CANDIDATE, label="candidate")
    if baseline is not None:
        theirs = _recall(confusion_counts(baseline))[shown]
        right.plot(theirs, places, "D", color=BASELINE, markersize=5.5, label="baseline")
    right.set_yticks(places, labels)
    right.tick_params(axis="y", length=0)
    right.set_xlim(-0.02, 1.02)
    right.grid(axis="x")
    right.set_xlabel("share of the class that was found")
    right.set_title("Recall of each class")
    figure.legend(loc="outside lower right", ncols=2)
    return svg(figure, "Confusion matrix and recall of each class")


def confusion_counts(scored: Scored) -> Floats:
    """Rows by actual (down) and predicted (across) class, shape (k, k)."""
    k = scored.scores.shape[1]
    flat = np.bincount(scored.truth.astype(np.int64) * k + scored.chosen, minlength=k * k)
    return flat.reshape(k, k).astype(np.float64)


def _recall(counts: Floats) -> Floats:
    return np.asarray(np.diag(counts) / np.maximum(counts.sum(axis=1), 1))


def _cumulative(scored: Scored) -> tuple[Floats, Floats]:
    """True and false positives at each threshold from the highest, starting from none."""
    levels, level = np.unique(-scored.probability, return_inverse=True)
    yes, no = (totals(m, level, levels.size) for m in (scored.is_positive, ~scored.is_positive))
    return np.append(0, np.cumsum(yes)), np.append(0, np.cumsum(no))


def _thinned(x: Floats, y: Floats) -> np.typing.NDArray[np.int64]:
    """Points about evenly along a curve's length."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    wanted = np.linspace(0, length[-1], POINTS)
    return np.unique(np.append(np.searchsorted(length, wanted).clip(0, x.size - 1), x.size - 1))


def _shown(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "undefined"


def _short(name: str) -> str:
    return (name if len(name) <= 16 else f"{name[:15]}…").replace("$", r"\$")
