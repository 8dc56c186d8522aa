"""Small trained worlds: tables in a store, models fitted and saved, and the request for them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.requests import EvaluateRequest
from everfit.contracts.messages.training import ColumnRole, TrainResult
from everfit.contracts.spec.margins import Margin
from everfit.engine.context import Context


@dataclass
class World:
    """A context with tables and models in its store, and the request that names them."""

    context: Context
    request: EvaluateRequest
    holdout: pd.DataFrame

    def table(self, rows: int, seed: int = 9) -> pd.DataFrame:
        return make_table(self.request.task, rows, seed)

    def fitted(self, frame: pd.DataFrame, *columns: str) -> Any:
        return fitted(self.request.task, frame, columns or ("x", "noise"))

    def put(self, frame: pd.DataFrame) -> Artifact:
        return put_table(self.context, frame, "table.parquet")

    def saved(self, model: Any, name: str = "model.skops") -> Artifact:
        return save(self.context, model, name)

    def with_champion(self, artifact: Artifact, version: int = 3) -> EvaluateRequest:
        champion = ChampionRef(
            version=version,
            run_key="c" * 64,
            model=artifact,
            train=self.request.train,
            window=(),
            sequence=1,
        )
        return self.request.model_copy(update={"champion": champion})


def save(context: Context, model: Any, name: str) -> Artifact:
    from everfit.ml.model import save_model

    return context.store.put(name, save_model(model)[0])


def put_table(context: Context, frame: pd.DataFrame, name: str) -> Artifact:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, buffer)
    return context.store.put(name, buffer.getvalue())


def make_table(task: str, rows: int, seed: int) -> pd.DataFrame:
    """``x`` decides the target, ``noise`` does not; time ascends, entities come in threes."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=rows), rng.normal(size=rows)
    frame = pd.DataFrame({"x": x, "noise": noise})
    if task == "regression":
        frame["target"] = 3 * x + rng.normal(size=rows)
    elif task == "binary":
        frame["target"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-2 * x)), "yes", "no")
    else:
        cut = np.digitize(x + 0.4 * rng.normal(size=rows), [-0.5, 0.5])
        frame["target"] = np.array(["low", "mid", "high"])[cut]
    frame["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="min")
    frame["who"] = np.repeat(np.arange(rows // 3 + 1), 3)[:rows]
    frame["__row"] = rng.integers(0, 2**63, size=rows, dtype=np.uint64)
    return frame


def fitted(task: str, frame: pd.DataFrame, columns: Sequence[str]) -> Any:
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    last = LinearRegression() if task == "regression" else LogisticRegression()
    return make_pipeline(StandardScaler(), last).fit(frame[list(columns)], frame["target"])


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have tests of their own; without them a run costs a third."""
    monkeypatch.setattr("everfit.steps.evaluate.report.pictures.pictures", lambda *_, **__: {})


@pytest.fixture
def world(context: Context) -> Callable[..., World]:
    """Make a world: ``world("binary", rows=600, time=True)``."""

    def build(task: str, rows: int = 600, time: bool = False, **changes: Any) -> World:
        train, holdout = make_table(task, 400, 1), make_table(task, rows, 2)
        columns = ["x", "noise"]
        good, poor = fitted(task, train, columns), fitted(task, train[:12], columns)
        models = tuple(
            TrainResult(
                family=family,
                model=save(context, model, f"{family}.skops"),
                params={"C": 1.0},
                cv_score=score,
                trials=(),
                trusted=(),
                rows=len(train),
            )
            for family, model, score in (("poor", poor, 9.0), ("good", good, 0.1))
        )
        roles = [
            ColumnRole(name="x", type="float", role="feature"),
            ColumnRole(name="noise", type="float", role="feature"),
            ColumnRole(name="target", type="float", role="target"),
            ColumnRole(name="when", type="timestamp", role="time"),
            ColumnRole(name="who", type="integer", role="entity"),
        ]
        classes = None if task == "regression" else tuple(sorted(set(train["target"])))
        request = EvaluateRequest(
            run_key="a" * 64,
            pipeline="example",
            task=task,
            metric="mae" if task == "regression" else "log_loss",
            confidence=0.95,
            baseline="mean" if task == "regression" else "prior",
            target="target",
            classes=classes,
            positive=None,
            train=put_table(context, train, "train.parquet"),
            holdout=put_table(context, holdout, "holdout.parquet"),
            columns=tuple(roles),
            time="when" if time else None,
            entity=(),
            slices=(),
            models=models,
            champion=None,
            seed=7,
            threads=1,
            intention="superior_by",
            margin=Margin(value=0.01, relative=True),
        )
        return World(context, request.model_copy(update=changes), holdout)

    return build
