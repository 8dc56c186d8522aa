"""A version that may answer: signed, its bytes verified, its recorded predictions reproduced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from everfit.champion.seal import refuse_altered_journal
from everfit.champion.version.signing import verified
from everfit.contracts.base import Digest
from everfit.contracts.errors import IntegrityError, UserError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.spec.metrics import Task
from everfit.engine.context import Context
from everfit.operations.serving.row_path.compiled import Scores, verified_rows
from everfit.operations.serving.row_path.functions import NotCompiled
from everfit.operations.serving.rows import Problem, as_frame, as_records, read_records
from everfit.storage.ledger.records import PromotionRecord, VersionRecord

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_ROWS = 2
"""Rows of the recorded sample that the OpenAPI document shows."""


@dataclass(frozen=True)
class LoadedVersion:
    """A verified version in memory.

    Attributes
    ----------
    pipeline : str
    version : int
    sequence : int
        Its entry in the champion's journal.
    since : str
        ISO time of that entry.
    run_key : str
    artifact : Artifact
        The model's file.
    model : sklearn.pipeline.Pipeline
        Raw feature frame in, prediction out.
    task : str
        ``regression``, ``binary`` or ``multiclass``.
    columns : mapping
        Column it reads → its type in training, as the model itself says.
    classes : tuple of str
        In the order of the probabilities; none for a regression.
    known : mapping
        Text column → the texts seen in training, where the model knows them all by name.
    sample : DataFrame of m rows
        The raw rows whose recorded predictions it reproduced.
    by_row : callable or None
        The same predictions of a few rows without a table (``row_path``), to the same bits.
    by_table : str
        Why there is none; empty where there is one.
    """

    pipeline: str
    version: int
    sequence: int
    since: str
    run_key: Digest
    artifact: Artifact
    model: Any = field(repr=False)
    task: Task
    columns: Mapping[str, str] = field(repr=False)
    classes: tuple[str, ...] = field(repr=False)
    known: Mapping[str, frozenset[str]] = field(repr=False)
    sample: pd.DataFrame = field(repr=False)
    by_row: Scores | None = field(default=None, repr=False)
    by_table: str = ""

    def scores(self, frame: pd.DataFrame) -> Any:
        """Predict raw rows, in a process whose libraries have one thread each (``pin_threads``).

        Parameters
        ----------
        frame : DataFrame of n rows

        Returns
        -------
        numpy array, float64
            Shape (n,) of predictions for a regression, else (n, k) of class probabilities.
        """
        import numpy as np

        # As ``predict_scores``, without its search for thread pools, a third of the time of a row.
        if self.task == "regression":
            return np.asarray(self.model.predict(frame), dtype=np.float64).reshape(-1)
        return np.asarray(self.model.predict_proba(frame), dtype=np.float64)


def load_version(pipeline: str, entry: PromotionRecord, context: Context) -> LoadedVersion:
    """Load the version of an entry of the journal, and make sure that it is what was judged.

    Raises
    ------
    IntegrityError
        If the journal or the version's record was altered, its bytes are missing or differ, or it
        does not predict the recorded sample to the last bit.
    UserError
        If an older Everfit registered it, without a record of what it predicts.
    Unavailable
        If the store does not answer.
    """
    from everfit.data.tables.frames import read_table
    from everfit.ml.model import class_texts, load_model
    from everfit.ml.model.known_texts import known_texts
    from everfit.ml.model.predict import pin_jobs

    record = signed_version(pipeline, entry, context)
    where = f"{pipeline} v{record.version}"
    if record.dossier is None:
        raise UserError(
            "SERVE-RECORD",
            where,
            "a version is served only where its record says what it predicts",
            "an older Everfit registered it, without such a record",
            f"Train again with everfit run {pipeline} --force, or promote a newer version",
        )
    request = Dossier.model_validate_json(context.store.get(record.dossier)).request
    estimators = tuple(f.estimator for f in request.spec.train.families if f.estimator)
    model = load_model(context.store, record.champion.model, context.scratch, estimators)
    pin_jobs(model)
    sample = read_table(context.store.local(request.evaluated.sample.digest, context.scratch))
    task = request.spec.task
    classes = () if task == "regression" else tuple(map(str, class_texts(model.classes_)))
    loaded = LoadedVersion(
        pipeline=pipeline,
        version=record.version,
        sequence=entry.sequence,
        since=entry.at,
        run_key=record.run_key,
        artifact=record.champion.model,
        model=model,
        task=task,
        columns=dict(model.steps[0][1].columns),
        classes=classes,
        known={name: frozenset(texts.tolist()) for name, texts in known_texts(model).items()},
        sample=sample,
    )
    published = json.loads(context.store.get(request.evaluated.predictions.digest))
    _refuse_other_predictions(loaded, published, where)
    return _with_rows(loaded)


def signed_version(pipeline: str, entry: PromotionRecord, context: Context) -> VersionRecord:
    """The record of an entry's version, if journal and record are as they were signed.

    Raises
    ------
    IntegrityError
        If one of them was altered, or there is no record.
    """
    refuse_altered_journal(pipeline, context)
    record = context.ledger.version(entry.run_key)
    if record is None or record.version != entry.version:
        raise IntegrityError(
            "SERVE-VERSION",
            f"{pipeline} v{entry.version}",
            "the ledger must have the record of the version that its journal names",
            "there is none" if record is None else f"that run is v{record.version}",
            "Restore the ledger from its backup with everfit restore",
        )
    return verified(record, pipeline, context)


def _with_rows(loaded: LoadedVersion) -> LoadedVersion:
    """The version with its compiled rows, where they predict known ones to the same bits."""
    records = as_records(loaded.sample, loaded.columns)
    try:
        values = read_records(records, loaded.columns, len(records))
        by_row = verified_rows(
            loaded.model,
            loaded.task,
            values,
            loaded.columns,
            lambda some: loaded.scores(as_frame(some, loaded.columns)),
        )
    except (NotCompiled, Problem) as error:
        return replace(loaded, by_table=str(error))
    return replace(loaded, by_row=by_row)


def _refuse_other_predictions(loaded: LoadedVersion, published: Any, where: str) -> None:
    predicted = loaded.scores(loaded.sample).tolist() if len(loaded.sample) else []
    if predicted and predicted == published:
        return
    found = "nothing is recorded that could be compared"
    if predicted and isinstance(published, list):
        pairs = zip(predicted, published, strict=False)
        differ = sum(one != other for one, other in pairs) + abs(len(predicted) - len(published))
        found = f"{differ:,} of {len(published):,} sample rows come out different"
    raise IntegrityError(
        "SERVE-PREDICTIONS",
        where,
        "a version must predict its recorded sample here exactly as when it was judged",
        found,
        "Serve it with the libraries it was made with (everfit reproduce names them)",
    )
