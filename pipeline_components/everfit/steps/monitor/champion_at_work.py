"""The champion, loaded once, and what it answers to spans it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from everfit.champion.version.signing import verified_champion
from everfit.contracts.base import digest_of
from everfit.contracts.errors import IntegrityError, shortlist
from everfit.contracts.messages.monitoring import MonitorRequest, Rise
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.metrics import METRICS, metric_title
from everfit.engine.context import Context
from everfit.engine.fingerprints import value_digest
from everfit.ml.model import class_texts, load_model
from everfit.ml.monitoring_key import logs_of, measured_metrics
from everfit.ml.profiles.cache import keep_value, known_value, remove_copy
from everfit.ml.scoring.predictions import champion_predictions, positive_class
from everfit.ml.scoring.resampling import Design, Floats, entity_codes, time_blocks
from everfit.ml.scoring.scored import Scored
from everfit.steps.monitor.attainable import Attainable, spans_before
from everfit.steps.monitor.decay import rises
from everfit.steps.monitor.estimate import ExpectedLosses, estimated_rise, learn, prediction_of
from everfit.steps.monitor.logged_predictions import read_logs, served
from everfit.steps.monitor.read_rows import Rows, read_rows
from everfit.steps.monitor.reference_score import (
    judged_rows,
    reference_score,
    trained_rows,
)


class ChampionAtWork:
    """Scores spans.

    Parameters
    ----------
    request : MonitorRequest
    context : Context

    Attributes
    ----------
    notes : list of str
        What could not be measured, a sentence each; of no particular span.
    """

    def __init__(self, request: MonitorRequest, context: Context) -> None:
        self.request, self.context = request, context
        self.spec, self.champion = request.pipeline, request.champion
        self.metrics = measured_metrics(self.spec)
        self.notes: list[str] = []
        if not self.champion.scores:
            self.notes.append(
                f"champion v{self.champion.version} was registered by an older Everfit: its record "
                "holds no scores, so its decay cannot be told; the next champion's will"
            )
        elif self._weighed_otherwise:
            self.notes.append(
                f"champion v{self.champion.version} was judged with "
                f"{_weighted(self.champion.weight)}, and the spec now has "
                f"{_weighted(self.spec.weight)}: its decay cannot be told; the next champion's will"
            )

    @property
    def _weighed_otherwise(self) -> bool:
        return self.champion.weight != self.spec.weight

    def rises(self, span: Span, past: Sequence[Span] = ()) -> tuple[tuple[Rise, ...], list[str]]:
        """How much worse the champion is on a span.

        Parameters
        ----------
        span : Span
        past : sequence of Span
            Sound spans before it, oldest first: a fresh model is fitted on the newest of them.

        Returns
        -------
        rises : tuple of Rise
            By labels where enough are there and due, else estimated; and of logged predictions.
        notes : list of str
            What could not be measured.
        """
        if not self.champion.scores or self._weighed_otherwise:
            return (), []
        rows = self._rows(span)
        notes = []
        if rows.unweighed:
            notes.append(
                f"{rows.unweighed:,} rows count for nothing: their weight ({self.spec.weight}) is "
                "no number of at least 0"
            )
        if rows.seen:
            notes.append(f"{rows.seen:,} rows are left out: the champion was trained on them")
        if rows.older:
            notes.append(f"{rows.older:,} rows are left out: the span holds newer versions (key)")
        scores, trouble = self._answers(rows)
        if scores is None:
            return (), [*notes, f"the champion cannot be scored: {trouble}"]
        labels, least = int(rows.labelled.sum()), self.spec.monitor.min_rows
        labelled = span.name not in self.request.labels_pending
        if labelled and labels >= least:
            fresh, why = self._fresh(span, rows, past)
            notes += [f"the attainable loss is not known: {why}"] if why else []
            found, more = rises(
                self._scored(rows, scores[rows.labelled]),
                self._design(rows, rows.labelled),
                self._reference,
                self.metrics,
                labelled=rows.share,
                fresh=fresh,
                judged=self._judged(rows),
            )
        else:
            why = (
                f"only {labels:,} of {len(rows.labelled):,} rows have a label"
                if labelled
                else f"labels are due {self.spec.monitor.labels_after} after the span"
            )
            found, more = self._estimated(rows, scores)
            notes.append(f"{why}: the loss is {'an estimate' if found else 'not known yet'}")
        if labelled and self.request.predictions:
            logged, others = self._logged(span, rows)
            found, more = (*found, *logged), [*more, *others]
        return found, [*notes, *more]

    def _fresh(self, span: Span, rows: Rows, past: Sequence[Span]) -> tuple[Scored | None, str]:
        """What a fresh model answers; why there is none, where one was asked for."""
        if not self.spec.monitor.attainable:
            return None, ""
        before = spans_before(self.spec, past, span, self.request.labels_pending)
        if not before:
            return None, "no earlier span is known"
        attainable = Attainable(self.spec, self.champion, self.context)
        scores, why = attainable.answers(self.model, self.classes, span, rows, before)
        return (None if scores is None else self._scored(rows, scores)), why

    def _judged(self, rows: Rows) -> Scored | None:
        """What the judged model answers that the champion is a refit of; None where it is none."""
        judged = self.request.judged
        if judged is None:
            return None
        scores, _ = champion_predictions(
            lambda: self._load(judged), rows.frame, self.spec.task, self.classes
        )
        return None if scores is None else self._scored(rows, scores[rows.labelled])

    @cached_property
    def model(self) -> Any:
        """Its model, signature of the record and digest verified."""
        return self._load(self.champion)

    def _load(self, champion: ChampionRef) -> Any:
        verified_champion(champion, self.spec.name, self.context)
        families = self.spec.train.families
        trusted = tuple(family.estimator for family in families if family.estimator)
        return load_model(self.context.store, champion.model, self.context.scratch, trusted)

    @cached_property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes it knows, in its order; None: regression."""
        if self.spec.task == "regression":
            return None
        return tuple(class_texts(np.asarray(self.model.classes_)))

    @cached_property
    def positive(self) -> int:
        """Binary: position of the class whose probability is scored."""
        if self.spec.task != "binary" or self.classes is None:
            return 0
        return positive_class(self.spec.target.positive, self.classes)

    @property
    def reads(self) -> frozenset[str] | None:
        """Columns its model reads; None where its record does not say."""
        return frozenset(self.champion.features) or None

    @property
    def _inputs(self) -> tuple[str, ...]:
        named = getattr(self.model, "feature_names_in_", self.champion.features)
        return tuple(str(name) for name in named)

    @cached_property
    def _trained(self) -> Any:
        return trained_rows(self.champion, self.spec, self.context)

    @cached_property
    def _reference(self) -> Any:
        return reference_score(self.spec, self.champion, self.context)

    def _rows(self, span: Span) -> Rows:
        log = self.spec.monitor.predictions
        columns = (*self._inputs, *(log.key if log else ()))
        path = self.context.store.local(span.digest, self.context.scratch)
        try:
            return read_rows(path, self.spec, columns, seen=self._trained)
        finally:
            remove_copy(path, self.context)

    def _answers(self, rows: Rows) -> tuple[Floats | None, str | None]:
        return champion_predictions(lambda: self.model, rows.frame, self.spec.task, self.classes)

    def _scored(self, rows: Rows, scores: Floats) -> Scored:
        weight = None if rows.weight is None else rows.weight[rows.labelled]
        return Scored.of(self.spec.task, rows.truth(self.classes), scores, self.positive, weight)

    def _design(self, rows: Rows, chosen: Any) -> Design:
        spec = self.spec
        there = [name for name in spec.entity if name in rows.frame]
        entity = entity_codes(rows.frame, there)
        ordered, seed = spec.time is not None, spec.train.seed
        whole = Design(len(rows.frame), ordered, entity, seed, weight=rows.weight)
        return whole.part(chosen)

    def _estimated(self, rows: Rows, scores: Floats) -> tuple[tuple[Rise, ...], list[str]]:
        if rows.weight is not None:
            return (), ["the loss of weighted rows is never estimated: it needs labels"]
        expected = {item.metric: item for item in self._expected.metrics}
        prediction = prediction_of(self.spec.task, scores, self.positive)
        unit = time_blocks(len(prediction))
        found = []
        for metric in self.metrics:
            score = self.champion.scores.get(metric)
            if metric in expected and score is not None:
                rise = estimated_rise(expected[metric], prediction, unit, score, rows.share)
                found.append(rise)
        without = [metric for metric in self.metrics if METRICS[metric].of_mean_loss is None]
        notes = [
            f"{metric_title(metric)} is never estimated: it needs labels" for metric in without
        ]
        return tuple(rise for rise in found if rise is not None), notes

    @cached_property
    def _expected(self) -> ExpectedLosses:
        """What the champion's holdout says of its losses; read once per champion."""
        key = digest_of(
            {
                "champion": self.champion.model_dump(
                    mode="json", include={"model", "window", "holdout", "losses", "train"}
                ),
                "target": self.spec.target.model_dump(mode="json", exclude={"unit"}),
                "task": self.spec.task,
                "time": self.spec.time,
                "metrics": self.metrics,
                "code": value_digest("monitor"),
            }
        )
        known = known_value(self.context, "expected_losses", key, ExpectedLosses)
        if known is not None:
            return known[0]
        value = self._learnt()
        keep_value(self.context, "expected_losses", key, "expected_losses.json", value)
        return value

    def _learnt(self) -> ExpectedLosses:
        champion = self.champion
        only = judged_rows(champion, self.context)
        if only is None:
            return ExpectedLosses(metrics=())
        parts = []
        for digest in champion.holdout or champion.window:
            try:
                path = self.context.store.local(digest, self.context.scratch)
            except IntegrityError:  # removed from the store: there is no more to learn from it
                return ExpectedLosses(metrics=())
            rows = read_rows(path, self.spec, self._inputs, only=only)
            scores, _ = self._answers(rows)
            if scores is None:
                return ExpectedLosses(metrics=())
            parts.append(self._scored(rows, scores[rows.labelled]))
        task = self.spec.task
        truth = np.concatenate([part.truth for part in parts])
        return learn(
            Scored(task, truth, np.concatenate([part.scores for part in parts]), self.positive),
            self.metrics,
        )

    def _logged(self, span: Span, rows: Rows) -> tuple[tuple[Rise, ...], list[str]]:
        log = self.spec.monitor.predictions
        files = logs_of(span, self.request.predictions)
        if log is None or not files:
            return (), []
        local = self.context.store.local
        paths = [local(file.digest, self.context.scratch) for file in files]
        found = served(rows, read_logs(paths, log), self.spec, self.classes, self.positive)
        if found is None:
            return (), [f"no labelled row of {span.name} has a logged prediction"]
        count = int(found.rows.sum())
        if count < self.spec.monitor.min_rows:
            return (), [f"only {count:,} labelled rows of {span.name} have a logged prediction"]
        truth = Rows(rows.frame, rows.target, found.rows, rows.digests).truth(self.classes)
        weight = None if rows.weight is None else rows.weight[found.rows]
        metrics = [metric for metric in self.metrics if metric in found.metrics]
        notes = []
        if len(metrics) < len(self.metrics):
            others = shortlist(m for m in self.metrics if m not in found.metrics)
            notes.append(f"the log holds classes, no probabilities: {others} is not scored")
        if not metrics:
            return (), notes
        scored = Scored.of(self.spec.task, truth, found.scores, self.positive, weight)
        logged, more = rises(
            scored,
            self._design(rows, found.rows),
            self._reference,
            metrics,
            labelled=count / found.logged,
            source="logged",
        )
        missing = len(rows.labelled) - found.logged
        if missing:
            total = len(rows.labelled)
            notes.append(f"{missing:,} of {total:,} rows of {span.name} have no logged prediction")
        return logged, [*notes, *more]


def _weighted(weight: str | None) -> str:
    return "no weight" if weight is None else f"weight {weight!r}"
