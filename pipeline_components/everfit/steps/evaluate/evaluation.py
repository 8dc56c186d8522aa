"""One evaluation at work: the holdout, and models loaded one after the other."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.evidence import Disturbed, Explanation
from everfit.contracts.messages.requests import EvaluateRequest
from everfit.contracts.spec.metrics import METRICS
from everfit.data.tables.frames import RESERVED, ROW, WEIGHT, read_table, read_weights
from everfit.data.tables.row_digests import numbered
from everfit.engine.context import Context
from everfit.ml.model import load_model
from everfit.ml.scoring.metric_sums import exact_score
from everfit.ml.scoring.predictions import (
    champion_predictions,
    codes,
    dummy_predictions,
    positive_class,
    predictions,
    predictions_json,
)
from everfit.ml.scoring.resampling import Floats
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate import explained, output_files
from everfit.steps.evaluate.disturbed import NOISE_ROWS, disturbed
from everfit.steps.evaluate.importances import (
    Importances,
    Shuffler,
    permutation_importances,
    rows_for,
    sample_rows,
)
from everfit.steps.evaluate.score_models import best

SAMPLE_ROWS = 200
"""Raw rows the gate predicts again in a clean process."""
WINDOW_ROWS = 10_000
"""Rows of the window that show how bad a row may be; see ``scoring.unseen``."""


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
        table = read_table(self._path)
        self.digests = table[ROW].to_numpy(np.uint64)
        self.weight = table[WEIGHT].to_numpy(np.float64) if WEIGHT in table else None
        self.frame = table.drop(columns=[name for name in RESERVED if name in table])
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
        """Predict with every model and with the dummy."""
        request = self.request
        raw = self.frame[self.features]
        others = [model for model in request.models if model is not self.candidate]
        total = len(others) + 2
        self._add("candidate", predictions(self.model, raw, request.task, request.classes))
        self._context.progress.update("scoring models", 1, total)
        for done, other in enumerate(others, 2):
            model = self._load(other.model)
            self._add(
                f"family:{other.family}", predictions(model, raw, request.task, request.classes)
            )
            self._context.progress.update("scoring models", done, total)
        self._add(
            "dummy",
            dummy_predictions(
                request.baseline,
                self._truth(self.train),
                len(self.frame),
                request.classes,
                self._train_weights(),
            ),
        )
        self._score_baseline()
        self._context.progress.update("scoring models", total, total)

    def known(self) -> dict[str, Scored]:
        """Candidate and champion on the holdout and on a sample of the window.

        Empty without a champion, or where a model could not be scored on one of them.
        """
        request, scored, champion = self.request, self.scored, self.request.champion
        if champion is None or "baseline" not in scored or not len(self.frame):
            return {}
        path = self._context.store.local(request.train.digest, self._context.scratch)
        digests = read_table(path, [ROW])[ROW].to_numpy(np.uint64)
        chosen = sample_rows(numbered(digests), WINDOW_ROWS)
        weighed = [] if self.weight is None else [WEIGHT]
        columns = list(dict.fromkeys([*self.features, request.target, *weighed]))
        sample = self._context.scratch / "window_sample.parquet"
        sample.write_bytes(output_files.raw_rows(path, columns, chosen))
        rows = read_table(sample)
        given: dict[str, Floats | None] = {
            "candidate": predictions(self.model, rows[self.features], request.task, request.classes)
        }
        given["baseline"], _ = champion_predictions(
            lambda: self._load(champion.model),
            rows.drop(columns=[request.target, *weighed]),
            request.task,
            request.classes,
        )
        truth = self._truth(rows)
        found: dict[str, Scored] = {}
        for who, scores in given.items():
            if scores is None:
                return {}
            weight = rows[WEIGHT].to_numpy(np.float64) if weighed else None
            found[who] = scored[who].joined_by(truth, scores, weight)
        return found

    def servability_sample(self) -> tuple[bytes, bytes, list[str]]:
        """Raw rows as Parquet, the candidate's predictions of just these as JSON, what is strange.

        The predictions are made from the very bytes a server would read.
        """
        chosen = sample_rows(numbered(self.digests), SAMPLE_ROWS)
        sample = output_files.raw_rows(self._path, self.features, chosen)
        path = self._context.scratch / "sample.parquet"
        path.write_bytes(sample)
        rows = read_table(path)
        if not len(rows):
            return sample, predictions_json(np.zeros(0)), []
        from everfit.ml.model import predict_scores

        scores = np.asarray(predict_scores(self.model, rows, self.request.task))
        strange = [] if np.isfinite(scores).all() else ["candidate.predictions of the sample"]
        return sample, predictions_json(scores), strange

    def importances(self) -> tuple[Importances, list[str]]:
        """Permutation importance of each feature, and the features it is not finite for.

        Empty, and nobody's fault, where the few rows looked at leave the metric undefined.
        """
        request = self.request
        chosen = sample_rows(numbered(self.digests), rows_for(len(self.features), len(self.frame)))
        part = self.scored["candidate"].part(chosen)
        if part.not_finite:
            return Importances({}), ["importances"]
        if not np.isfinite(exact_score(request.metric, part)):
            return Importances({}), []
        small = self.frame[self.features].iloc[chosen].reset_index(drop=True)
        truth, weight = self._truth(self.frame)[chosen], part.weight
        shuffler = Shuffler(
            small,
            lambda frame: predictions(self.model, frame, request.task, request.classes),
            lambda scores: exact_score(
                request.metric, Scored.of(request.task, truth, scores, self.positive, weight)
            ),
            greater_is_better=METRICS[request.metric].greater_is_better,
            seed=request.seed,
        )
        return permutation_importances(shuffler).finite()

    def disturbed(self, importances: dict[str, float]) -> tuple[Disturbed, ...]:
        """The candidate on a sample of the holdout with its inputs disturbed."""
        request = self.request
        if self.scored["candidate"].not_finite:
            return ()
        # By chance, whatever is in the rows, and repeats among them as often as they are.
        chosen = np.argsort(numbered(self.digests), kind="stable")[:NOISE_ROWS]
        truth = self._truth(self.frame)[chosen]
        weight = None if self.weight is None else self.weight[chosen]
        return disturbed(
            self.frame[self.features].iloc[chosen].reset_index(drop=True),
            [column for column in request.columns if column.role == "feature"],
            lambda frame: predictions(self.model, frame, request.task, request.classes),
            lambda scores, rows: exact_score(
                request.metric,
                Scored.of(
                    request.task,
                    truth[:rows],
                    scores[:rows],
                    self.positive,
                    None if weight is None else weight[:rows],
                ),
            ),
            importances=importances,
            noise=request.stability.noise,
            greater_is_better=METRICS[request.metric].greater_is_better,
            seed=request.seed,
        )

    def explained(self, importances: dict[str, float]) -> Explanation | None:
        """What the models, one column and two columns explain of the target."""
        rows = explained.rows_for(len(self.features))
        chosen = np.argsort(numbered(self.digests), kind="stable")[:rows]
        scored = dict(self.scored)
        if self.request.champion is None:
            scored.pop("baseline", None)
        return explained.explained(self.frame, scored, self.features, importances, chosen)

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
        seen = self.frame.drop(columns=[request.target])
        given, trouble = champion_predictions(
            lambda: self._load(champion.model), seen, request.task, request.classes
        )
        if given is None:
            self.troubles.append(f"baseline: {self.baseline} cannot be scored: {trouble}")
        else:
            self._add("baseline", given)

    def _add(self, who: str, scores: Floats) -> None:
        self.scored[who] = Scored.of(
            self.request.task, self._truth(self.frame), scores, self.positive, self.weight
        )

    def _train_weights(self) -> Any:
        path = self._context.store.local(self.request.train.digest, self._context.scratch)
        return read_weights(path)

    def _truth(self, frame: Any) -> Any:
        values = frame[self.request.target]
        if self.request.classes is None:
            return values.to_numpy(np.float64)
        return codes(values, self.request.classes)

    def _load(self, artifact: Artifact) -> Any:
        return load_model(
            self._context.store, artifact, self._context.scratch, self.request.trusted
        )
