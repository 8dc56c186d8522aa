"""The primary metric on named subsets of rows, and whether the candidate is worse on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from everfit.contracts.messages.evidence import SliceScore
from everfit.contracts.messages.verdicts import Estimate
from everfit.contracts.spec.gate import SliceSpec
from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import metric_title
from everfit.data.tables.evaluate_expression import is_true
from everfit.ml.scoring.one_sided import p_below_zero
from everfit.ml.scoring.resampling import Design, Resampling, effective, resample
from everfit.ml.scoring.scored import Scored
from everfit.ml.scoring.tails import FEWEST_UNITS
from everfit.steps.evaluate.estimates import (
    Estimates,
    compare,
    estimate,
    heavy_of_gain,
    parts_of_gain,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SliceRules:
    """How slices are judged, the same for all of them.

    Attributes
    ----------
    metric : str
        The primary one.
    design : Design
        Of the whole holdout; each slice is dealt into units of its own.
    confidence : float
    allowed : Margin
        How much worse the candidate may be on a slice, of the baseline's score there.
    """

    metric: str
    design: Design
    confidence: float
    allowed: Margin


@dataclass(frozen=True)
class Slice:
    """Some rows of the holdout.

    Attributes
    ----------
    name, where : str
    mask : (n,) bool array
    min_rows : int
        Fewer are not assessed.
    kind : {"declared", "found"}
    """

    name: str
    where: str
    mask: Any
    min_rows: int
    kind: Literal["declared", "found"] = "declared"


def slice_scores(
    slices: Sequence[SliceSpec],
    frame: pd.DataFrame,
    scored: Mapping[str, Scored],
    rules: SliceRules,
) -> tuple[tuple[SliceScore, ...], list[str]]:
    """Score candidate and baseline on each declared slice.

    Parameters
    ----------
    slices : sequence of SliceSpec
    frame : (n, ...) DataFrame
        Raw holdout rows with every column the slices read.
    scored : mapping
        ``candidate`` and, where it could be scored, ``baseline``.
    rules : SliceRules

    Returns
    -------
    slices : tuple of SliceScore
        Scores are None with fewer than ``min_rows`` rows, or where the metric is undefined on
        such rows for any model.
    not_finite : list of str
        What a model, not the rows, is to blame for.
    """
    found, bad = [], []
    for spec in slices:
        mask = is_true(spec.where, frame)
        one, strange = score_slice(Slice(spec.name, spec.where, mask, spec.min_rows), scored, rules)
        found.append(one)
        bad += strange
    return tuple(found), sorted(bad)


def score_slice(
    part: Slice, scored: Mapping[str, Scored], rules: SliceRules
) -> tuple[SliceScore, list[str]]:
    """Score both models on one slice, and test whether the candidate is worse than allowed.

    Parameters
    ----------
    part : Slice
    scored : mapping
        ``candidate`` and, where it could be scored, ``baseline``: on the whole holdout.
    rules : SliceRules

    Returns
    -------
    score : SliceScore
        Scores are None where the slice is not assessed; ``why`` says why.
    not_finite : list of str
        Scores that are not finite through a model's fault.
    """
    rows = int(part.mask.sum())
    design = rules.design.part(part.mask)
    worth = rows if design.weight is None else int(effective(design.weight))
    known = {"name": part.name, "where": part.where, "kind": part.kind, "rows": rows}

    if worth < part.min_rows:
        few = f"{rows:,} row{'s are' if rows != 1 else ' is'} too few"
        if worth < rows:
            few = f"its {rows:,} weighted rows are worth {worth:,} of equal weight"
        return SliceScore.model_validate(
            {
                **known,
                "candidate": None,
                "baseline": None,
                "why": f"{few}, {part.min_rows:,} are needed",
            }
        ), []
    resampling = resample(design, rules.confidence)
    done, bad = {}, []
    for who in ("candidate", "baseline"):
        if who in scored:
            model = scored[who].part(part.mask)
            done[who] = estimate(model, resampling, rules.confidence, rules.metric)
            if not done[who].undefined:
                bad += [f"{who}.{what} on slice {part.name}" for what in done[who].not_finite]
    both: dict[str, Estimate | None] = {"candidate": None, "baseline": None}
    both |= {who: found.estimates.get(rules.metric) for who, found in done.items()}
    why = ""
    if "baseline" not in done:
        why = "the baseline could not be scored"
    elif None in both.values():
        why = (
            f"{metric_title(rules.metric)} is {'not finite' if bad else 'undefined'} on these rows"
        )
    elif resampling.worth < FEWEST_UNITS:
        kind = rules.design.kind or "rows"
        why = (
            f"its {rows:,} rows are only {int(resampling.worth):,} independent {kind}, "
            f"{FEWEST_UNITS} are needed"
        )
    tested = {} if why else _gain(done, resampling, rules)
    if not why and not tested:
        why = f"{metric_title(rules.metric)} is undefined where a part of these rows is left out"
    return SliceScore.model_validate({**known, **both, **tested, "why": why}), bad


def _gain(
    done: Mapping[str, Estimates], resampling: Resampling, rules: SliceRules
) -> dict[str, Any]:
    """The paired gain, what is allowed, and the p-value; empty where one of them is undefined."""
    found = compare(
        done["candidate"],
        done["baseline"],
        resampling,
        metric=rules.metric,
        baseline_name="",
        confidence=rules.confidence,
        intention="not_worse_than",
        margin=rules.allowed,
    )
    if found is None:
        return {}
    parts = parts_of_gain(
        done["candidate"], done["baseline"], rules.metric, "not_worse_than", rules.allowed
    )
    heavy = heavy_of_gain(
        done["candidate"],
        done["baseline"],
        resampling,
        rules.metric,
        "not_worse_than",
        rules.allowed,
    )
    p_value = p_below_zero(
        found.gain.value + found.margin,
        parts,
        resampling.in_time,
        weight=resampling.weight,
        best=heavy.best,
    )
    if p_value is None:
        return {}
    return {"gain": found.gain, "allowed": found.margin, "p_value": p_value}
