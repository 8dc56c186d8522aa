"""The primary metric on named subsets of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline_components.contracts.evidence import SliceScore
from pipeline_components.contracts.gate_spec import SliceSpec
from pipeline_components.contracts.verdicts import Estimate
from pipeline_components.scoring.resampling import Design, resample
from pipeline_components.scoring.scored import Scored
from pipeline_components.table.evaluate_expression import is_true

from .estimates import estimate

if TYPE_CHECKING:
    import pandas as pd


def slice_scores(
    slices: Sequence[SliceSpec],
    frame: pd.DataFrame,
    scored: Mapping[str, Scored],
    *,
    metric: str,
    design: Design,
    confidence: float,
) -> tuple[tuple[SliceScore, ...], list[str]]:
    """Score candidate and baseline on each slice.

    Parameters
    ----------
    slices : sequence of SliceSpec
    frame : (n, ...) DataFrame
        Raw holdout rows with every column the slices read.
    scored : mapping
        ``candidate`` and, where it could be scored, ``baseline``.
    metric : str
        The primary one.
    design : Design
        Of the whole holdout; each slice is dealt into units of its own.
    confidence : float

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
        rows = int(mask.sum())
        scores: dict[str, Estimate | None] = {"candidate": None, "baseline": None}
        if rows >= spec.min_rows:
            resampling = resample(design.part(mask), confidence)
            for who in scores.keys() & scored.keys():
                estimates = estimate(scored[who].part(mask), resampling, confidence, metric)
                scores[who] = estimates.estimates.get(metric)
                if not estimates.undefined:
                    bad += [f"{who}.{what} on slice {spec.name}" for what in estimates.not_finite]
        found.append(SliceScore(name=spec.name, rows=rows, **scores))
    return tuple(found), sorted(bad)
