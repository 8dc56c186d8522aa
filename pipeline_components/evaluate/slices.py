"""The primary metric on named subsets of rows, and whether the candidate is worse on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline_components.contracts.evidence import SliceScore
from pipeline_components.contracts.gate_spec import SliceSpec
from pipeline_components.contracts.margins import Margin
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.scoring.one_sided import p_below_zero
from pipeline_components.scoring.resampling import Design, Resampling, resample
from pipeline_components.scoring.scored import Scored
from pipeline_components.scoring.tails import FEWEST_UNITS
from pipeline_components.table.evaluate_expression import is_true

from .estimates import Estimates, compare, estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Asked:
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
    slices: Sequence[SliceSpec], frame: pd.DataFrame, scored: Mapping[str, Scored], asked: Asked
) -> tuple[tuple[SliceScore, ...], list[str]]:
    """Score candidate and baseline on each declared slice.

    Parameters
    ----------
    slices : sequence of SliceSpec
    frame : (n, ...) DataFrame
        Raw holdout rows with every column the slices read.
    scored : mapping
        ``candidate`` and, where it could be scored, ``baseline``.
    asked : Asked

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
        one, strange = score(Slice(spec.name, spec.where, mask, spec.min_rows), scored, asked)
        found.append(one)
        bad += strange
    return tuple(found), sorted(bad)


def score(part: Slice, scored: Mapping[str, Scored], asked: Asked) -> tuple[SliceScore, list[str]]:
    """Score both models on one slice, and ask whether the candidate is worse than allowed."""
    rows = int(part.mask.sum())
    known = {"name": part.name, "where": part.where, "kind": part.kind, "rows": rows}

    if rows < part.min_rows:
        few = f"{rows:,} row{'s are' if rows != 1 else ' is'} too few"
        return SliceScore.model_validate(
            {**known, "candidate": None, "baseline": None,
             "why": f"{few}, {part.min_rows:,} are needed"}
        ), []  # fmt: skip
    resampling = resample(asked.design.part(part.mask), asked.confidence)
    done, bad = {}, []
    for who in ("candidate", "baseline"):
        if who in scored:
            model = scored[who].part(part.mask)
            done[who] = estimate(model, resampling, asked.confidence, asked.metric)
            if not done[who].undefined:
                bad += [f"{who}.{what} on slice {part.name}" for what in done[who].not_finite]
    both: dict[str, Estimate | None] = {"candidate": None, "baseline": None}
    both |= {who: found.estimates.get(asked.metric) for who, found in done.items()}
    why = ""
    if "baseline" not in done:
        why = "the baseline could not be scored"
    elif None in both.values():
        why = f"{asked.metric} is {'not finite' if bad else 'undefined'} on these rows"
    elif resampling.units < FEWEST_UNITS:
        kind = asked.design.kind or "rows"
        why = (
            f"its {rows:,} rows are only {resampling.units:,} independent {kind}, "
            f"{FEWEST_UNITS} are needed"
        )
    tested = {} if why else _gain(done, resampling, asked)
    if not why and not tested:
        why = f"{asked.metric} is undefined where a part of these rows is left out"
    return SliceScore.model_validate({**known, **both, **tested, "why": why}), bad


def _gain(done: Mapping[str, Estimates], resampling: Resampling, asked: Asked) -> dict[str, Any]:
    """The paired gain, what is allowed, and the p-value; empty where one of them is undefined."""
    found = compare(
        done["candidate"],
        done["baseline"],
        resampling,
        metric=asked.metric,
        baseline_name="",
        confidence=asked.confidence,
        intention="not_worse_than",
        margin=asked.allowed,
    )
    if found is None:
        return {}
    ours, theirs = (done[who].parts(asked.metric) for who in ("candidate", "baseline"))
    parts = (ours - theirs) * (1.0 if METRICS[asked.metric].greater_is_better else -1.0)
    if asked.allowed.relative:
        # a share of a score that is itself uncertain: both are tested together
        parts = parts + asked.allowed.value * np.sign(found.baseline_score) * theirs
    p_value = p_below_zero(found.gain.value + found.margin, parts, resampling.in_time)
    if p_value is None:
        return {}
    return {"gain": found.gain, "allowed": found.margin, "p_value": p_value}
