"""Which pictures a task gets, and the two that every task has."""

from __future__ import annotations

from collections.abc import Mapping

from everfit.contracts import wording
from everfit.contracts.messages.requests import EvaluateRequest
from everfit.contracts.messages.verdicts import Estimate
from everfit.contracts.spec.metrics import METRICS, metric_title, metric_unit
from everfit.ml.scoring.scored import Scored
from everfit.reporting.forest import Row, forest
from everfit.reporting.plot import NARROW, Plot, legend, title
from everfit.reporting.svg import Drawing, clipped, text_width
from everfit.steps.evaluate.report.pictures_classes import (
    calibration,
    confusion,
    precision_recall,
    recall_of_classes,
    roc,
)
from everfit.steps.evaluate.report.pictures_regression import errors, predicted_and_actual
from everfit.steps.evaluate.score_models import HoldoutScores

MOST_BARS = 15


def pictures(
    request: EvaluateRequest,
    scored: Mapping[str, Scored],
    judged: HoldoutScores,
    importances: Mapping[str, float],
    *,
    family: str,
    baseline_name: str,
) -> dict[str, bytes]:
    """Every picture of an evaluation, as SVG.

    Parameters
    ----------
    request : EvaluateRequest
    scored : mapping
        As for ``judge``.
    judged : HoldoutScores
    importances : mapping
        column → permutation importance.
    family, baseline_name : str
        Of the candidate; ``champion v3`` or the dummy's name.

    Returns
    -------
    dict
        File name → SVG. Left out: what cannot be drawn of predictions that are not finite.
    """
    drawn: dict[str, Drawing] = {}
    candidate = scored["candidate"]
    baseline = scored.get("baseline")
    if baseline is not None and baseline.not_finite:
        baseline = None
    if any(request.metric in metrics for metrics in judged.scores.values()):
        names = {"candidate": family, "baseline": baseline_name}
        drawn["scores"] = scores_picture(
            request.metric, judged.scores, request.confidence, names, request.unit
        )
    if candidate.rows and not candidate.not_finite:
        if request.task == "regression":
            drawn["predicted_and_actual"] = predicted_and_actual(
                candidate, request.target, request.unit
            )
            drawn["errors"] = errors(candidate, request.unit)
        elif request.task == "binary":
            positive = (request.classes or ("0", "1"))[candidate.positive]
            drawn["roc"] = roc(candidate, baseline)
            drawn["precision_recall"] = precision_recall(candidate, baseline)
            drawn["calibration"] = calibration(candidate, baseline, positive)
        else:
            drawn["confusion"] = confusion(candidate, request.classes or ())
            drawn["recall"] = recall_of_classes(candidate, baseline, request.classes or ())
    if importances:
        drawn["importances"] = importances_picture(request.metric, importances, request.unit)
    return {f"{name}.svg": drawing.file() for name, drawing in drawn.items()}


def scores_picture(
    metric: str,
    scores: Mapping[str, Mapping[str, Estimate]],
    confidence: float,
    names: Mapping[str, str],
    unit: str | None = None,
) -> Drawing:
    """Every model's score with its interval: candidate, baseline, other families, dummy.

    Parameters
    ----------
    metric : str
        At least one model has a score by it.
    scores : mapping
        As ``HoldoutScores.scores``.
    confidence : float
    names : mapping
        What to call ``candidate`` and ``baseline``.
    unit : str, optional
        Of the target.
    """
    same = scores.get("baseline") == scores.get("dummy")
    colours = {"candidate": "var(--accent)", "baseline": "var(--second)"}
    rows = [
        Row(
            names.get(who, who.removeprefix("family:")),
            metrics[metric].value,
            metrics[metric].low,
            metrics[metric].high,
            colours.get(who, "var(--third)"),
        )
        for who, metrics in _in_order(scores, same)
        if metric in metrics
    ]
    better = "higher" if METRICS[metric].greater_is_better else "lower"
    drawing = forest(
        rows,
        f"{METRICS[metric].full_title} of every model with its interval",
        unit=metric_unit(metric, unit),
        below=f"{wording.percent(confidence)} interval; {better} is better",
        heading=wording.capital(metric_title(metric)),
    )
    entries = [(colours[who], who) for who in colours if metric in scores.get(who, {})]
    if any(row.colour == "var(--third)" for row in rows):
        entries.append(("var(--third)", "others"))
    below = drawing.height + 12
    drawing.height = below + 6
    legend(drawing, below, entries)
    return drawing


def importances_picture(
    metric: str, importances: Mapping[str, float], unit: str | None = None
) -> Drawing:
    """The columns that matter most, by how much the score suffers without them."""
    ranked = sorted(importances.items(), key=lambda item: (-item[1], item[0]))[:MOST_BARS]
    shown_unit = metric_unit(metric, unit)
    texts = [wording.amount(value, shown_unit) for _, value in ranked]
    names, values = 128.0, max(map(text_width, texts)) + 8
    top, step = 30.0, 21.0
    bottom = top + step * len(ranked)
    drawing = Drawing(NARROW, bottom + 24, "Permutation importance of the columns")
    hidden = len(importances) - len(ranked)
    title(drawing, "Importance of columns" + (f" (first {MOST_BARS})" if hidden else ""))
    low, high = min(0.0, *(value for _, value in ranked)), max(value for _, value in ranked)
    span = (low, max(high, low + 1e-12, 0.0) or 1e-12)
    plot = Plot(drawing, span, (0, 1), names, top, NARROW - values, bottom)
    zero = plot.at_x(0)
    for place, ((name, value), text) in enumerate(zip(ranked, texts, strict=True)):
        y, end = top + step * place, plot.at_x(value)
        drawing.text(names - 8, y + 14, clipped(name, names - 8), "end")
        drawing.add(
            "rect",
            x=min(zero, end),
            y=y + 3,
            width=max(abs(end - zero), 0.8),
            height=14,
            rx=2,
            fill="var(--accent)" if value > 0 else "var(--third)",
        )
        drawing.text(NARROW, y + 14, text, "end", faint=True)
        tip = f"{name}: {metric_title(metric)} worse by {text} when it is shuffled"
        drawing.hit(0, y, NARROW, step, tip)
    drawing.line(zero, top, zero, bottom, "var(--line)")
    drawing.text(0, bottom + 18, f"worse {metric_title(metric)} when shuffled", faint=True)
    return drawing


def _in_order(
    scores: Mapping[str, Mapping[str, Estimate]], same: bool
) -> list[tuple[str, Mapping[str, Estimate]]]:
    families = [who for who in scores if who.startswith("family:")]
    order = ["candidate", "baseline", *families, *([] if same else ["dummy"])]
    return [(who, scores[who]) for who in order if who in scores]
