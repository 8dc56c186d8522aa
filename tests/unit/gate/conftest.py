"""A small world the gate can judge: real Parquet, a real model, scores that follow from losses."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_components.contracts.base import digest_of
from pipeline_components.contracts.evidence import SliceScore
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.planning import ChampionRef
from pipeline_components.contracts.requests import (
    ColumnRole,
    EvaluateResult,
    GateRequest,
    PrepareResult,
    TrainResult,
)
from pipeline_components.contracts.spans import Span
from pipeline_components.contracts.verdicts import Comparison, Estimate

ROWS = 400
FEATURES = ("distance", "passengers")


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def span(name: str, rows: int = 1000) -> Span:
    return Span(
        name=name, digest=digest_of(name), rows=rows, size=rows * 40,
        time_min=f"{name}-01T00:00:00", time_max=f"{name}-28T23:59:00",
    )  # fmt: skip


def estimate(value: float, width: float, rows: int = ROWS) -> Estimate:
    return Estimate(
        value=value, low=value - width, high=value + width, rows=rows,
        method="percentile bootstrap over 100 time blocks",
    )  # fmt: skip


@dataclass(frozen=True)
class World:
    """What a run left behind; ``replace`` a field to plant a fault, then ask for ``request``."""

    store: Any
    model: bytes
    sample: bytes
    predictions: bytes
    gate: dict[str, Any] = field(
        default_factory=lambda: {"superior_by": "1%", "baseline": "median", "metric": "mae"}
    )
    gain: float = 0.3
    width: float = 0.1
    holdout: np.ndarray = field(default_factory=lambda: np.arange(ROWS, dtype=np.uint64))
    scored: np.ndarray | None = None
    train: np.ndarray = field(default_factory=lambda: np.arange(10_000, 13_000, dtype=np.uint64))
    champion_rows: np.ndarray | None = field(
        default_factory=lambda: np.arange(11_000, 12_000, dtype=np.uint64)
    )
    window: tuple[str, ...] = ("2018-02", "2018-03", "2018-04")
    judged: tuple[str, ...] = ("2018-05",)
    champion_window: tuple[str, ...] = ("2018-01", "2018-02")
    slices: tuple[SliceScore, ...] = ()
    not_finite: tuple[str, ...] = ()
    columns: tuple[str, ...] = FEATURES
    plots: tuple[tuple[str, bytes], ...] = ()
    family: str = "gradient_boosting"
    estimators: tuple[str, ...] = ()

    def but(self, **changes: Any) -> World:
        return replace(self, **changes)

    @property
    def losses(self) -> tuple[np.ndarray, np.ndarray]:
        rows = self.holdout if self.scored is None else self.scored
        noise = np.abs(np.random.default_rng(3).normal(1.0, 0.3, len(rows)))
        candidate = 2.0 + (noise - noise.mean())
        return candidate, candidate + self.gain

    def request(self) -> GateRequest:
        put = self.store.put
        scored = self.holdout if self.scored is None else self.scored
        candidate, baseline = self.losses
        rows = len(self.holdout)
        spec = GateSpec(**self.gate)
        metric = spec.metric or "mae"
        champion = None
        if self.champion_rows is not None:
            champion = ChampionRef(
                version=3,
                run_key=digest_of("champion"),
                model=put("model.skops", b"champion"),
                train=put("train.parquet", parquet(__row=self.champion_rows)),
                window=tuple(digest_of(name) for name in self.champion_window),
                sequence=2,
            )
        name = "champion v3" if champion else spec.baseline
        score = float(candidate.mean()) if len(candidate) else 2.0
        better = {
            "candidate": {"mae": estimate(score, 0.08, rows), "rmse": estimate(2.9, 0.2, rows),
                          "r2": estimate(0.81, 0.02, rows)},
            "baseline": {"mae": estimate(score + self.gain, 0.09, rows),
                         "rmse": estimate(3.1, 0.2, rows), "r2": estimate(0.78, 0.02, rows)},
            "dummy": {"mae": estimate(6.0, 0.3, rows), "rmse": estimate(9.1, 0.6, rows),
                      "r2": estimate(-0.01, 0.01, rows)},
            "family:gradient_boosting": {"mae": estimate(score, 0.08, rows),
                                         "rmse": estimate(2.9, 0.2, rows),
                                         "r2": estimate(0.81, 0.02, rows)},
            "family:linear": {"mae": estimate(2.4, 0.09, rows), "rmse": estimate(3.6, 0.3, rows),
                              "r2": estimate(0.71, 0.03, rows)},
        }  # fmt: skip
        evaluated = EvaluateResult(
            candidate=TrainResult(
                family=self.family,
                model=put("model.skops", self.model),
                params={"learning_rate": 0.1, "max_iter": 200},
                cv_score=2.05, trials=(), trusted=(), rows=len(self.train),
            ),
            baseline=name,
            scores=better,
            comparison=Comparison(
                metric=metric, baseline=name, candidate_score=score,
                baseline_score=score + self.gain, gain=estimate(self.gain, self.width, rows),
                margin=0.0, intention="superior_by",
            ),
            slices=self.slices,
            rows=rows,
            losses=put(
                "losses.parquet", parquet(__row=scored, candidate=candidate, baseline=baseline)
            ),
            sample=put("sample.parquet", self.sample),
            predictions=put("predictions.json", self.predictions),
            plots=tuple(put(name, data) for name, data in self.plots),
            card=put("card.md", b"# card"),
            importances={column: 1.0 / (i + 1) for i, column in enumerate(self.columns)},
            not_finite=self.not_finite,
        )  # fmt: skip
        return GateRequest(
            run_key=digest_of("run"),
            pipeline="taxi",
            gate=spec,
            task="regression",
            metric=metric,
            window=tuple(span(name) for name in self.window),
            holdout=tuple(span(name, rows) for name in self.judged),
            champion=champion,
            prepared=PrepareResult(
                run_key=digest_of("run"),
                train=put("train.parquet", parquet(__row=self.train)),
                holdout=put("holdout.parquet", parquet(__row=self.holdout)),
                columns=tuple(
                    ColumnRole(name=column, type="float", role="feature", distinct=None)
                    for column in self.columns
                ),
                classes=None,
                rows_train=len(self.train),
                rows_holdout=rows,
                dropped={"repeated rows": 12},
                proof=put("proof.json", b"{}"),
            ),
            evaluated=evaluated,
            estimators=self.estimators,
            seed=7,
        )


@pytest.fixture(scope="session")
def served() -> tuple[bytes, bytes, bytes]:
    """A fitted model's canonical bytes, a raw sample, and its predictions of that sample."""
    import pandas as pd
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from pipeline_components.model import predict_scores, save_model

    random = np.random.default_rng(0)
    frame = pd.DataFrame({name: random.normal(size=50) for name in FEATURES})
    target = 3 * frame["distance"] + random.normal(size=50)
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, target)
    sample = frame.head(20)
    data, _ = save_model(model)
    predictions = json.dumps(predict_scores(model, sample, "regression").tolist()).encode()
    return data, parquet(**{name: sample[name].to_numpy() for name in FEATURES}), predictions


@pytest.fixture
def world(context, served) -> World:
    return World(context.store, *served)
