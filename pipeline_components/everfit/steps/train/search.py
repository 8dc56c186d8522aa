"""Compare settings on folds: each encoded once, every setting tried on it, the best of them found.

Families that stop by themselves race: after each fold the better half of the settings goes on,
never fewer than two, so that the work goes into those that may win. The newest fold comes first.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from everfit.contracts.errors import UserError
from everfit.contracts.messages.training import TrainRequest, Trial
from everfit.contracts.spec.metrics import METRICS, metric_title
from everfit.ml.families.fitting import Warned, build, fit
from everfit.ml.families.preparation import Preparation
from everfit.ml.families.resolve import ReadyFamily
from everfit.ml.families.rounds import rounds_for_all
from everfit.ml.model.class_names import class_codes, class_text
from everfit.ml.model.table_encoder import TableEncoder
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.scored import Scored
from everfit.steps.train.folds import Places

log = logging.getLogger(__name__)

LEAST_IN_RACE = 2
"""Settings that are scored on every fold, at least."""

Progress = Callable[[int, int], None]


class Search:
    """Settings of one family, compared on folds.

    Parameters
    ----------
    request : TrainRequest
    family : ReadyFamily
    prepared : Preparation
    settings : list of dict
        Complete parameters.
    """

    def __init__(
        self,
        request: TrainRequest,
        family: ReadyFamily,
        prepared: Preparation,
        settings: list[dict[str, Any]],
    ) -> None:
        self.request = request
        self.family = family
        self.prepared = prepared
        self._candidates = settings
        self.warned: Warned = {}
        self.steps = 1
        self._reasons: list[str] = []

    def run(
        self,
        typed: pd.DataFrame,
        truth: Any,
        values: Any,
        folds: list[tuple[Places, Places]],
        progress: Progress,
        weights: Any = None,
    ) -> tuple[tuple[Trial, ...], int]:
        """Score settings on folds.

        Parameters
        ----------
        typed : DataFrame of n rows
        truth, values : arrays of shape (n,)
            What is scored, and what an estimator is fitted on.
        folds : list of (fit, score)
            Positions; the last has most to learn from.
        progress : callable
            Called with fits done and fits in total, the last fit on all rows among them.
        weights : array of shape (n,), optional
            How much each row counts.

        Returns
        -------
        trials : tuple of Trial
            In the order of the settings.
        best : int
            Which of them won.

        Raises
        ------
        UserError
            If no setting could be fitted and scored on every fold.
        """
        shape = (len(self._candidates), len(folds))
        scores, rounds = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
        tried = np.zeros(shape, dtype=bool)
        self.steps = sum(_in_race(shape[0], done, self._races) for done in range(shape[1])) + 1
        racing = list(range(shape[0]))
        done = 0
        for number in reversed(range(shape[1])) if self._races else range(shape[1]):
            fit, score = folds[number]
            encoder = self.prepared.encoder()
            fit_matrix = encoder.fit_transform(typed.iloc[fit])
            score_matrix = encoder.transform(typed.iloc[score])
            for place in racing:
                tried[place, number] = True
                scores[place, number], rounds[place, number] = self._score(
                    self._candidates[place],
                    encoder,
                    (fit_matrix, values[fit]),
                    (score_matrix, values[score]),
                    truth[score],
                    None if weights is None else (weights[fit], weights[score]),
                )
                done += 1
                progress(done, self.steps)
            del fit_matrix, score_matrix
            if self._races:
                racing = self._still_racing(racing, scores, tried)
        trials = tuple(
            self._trial(setting, *row)
            for setting, *row in zip(self._candidates, scores, rounds, tried, strict=True)
        )
        return trials, self._best(trials, len(folds))

    @property
    def _races(self) -> bool:
        return bool(self.family.stopping)

    def _score(
        self,
        setting: dict[str, Any],
        encoder: TableEncoder,
        learnt: tuple[Any, Any],
        held: tuple[Any, Any],
        truth: Any,
        weights: tuple[Any, Any] | None,
    ) -> tuple[float, int]:
        """The score of a setting on one fold, NaN where it failed, and the rounds it took."""
        request, family = self.request, self.family
        try:
            tried = {**setting, **family.in_search(setting), **family.stopping}
            estimator = build(family, tried, len(learnt[1]), encoder)
            of_learnt, of_held = weights or (None, None)
            rounds = fit(
                estimator,
                *learnt,
                self.warned,
                held if self._races else None,
                weights=of_learnt,
                held_weights=of_held,
            )
            predicted = _predictions(estimator, held[0], request)
            scored = Scored.of(request.task, truth, predicted, _positive(request), of_held)
            if scored.not_finite:
                self._reasons.append(
                    f"{scored.not_finite:,} of {scored.rows:,} predictions are not finite"
                )
            return exact_score(request.metric, scored), rounds
        except UserError:
            raise
        except Exception as error:  # one setting may be impossible; the others go on
            first = (str(error).splitlines() or [""])[0]
            self._reasons.append(f"{type(error).__name__}: {first}")
            log.debug("a trial of %s failed", request.family.name, exc_info=True)
            return math.nan, 0

    def _still_racing(self, racing: list[int], scores: Any, tried: Any) -> list[int]:
        """The better half, in their order; the first of equals is the better one."""
        sign = -METRICS[self.request.metric].sign
        mean = {place: sign * scores[place][tried[place]].mean() for place in racing}
        order = sorted(racing, key=lambda place: (not np.isfinite(mean[place]), mean[place], place))
        return sorted(order[: _in_race(len(racing), 1, True)])

    def _trial(self, setting: dict[str, Any], scores: Any, rounds: Any, tried: Any) -> Trial:
        if self._races and rounds[tried].any():
            found = [int(number) for number in rounds[tried]]
            many = rounds_for_all(found, by_time=self.request.time is not None)
            setting = {**setting, **self.family.for_all_rows(many)}
        scores = scores[tried]
        folds = len(scores)
        if not folds or not np.isfinite(scores).all():
            return Trial(params=setting, score=None, spread=None, folds=folds)
        return Trial(
            params=setting, score=float(scores.mean()), spread=float(scores.std()), folds=folds
        )

    def _best(self, trials: tuple[Trial, ...], folds: int) -> int:
        """The first of the best that was scored on every fold; a fixed order decides ties."""
        request = self.request
        sign = -METRICS[request.metric].sign
        scored = [
            (sign * t.score, n)
            for n, t in enumerate(trials)
            if t.score is not None and t.folds == folds and math.isfinite(t.score)
        ]
        if scored:
            return min(scored)[1]
        if not folds:
            lacking = "rows" if request.classes is None else "rows of every class"
            found = f"no fold has {lacking} to fit on"
            todo = "Widen the window, or lower train.folds"
        else:
            found = (
                self._reasons[0]
                if self._reasons
                else f"{metric_title(request.metric)} is undefined on every fold"
            )
            todo = "Correct the family's params or search, or widen the window"
        raise UserError(
            "TRAIN-FAILED",
            f"family {request.family.name}",
            "at least one setting must fit and score on every fold",
            found[:200],
            todo,
        )


def _in_race(settings: int, folds_done: int, races: bool) -> int:
    """Settings still in the race after so many folds."""
    for _ in range(folds_done if races else 0):
        settings = max(min(settings, LEAST_IN_RACE), math.ceil(settings / 2))
    return settings


def _predictions(estimator: Any, matrix: Any, request: TrainRequest) -> Any:
    if request.classes is None:
        return np.asarray(estimator.predict(matrix), dtype=np.float64)
    given = np.asarray(estimator.predict_proba(matrix), dtype=np.float64)
    scores = np.zeros((len(given), len(request.classes)))
    scores[:, class_codes(estimator.classes_, request.classes)] = given
    return scores


def _positive(request: TrainRequest) -> int:
    if request.classes is None or request.positive is None:
        return 1
    return request.classes.index(class_text(request.positive))
