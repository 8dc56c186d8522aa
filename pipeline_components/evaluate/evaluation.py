"""One evaluation at work: the holdout, and models loaded one after the other."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from pipeline_components.context import Context
from pipeline_components.contracts.artifacts import Artifact
from pipeline_components.contracts.evidence import Disturbed
from pipeline_components.contracts.metrics import METRICS
from pipeline_components.contracts.requests import EvaluateRequest
from pipeline_components.model import load_model
from pipeline_components.scoring.answers import (
    answers,
    champion_answers,
    codes,
    dummy_answers,
    positive_class,
)
from pipeline_components.scoring.metric_sums import exact_score
from pipeline_components.scoring.resampling import Floats
from pipeline_components.scoring.scored import Scored
from pipeline_components.table.frames import ROW, read_table

from . import tables
from .disturbed import NOISE_ROWS, disturbed
from .importances import permutation_importances, rows_for, sample_rows
from .judge import best

SAMPLE_ROWS = 200
"""Raw rows the gate predicts again in a clean process."""


class Evaluation:
    """Answers of every model to one holdout.

    Attributes
    ----------
    frame : DataFrame
        The holdout in the table's order.
    scored : dict
        ``candidate``, ``dummy``, ``family:<name>`` and, where it could be scored, ``baseline``.
    troubles : list of str
        Why the champion could not be scored.
    """

    def __init__(self, request: EvaluateRequest, context: Context) -> None:
        self.request, self._context = request, context
        self._path = context.store.local(request.holdout.digest, context.scratch)
        self.frame = read_table(self._path)
        self.digests = self.frame[ROW].to_numpy(np.uint64)
        self.candidate = best(request.models, request.metric)
        champion = request.champion
        self.baseline = request.baseline if champion is None else f"champion v{champion.version}"
        self.scored: dict[str, Scored] = {}
        self.troubles: list[str] = []

    @property
    def features(self) -> list[str]:
        """Names of the columns a model is shown."""
        return [column.name for column in self.request.columns if column.role == "feature"]

    @cached_property
    def model(self) -> Any:
        """The candidate's model."""
        return self._load(self.candidate.model)

    @cached_property
    def positive(self) -> int:
        """Binary: position of the class whose probability is scored."""
        if self.request.task != "binary" or self.request.classes is None:
            return 0
        return positive_class(self.request.positive, self.request.classes)

    @cached_property
    def train(self) -> Any:
        """Target and time of the training table."""
        names = [self.request.target, *([self.request.time] if self.request.time else [])]
        path = self._context.store.local(self.request.train.digest, self._context.scratch)
        return read_table(path, list(dict.fromkeys(names)))

    def score(self) -> None:
        """Ask every model and the dummy for their answers."""
        request = self.request
        raw = self.frame[self.features]
        others = [model for model in request.models if model is not self.candidate]
        total = len(others) + 2
        self._add("candidate", answers(self.model, raw, request.task, request.classes))
        self._context.progress.update("scoring models", 1, total)
        for done, other in enumerate(others, 2):
            model = self._load(other.model)
            self._add(f"family:{other.family}", answers(model, raw, request.task, request.classes))
            self._context.progress.update("scoring models", done, total)
        self._add(
            "dummy",
            dummy_answers(
                request.baseline, self._truth(self.train), len(self.frame), request.classes
            ),
        )
        self._score_baseline()
        self._context.progress.update("scoring models", total, total)

    def servability_sample(self) -> tuple[bytes, bytes, list[str]]:
        """Raw rows as Parquet, the candidate's predictions of just these as JSON, what is strange.

        The predictions are made from the very bytes a server would read.
        """
        chosen = sample_rows(self.digests, SAMPLE_ROWS)
        sample = tables.raw_rows(self._path, self.features, chosen)
        path = self._context.scratch / "sample.parquet"
        path.write_bytes(sample)
        rows = read_table(path)
        if not len(rows):
            return sample, tables.predictions_json(np.zeros(0)), []
        from pipeline_components.model import predict_scores

        scores = np.asarray(predict_scores(self.model, rows, self.request.task))
        strange = [] if np.isfinite(scores).all() else ["candidate.predictions of the sample"]
        return sample, tables.predictions_json(scores), strange

    def importances(self) -> tuple[dict[str, float], list[str]]:
        """Permutation importance of each feature, and the features it is not finite for.

        Empty, and nobody's fault, where the few rows looked at leave the metric undefined.
        """
        request = self.request
        chosen = sample_rows(self.digests, rows_for(len(self.features), len(self.frame)))
        part = self.scored["candidate"].part(chosen)
        if part.strange:
            return {}, ["importances"]
        if not np.isfinite(exact_score(request.metric, part)):
            return {}, []
        small = self.frame[self.features].iloc[chosen].reset_index(drop=True)
        truth = self._truth(self.frame)[chosen]
        found = permutation_importances(
            small,
            self.features,
            lambda frame: answers(self.model, frame, request.task, request.classes),
            lambda scores: exact_score(
                request.metric, Scored.of(request.task, truth, scores, self.positive)
            ),
            greater_is_better=METRICS[request.metric].greater_is_better,
            seed=request.seed,
        )
        finite = {name: value for name, value in found.items() if np.isfinite(value)}
        return finite, [f"importances.{name}" for name in found if name not in finite]

    def disturbed(self, importances: dict[str, float]) -> tuple[Disturbed, ...]:
        """The candidate on a sample of the holdout with its inputs disturbed."""
        request = self.request
        if self.scored["candidate"].strange:
            return ()
        chosen = np.argsort(self.digests, kind="stable")[:NOISE_ROWS]  # by chance, whatever is in
        truth = self._truth(self.frame)[chosen]
        return disturbed(
            self.frame[self.features].iloc[chosen].reset_index(drop=True),
            [column for column in request.columns if column.role == "feature"],
            lambda frame: answers(self.model, frame, request.task, request.classes),
            lambda scores, rows: exact_score(
                request.metric,
                Scored.of(request.task, truth[:rows], scores[:rows], self.positive),
            ),
            importances=importances,
            noise=request.stability.noise,
            greater_is_better=METRICS[request.metric].greater_is_better,
            seed=request.seed,
        )

    def facts(self) -> dict[str, Any]:
        """Counts and time ranges for the model card."""
        found: dict[str, Any] = {"rows_train": len(self.train), "rows_holdout": len(self.frame)}
        if self.request.time:
            for side, frame in (("train", self.train), ("holdout", self.frame)):
                times = frame[self.request.time].dropna()
                if len(times):
                    found[f"from_{side}"] = str(times.min())
                    found[f"to_{side}"] = str(times.max())
        return found

    def _score_baseline(self) -> None:
        champion, request = self.request.champion, self.request
        if champion is None:
            self.scored["baseline"] = self.scored["dummy"]
            return
        seen = self.frame.drop(columns=[request.target, ROW])
        given, trouble = champion_answers(
            lambda: self._load(champion.model), seen, request.task, request.classes
        )
        if given is None:
            self.troubles.append(f"baseline: {self.baseline} cannot be scored: {trouble}")
        else:
            self._add("baseline", given)

    def _add(self, who: str, scores: Floats) -> None:
        self.scored[who] = Scored.of(
            self.request.task, self._truth(self.frame), scores, self.positive
        )

    def _truth(self, frame: Any) -> Any:
        values = frame[self.request.target]
        if self.request.classes is None:
            return values.to_numpy(np.float64)
        return codes(values, self.request.classes)

    def _load(self, artifact: Artifact) -> Any:
        return load_model(
            self._context.store, artifact, self._context.scratch, self.request.trusted
        )
