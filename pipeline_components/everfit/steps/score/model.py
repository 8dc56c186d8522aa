"""A version's model as scoring uses it: predictions of a batch, and what it could not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from everfit.contracts.errors import EverfitError, UserError, told
from everfit.contracts.spec.metrics import Task
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.table_schema import ColumnType
from everfit.data.tables.frames import to_frame
from everfit.engine.context import Context
from everfit.ml.model import class_texts, load_model, predict_scores
from everfit.ml.model.known_texts import known_texts
from everfit.ml.model.raw_columns import coerce
from everfit.storage.ledger.records import VersionRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Missed:
    """Cells and rows that the model could not use, counted.

    Attributes
    ----------
    unreadable : Counter
        Column → cells that are not of its type in training and count as missing.
    values : Counter
        Column → cells among which those are.
    unseen : Counter
        Column → cells with a text that the training table did not have.
    unscored : int
        Rows whose prediction is no finite number: it is left empty.
    """

    unreadable: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    unscored: int = 0

    @property
    def useless(self) -> list[str]:
        """Columns of which not one value could be read."""
        return [name for name, n in self.unreadable.items() if n == self.values[name] > 0]


@dataclass(frozen=True)
class ScoringModel:
    """A version's model.

    Attributes
    ----------
    name : str
        Of pipeline and version, for messages.
    columns : mapping
        Column it reads → type in training.
    classes : tuple of str or None
        In its order; None: it predicts a number.
    """

    name: str
    task: Task
    pipeline: Any
    columns: Mapping[str, ColumnType]
    classes: tuple[str, ...] | None
    known: Mapping[str, Any]
    """Column → the texts of training, where all of them are kept."""

    @classmethod
    def load(cls, spec: PipelineSpec, record: VersionRecord, context: Context) -> ScoringModel:
        """Load it, its digest verified.

        Raises
        ------
        IntegrityError
            If its bytes are not those recorded, or hold a type that is not trusted.
        """
        trusted = tuple(family.estimator for family in spec.train.families if family.estimator)
        pipeline = load_model(context.store, record.champion.model, context.scratch, trusted)
        columns = dict(getattr(pipeline.steps[0][1], "columns", record.champion.signature))
        classes = None
        if spec.task != "regression":
            classes = tuple(class_texts(np.asarray(pipeline.classes_)))
        return cls(
            name=f"{spec.name} v{record.version}",
            task=spec.task,
            pipeline=pipeline,
            columns=columns,
            classes=classes,
            known={
                name: texts
                for name, texts in known_texts(pipeline).items()
                if columns.get(name) == "string"
            },
        )

    @property
    def answers(self) -> dict[str, Any]:
        """The columns it answers with, and their Arrow types."""
        if self.classes is None:
            return {"prediction": pa.float64()}
        probabilities = {f"probability_{name}": pa.float64() for name in self.classes}
        return {"prediction": pa.string(), **probabilities}

    def answer(self, batch: Any, missed: Missed) -> list[Any]:
        """Predict the rows of a record batch.

        Parameters
        ----------
        batch : pyarrow.RecordBatch of n rows
            Holds every column that the model reads.
        missed : Missed
            Is added to.

        Returns
        -------
        list of pyarrow.Array of n values
            In the order of ``answers``; null where the prediction is not finite.

        Raises
        ------
        UserError
            If the model fails on the rows.
        """
        frame = to_frame(batch.select(list(self.columns)))
        self._count(frame, missed)
        try:
            scores = predict_scores(self.pipeline, frame, self.task)
        except (EverfitError, MemoryError):
            raise
        except Exception as error:  # any model may fail in any way on a table it was not made for
            raise UserError(
                "SCORE-MODEL",
                self.name,
                "its model must answer every row",
                told(error),
                "Compare the rows with those it was trained on, or score with another version",
            ) from error
        finite = np.isfinite(scores) if scores.ndim == 1 else np.isfinite(scores).all(axis=1)
        missed.unscored += int((~finite).sum())
        nulls = ~finite
        if self.classes is None:
            return [pa.array(scores, mask=nulls)]
        place = np.where(finite, np.nan_to_num(scores).argmax(axis=1), 0).astype(np.int32)
        chosen = pa.array(place, mask=nulls)
        names = pa.DictionaryArray.from_arrays(chosen, pa.array(self.classes, pa.string()))
        columns = [np.ascontiguousarray(column) for column in scores.T]
        return [names.cast(pa.string()), *(pa.array(column, mask=nulls) for column in columns)]

    def _count(self, frame: pd.DataFrame, missed: Missed) -> None:
        """Cells that become missing on their way into the model, and texts it has never seen."""
        import pandas as pd

        for name, kind in self.columns.items():
            column = frame[name]
            if kind != "string" and isinstance(column.dtype, pd.StringDtype):
                there = column.notna()
                missed.values[name] += int(there.sum())
                missed.unreadable[name] += int((there & coerce(column, kind).isna()).sum())
            if name in self.known:
                texts = coerce(column, "string")
                unseen = texts.notna() & ~texts.isin(self.known[name])
                missed.unseen[name] += int(unseen.sum())
