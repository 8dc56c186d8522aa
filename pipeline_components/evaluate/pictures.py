"""Which pictures a task gets, and the two that every task has."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import EvaluateRequest
from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.report.figure import (
    BASELINE,
    CANDIDATE,
    LINE,
    QUIET,
    canvas,
    house_style,
    svg,
)
from pipeline_components.scoring.scored import Scored

from .judge import Judged
from .pictures_classes import calibration, confusion, curves
from .pictures_regression import predicted_and_residuals

MOST_BARS = 15
MOST_LETTERS = 32


def pictures(
    request: EvaluateRequest,
    scored: Mapping[str, Scored],
    judged: Judged,
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
    judged : Judged
    importances : mapping
        column → permutation importance.
    family, baseline_name : str
        Of the candidate; ``champion v3`` or the dummy's name.

    Returns
    -------
    dict
        File name → SVG. Left out: what cannot be drawn of answers that are not finite.
    """
    drawn: dict[str, bytes] = {}
    candidate = scored["candidate"]
    baseline = scored.get("baseline")
    if baseline is not None and baseline.strange:
        baseline = None
    with house_style():
        if any(request.metric in metrics for metrics in judged.scores.values()):
            names = {
                "candidate": f"{family} (candidate)",
                "baseline": f"{baseline_name} (baseline)",
            }
            drawn["scores.svg"] = scores_picture(
                request.metric, judged.scores, request.confidence, names
            )
        if candidate.rows and not candidate.strange:
            if request.task == "regression":
                drawn["residuals.svg"] = predicted_and_residuals(candidate, request.target)
            elif request.task == "binary":
                name = (request.classes or ("0", "1"))[candidate.positive]
                drawn["curves.svg"] = curves(candidate, baseline)
                drawn["calibration.svg"] = calibration(candidate, baseline, name)
            else:
                drawn["confusion.svg"] = confusion(candidate, baseline, request.classes or ())
        if importances:
            drawn["importances.svg"] = importances_picture(request.metric, importances)
    return drawn


def scores_picture(
    metric: str,
    scores: Mapping[str, Mapping[str, Estimate]],
    confidence: float,
    names: Mapping[str, str],
) -> bytes:
    """Everybody's score with its interval, on one scale."""
    same = scores.get("baseline") == scores.get("dummy")
    rows = [(who, metrics[metric]) for who, metrics in _in_order(scores, same) if metric in metrics]
    figure, (axes,) = canvas(1, 6.4, 0.9 + 0.38 * len(rows))
    for place, (who, found) in enumerate(rows):
        colour = {"candidate": CANDIDATE, "baseline": BASELINE}.get(who, QUIET)
        y = len(rows) - 1 - place
        axes.plot([found.low, found.high], [y, y], color=colour, solid_capstyle="round",
                  linewidth=3.2, alpha=0.45)  # fmt: skip
        axes.plot([found.value], [y], "o", color=colour, markersize=6.5)
        axes.annotate(
            f"{found.value:.4g}", (found.value, y), (0, 6), textcoords="offset points",
            ha="center", va="bottom", fontsize=8, color=colour,
        )  # fmt: skip
    labels = [shortened(names.get(who, who.removeprefix("family:"))) for who, _ in rows]
    axes.set_yticks(range(len(rows) - 1, -1, -1), labels)
    axes.set_ylim(-0.6, len(rows) - 0.35)
    axes.margins(x=0.08)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    better = "more is better" if METRICS[metric].greater_is_better else "less is better"
    axes.set_xlabel(f"{metric}, {100 * confidence:.4g} % interval ({better})")
    axes.set_title(_capital(METRICS[metric].title))
    return svg(figure, f"{METRICS[metric].title} of every model with its interval")


def importances_picture(metric: str, importances: Mapping[str, float]) -> bytes:
    """The columns that matter most, by how much the score suffers without them."""
    ranked = sorted(importances.items(), key=lambda item: (-item[1], item[0]))[:MOST_BARS]
    figure, (axes,) = canvas(1, 6.4, 0.95 + 0.26 * len(ranked))
    places = range(len(ranked) - 1, -1, -1)
    values = [value for _, value in ranked]
    colours = [CANDIDATE if value > 0 else LINE for value in values]
    axes.barh(list(places), values, color=colours, height=0.66)
    axes.set_yticks(list(places), [shortened(name) for name, _ in ranked])
    widest = max(map(abs, values)) or 1.0
    for place, value in zip(places, values, strict=True):
        axes.annotate(
            f"{value:.3g}", (max(value, 0), place), (4, 0), textcoords="offset points",
            va="center", fontsize=8, color=QUIET,
        )  # fmt: skip
    axes.set_xlim(min(0.0, *values) - 0.01 * widest, widest * 1.14)
    axes.set_ylim(-0.6, len(ranked) - 0.4)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"loss of {metric} when the column is shuffled")
    hidden = len(importances) - len(ranked)
    axes.set_title("What the candidate looks at" + (f" (first {MOST_BARS})" if hidden else ""))
    return svg(figure, "Permutation importance of the columns")


def shortened(name: str) -> str:
    """A name that leaves room for the picture; a dollar sign would start a formula."""
    name = name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
    return name.replace("$", r"\$")


def _in_order(
    scores: Mapping[str, Mapping[str, Estimate]], same: bool
) -> list[tuple[str, Mapping[str, Estimate]]]:
    families = [who for who in scores if who.startswith("family:")]
    order = ["candidate", "baseline", *families, *([] if same else ["dummy"])]
    return [(who, scores[who]) for who in order if who in scores]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
