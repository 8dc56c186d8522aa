"""What a fresh model would have lost on a span: the yardstick for decay.

The champion's own recipe (its columns, encoding, estimator and settings) is fitted once more, with
no search, on the newest spans that were known before the span. So when the champion was judged it
was its own yardstick, and a month that is hard for it and a fresh model alike is no decay.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.contracts.base import Digest, Frozen, digest_of
from everfit.contracts.clock import moment
from everfit.contracts.errors import IntegrityError, Unavailable, told
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.engine.fingerprints import value_digest
from everfit.ml.monitoring_key import labels_due
from everfit.ml.profiles.cache import keep_value, known_value, remove_copy
from everfit.ml.scoring.predictions import predictions
from everfit.ml.scoring.resampling import Floats
from everfit.steps.monitor.read_rows import Rows, Trained, read_rows

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 50
"""Rows that a fresh model is fitted on at least."""


class KeptAnswers(Frozen):
    """A fresh model's answers to a span, kept so that it is fitted once."""

    scores: Artifact
    spans: tuple[str, ...]
    """Names of those it was fitted on, oldest first."""


def spans_before(
    spec: PipelineSpec, past: Sequence[Span], span: Span, without: Sequence[str]
) -> tuple[Span, ...]:
    """The newest spans of a window that a model could have learnt from before a span began.

    Parameters
    ----------
    past : sequence of Span
        Sound spans before it, oldest first.
    without : sequence of str
        Names of spans whose labels are not due yet.
    """
    begins = moment(span.period_start or span.time_min)
    known = [
        one
        for one in past
        if one.name not in without
        and one.digest != span.digest
        and (begins is None or labels_due(spec, one, "", begins))
    ]
    if spec.window.spans == "all":
        return tuple(known)
    return tuple(known[-spec.window.spans :])


class Attainable:
    """Fits the champion's recipe afresh, and asks it.

    Parameters
    ----------
    spec : PipelineSpec
    champion : ChampionRef
    context : Context
    """

    def __init__(self, spec: PipelineSpec, champion: ChampionRef, context: Context) -> None:
        self.spec, self.champion, self.context = spec, champion, context

    def answers(
        self,
        model: Any,
        classes: Sequence[str] | None,
        span: Span,
        rows: Rows,
        past: Sequence[Span],
    ) -> tuple[Floats | None, str]:
        """A fresh model's answers to the labelled rows of a span.

        Parameters
        ----------
        model : sklearn.pipeline.Pipeline
            The champion's.
        classes : sequence of str or None
            Those of the champion, in its order.
        span : Span
        rows : Rows
            What the champion is scored on.
        past : sequence of Span
            What to fit on, oldest first; see ``spans_before``.

        Returns
        -------
        scores : array or None
            As ``predictions`` gives them.
        why : str
            Why there are none.
        """
        key = self._key(span, past)
        try:
            known = known_value(self.context, "attainable", key, KeptAnswers)
            if known is not None:
                return np.load(io.BytesIO(self.context.store.get(known[0].scores.digest))), ""
        except IntegrityError:  # removed from the store: made once more
            pass
        try:
            frame, target, weights = self._table(model, rows, past)
            if len(frame) < FEWEST:
                return None, f"only {len(frame):,} labelled rows are known before it"
            fresh = fitted_afresh(model, frame, target, self.spec, weights)
            asked = rows.frame[rows.labelled]
            scores = predictions(fresh, asked, self.spec.task, classes)
        except (Unavailable, MemoryError):
            raise
        except Exception as error:  # any estimator may fail in any way on rows it never saw
            return None, f"the champion's recipe cannot be fitted afresh: {told(error)}"
        if not np.isfinite(scores).all():
            return None, "a fresh model's predictions are not finite"
        held = io.BytesIO()
        np.save(held, scores, allow_pickle=False)
        kept = KeptAnswers(
            scores=self.context.store.put("attainable.npy", held.getvalue()),
            spans=tuple(one.name for one in past),
        )
        keep_value(self.context, "attainable", key, "attainable.json", kept)
        return scores, ""

    def _key(self, span: Span, past: Sequence[Span]) -> Digest:
        champion = self.champion.model_dump(mode="json", include={"model", "train"})
        return digest_of(
            {
                "champion": champion,
                "span": span.digest,
                "past": [one.digest for one in past],
                "target": self.spec.target.model_dump(mode="json", exclude={"unit"}),
                "task": self.spec.task,
                "time": self.spec.time,
                "key": self.spec.key,
                "rows": self.spec.train.search_rows,
                **({"weight": self.spec.weight} if self.spec.weight else {}),
                "code": value_digest("monitor"),
            }
        )

    def _table(
        self, model: Any, rows: Rows, past: Sequence[Span]
    ) -> tuple[pd.DataFrame, Any, Floats | None]:
        """The newest labelled rows of the past, oldest first, without those it is asked about.

        Their features, targets and, where rows are weighted, weights, all above 0.
        """
        import pandas as pd

        asked = Trained(rows.digests, np.zeros(len(rows.digests), dtype=np.int64), rows.keys)
        inputs = tuple(str(name) for name in model.feature_names_in_)
        most = self.spec.train.search_rows
        frames: list[pd.DataFrame] = []
        targets: list[pd.Series[Any]] = []
        weights: list[Floats] = []
        for span in reversed(past):
            found = self._read(span.digest, inputs, asked)
            labelled = found.labelled
            if found.weight is not None:
                labelled = labelled & (found.weight > 0)
                weights.insert(0, found.weight[labelled][-most:])
            frames.insert(0, found.frame.loc[labelled, list(inputs)][-most:])
            targets.insert(0, pd.Series(found.target)[labelled][-most:])
            most -= len(frames[0])
            if most <= 0:
                break
        if not frames:
            return pd.DataFrame(columns=list(inputs)), None, None
        return (
            pd.concat(frames, ignore_index=True),
            pd.concat(targets, ignore_index=True),
            np.concatenate(weights) if weights else None,
        )

    def _read(self, digest: Digest, inputs: Sequence[str], asked: Trained) -> Rows:
        path = self.context.store.local(digest, self.context.scratch)
        try:
            return read_rows(path, self.spec, inputs, seen=asked)
        finally:
            remove_copy(path, self.context)


