"""What the champion scored when it was judged, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.entity_digests import read_keys
from everfit.data.tables.frames import PIECE, ROW, read_table, read_weights
from everfit.data.tables.row_digests import Hashes
from everfit.engine.context import Context
from everfit.ml.scoring.resampling import Design, Floats, effective, resample, totals
from everfit.ml.scoring.scored import by_mean_loss
from everfit.steps.monitor.read_rows import Trained


@dataclass(frozen=True)
class ReferenceScore:
    """The champion on its own holdout.

    Attributes
    ----------
    scores : dict
        metric → score; empty for a champion of an older Everfit.
    losses : (m,) array or None
        Row losses of one metric, in the holdout's order.
    ordered : bool
        Whether that is the order of time.
    divisible : bool
        Whether the rows may be drawn apart: false where the spec declares an entity, which the
        losses do not name.
    seed : int
    weight : (m,) array or None
        How much each row of the holdout counts; None: all the same.
    """

    scores: dict[str, float]
    losses: Floats | None
    ordered: bool
    divisible: bool
    seed: int
    weight: Floats | None = None

    def replicates(self, metric: str, spread: Floats, rows: float) -> tuple[Floats, str]:
        """Scores of resampled holdouts, and a phrase that says how they were made.

        Parameters
        ----------
        metric : str
            One of ``scores``.
        spread : (R,) array
            The metric on resamples of a span; its spread stands in where the row losses of this
            metric are not known.
        rows : float
            Rows of that span; as many of equal weight as they are worth.
        """
        score = self.scores[metric]
        exact = self._from_losses(metric, score, len(spread))
        if exact is not None:
            return exact, "the reference by its own row losses"
        if self.losses is None:
            return np.full(len(spread), score), "the reference taken as exact"
        judged = len(self.losses) if self.weight is None else float(effective(self.weight))
        narrower = np.sqrt(rows / max(judged, 1))
        shuffled = np.random.default_rng([self.seed, 3]).permutation(spread)
        centre = np.nanmean(spread) if np.isfinite(spread).any() else 0.0
        return score + (shuffled - centre) * narrower, "the reference's spread by the span's"

    def _from_losses(self, metric: str, score: float, draws: int) -> Floats | None:
        formula = by_mean_loss(metric)
        if formula is None or self.losses is None or not len(self.losses) or not self.divisible:
            return None
        weight = np.ones(len(self.losses)) if self.weight is None else self.weight
        if not weight.any():
            return None
        mean = np.asarray(np.average(self.losses, weights=self.weight))
        # The losses are of the metric the champion was judged by: only that one comes out right.
        if not np.isclose(float(formula(mean)), score, rtol=1e-6, atol=1e-12):
            return None
        design = Design(len(self.losses), self.ordered, None, self.seed + 1).chosen(None)
        resampling = resample(design, 0.9)
        sums = [
            totals(column, resampling.unit, resampling.units)
            for column in (weight, weight * self.losses)
        ]
        drawn = resampling.counts[:draws] @ np.column_stack(sums)
        with np.errstate(all="ignore"):
            return np.asarray(formula(drawn[:, 1] / drawn[:, 0]))


def reference_score(spec: PipelineSpec, champion: ChampionRef, context: Context) -> ReferenceScore:
    """What the champion's record says."""
    losses = weight = None
    if champion.losses is not None:
        path = context.store.local(champion.losses.digest, context.scratch)
        losses = read_table(path, ["candidate"])["candidate"].to_numpy(np.float64)
        weight = read_weights(path)
        if not np.isfinite(losses).all():
            losses = None
    return ReferenceScore(
        scores=dict(champion.scores),
        losses=losses,
        ordered=spec.time is not None,
        divisible=not spec.entity,
        seed=spec.train.seed,
        weight=weight,
    )


def judged_rows(champion: ChampionRef, context: Context) -> Hashes | None:
    """Digests of the rows the champion was judged on, where they are recorded."""
    if champion.losses is None:
        return None
    path = context.store.local(champion.losses.digest, context.scratch)
    return read_table(path, [ROW])[ROW].to_numpy(np.uint64)


def trained_rows(champion: ChampionRef, spec: PipelineSpec, context: Context) -> Trained:
    """The rows the champion was trained on."""
    path = context.store.local(champion.train.digest, context.scratch)
    table = read_table(path, [ROW, PIECE])
    names = pq.read_schema(path).names
    return Trained(
        table[ROW].to_numpy(np.uint64),
        table[PIECE].to_numpy(np.int64),
        read_keys(path, spec.key) if set(spec.key) <= set(names) else None,
    )
