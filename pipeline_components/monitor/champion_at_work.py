"""The champion, loaded once, and what it answers to spans it has not seen."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from pipeline_components.champion.asked import belonging, measured_metrics
from pipeline_components.context import Context
from pipeline_components.contracts.base import digest_of
from pipeline_components.contracts.errors import IntegrityError, shortlist
from pipeline_components.contracts.monitoring import MonitorRequest, Rise
from pipeline_components.contracts.spans import Span
from pipeline_components.model import class_texts, load_model
from pipeline_components.scoring.answers import champion_answers, positive_class
from pipeline_components.scoring.resampling import Design, Floats, entity_codes, time_blocks
from pipeline_components.scoring.scored import Scored
from pipeline_components.statistics.cache import code_of, keep_value, known_value, let_go
from pipeline_components.store import result_key
from pipeline_components.version.signing import verified_champion

from .decay import rises
from .estimate import ExpectedLosses, estimated_rise, learn, prediction_of
from .logged_predictions import read_logs, served
from .read_rows import Rows, read_rows
from .reference_score import OF_MEAN, judged_rows, reference_score, trained_rows

_CODE = ("monitor/estimate.py", "monitor/read_rows.py", "scoring/scored.py", "scoring/answers.py")


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

    def rises(self, span: Span) -> tuple[tuple[Rise, ...], list[str]]:
        """How much worse the champion is on a span.

        Returns
        -------
        rises : tuple of Rise
            By labels where enough are there and due, else estimated; and of logged predictions.
        notes : list of str
            What could not be measured.
        """
        if not self.champion.scores:
            return (), []
        rows = self._rows(span)
        notes = []
        if rows.seen:
            notes.append(f"{rows.seen:,} rows are left out: the champion was trained on them")
        scores, trouble = self._answers(rows)
        if scores is None:
            return (), [*notes, f"the champion cannot be scored: {trouble}"]
        labels, least = int(rows.labelled.sum()), self.spec.monitor.min_rows
        ripe = span.name not in self.request.unripe
        if ripe and labels >= least:
            found, more = rises(
                self._scored(rows, scores[rows.labelled]), self._design(rows, rows.labelled),
                self._reference, self.metrics, labelled=rows.share,
            )  # fmt: skip
        else:
            why = (
                f"only {labels:,} of {len(rows.labelled):,} rows have a label"
                if ripe
                else f"labels are due {self.spec.monitor.labels_after} after the span"
            )
            found, more = self._estimated(rows, scores)
            notes.append(f"{why}: the loss is {'an estimate' if found else 'not known yet'}")
        if ripe and self.request.predictions:
            logged, others = self._logged(span, rows)
            found, more = (*found, *logged), [*more, *others]
        return found, [*notes, *more]

    @cached_property
    def model(self) -> Any:
        """Its model, signature of the record and digest verified."""
        verified_champion(self.champion, self.spec.name, self.context)
        families = self.spec.train.families
        trusted = tuple(family.estimator for family in families if family.estimator)
        return load_model(self.context.store, self.champion.model, self.context.scratch, trusted)

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
    def _inputs(self) -> tuple[str, ...]:
        named = getattr(self.model, "feature_names_in_", self.champion.features)
        return tuple(str(name) for name in named)

    @cached_property
    def _trained(self) -> Any:
        return trained_rows(self.champion, self.context)

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
            let_go(path, self.context)

    def _answers(self, rows: Rows) -> tuple[Floats | None, str | None]:
        return champion_answers(lambda: self.model, rows.frame, self.spec.task, self.classes)

    def _scored(self, rows: Rows, scores: Floats) -> Scored:
        return Scored.of(self.spec.task, rows.truth(self.classes), scores, self.positive)

    def _design(self, rows: Rows, chosen: Any) -> Design:
        spec = self.spec
        there = [name for name in spec.entity if name in rows.frame]
        entity = entity_codes(rows.frame, there)
        whole = Design(len(rows.frame), spec.time is not None, entity, spec.train.seed)
        return whole.part(chosen)

    def _estimated(self, rows: Rows, scores: Floats) -> tuple[tuple[Rise, ...], list[str]]:
        expected = {item.metric: item for item in self._expected.metrics}
        prediction = prediction_of(self.spec.task, scores, self.positive)
        unit = time_blocks(len(prediction))
        found = []
        for metric in self.metrics:
            score = self.champion.scores.get(metric)
            if metric in expected and score is not None:
                rise = estimated_rise(expected[metric], prediction, unit, score, rows.share)
                found.append(rise)
        without = [metric for metric in self.metrics if metric not in OF_MEAN]
        notes = [f"{metric} is never estimated: it needs labels" for metric in without]
        return tuple(rise for rise in found if rise is not None), notes

    @cached_property
    def _expected(self) -> ExpectedLosses:
        """What the champion's holdout says of its losses; read once per champion."""
        where = result_key(
            "expected_losses",
            digest_of(
                {
                    "champion": self.champion.model_dump(
                        mode="json", include={"model", "window", "holdout", "losses", "train"}
                    ),
                    "target": self.spec.target.model_dump(mode="json"),
                    "task": self.spec.task,
                    "time": self.spec.time,
                    "metrics": self.metrics,
                    "code": code_of(_CODE),
                }
            ),
        )
        known = known_value(self.context, where, ExpectedLosses)
        if known is not None:
            return known[0]
        value = self._learnt()
        keep_value(self.context, where, "expected_losses.json", value)
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
        files = belonging(span, self.request.predictions)
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
        metrics = [metric for metric in self.metrics if metric in found.metrics]
        notes = []
        if len(metrics) < len(self.metrics):
            others = shortlist(m for m in self.metrics if m not in found.metrics)
            notes.append(f"the log holds classes, no probabilities: {others} is not scored")
        if not metrics:
            return (), notes
        scored = Scored.of(self.spec.task, truth, found.scores, self.positive)
        logged, more = rises(
            scored, self._design(rows, found.rows), self._reference, metrics,
            labelled=count / found.logged, source="logged",
        )  # fmt: skip
        missing = len(rows.labelled) - found.logged
        if missing:
            total = len(rows.labelled)
            notes.append(f"{missing:,} of {total:,} rows of {span.name} have no logged prediction")
        return logged, [*notes, *more]