def fitted_afresh(
    model: Any,
    frame: pd.DataFrame,
    target: Any,
    spec: PipelineSpec,
    weights: Floats | None = None,
) -> Any:
    """The recipe of a model, fitted on other rows.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        Its steps and their parameters are taken over, nothing that it learnt.
    frame : DataFrame of n rows
        Raw columns.
    target : (n,) Series
    spec : PipelineSpec
        Of which task and threads are read.
    weights : (n,) array, optional
        How much each row counts, above 0.
    """
    import warnings

    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    fresh = clone(model)
    values = _values(target, spec)
    weighed = {} if weights is None else {"sample_weight": weights / weights.mean()}
    with threadpool_limits(limits=spec.train.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same fit has warned when the champion was made
        steps = getattr(fresh, "steps", None)
        if not steps:
            return fresh.fit(frame, values, **weighed)
        matrix: Any = frame
        for _, step in steps[:-1]:
            matrix = step.fit_transform(matrix, values)
        _take_over_categories(model, fresh)
        steps[-1][1].fit(matrix, values, **weighed)
    return fresh


def _take_over_categories(model: Any, fresh: Any) -> None:
    """Name the encoded columns that are categories: their places depend on the rows."""
    old, new = (getattr(one.steps[-2][1], "categorical_", None) for one in (model, fresh))
    if old is None or new is None or not len(old):
        return
    estimator = fresh.steps[-1][1]
    for name, value in estimator.get_params(deep=False).items():
        if isinstance(value, list) and value == list(old):
            estimator.set_params(**{name: list(new)})


def _values(target: Any, spec: PipelineSpec) -> Any:
    """What an estimator is fitted on: numbers, or classes in their own type."""
    import pandas as pd

    if spec.task == "regression":
        return target.to_numpy(dtype=np.float64)
    if isinstance(target.dtype, pd.StringDtype):
        return target.to_numpy(dtype=object).astype(str)
    return target.to_numpy()
