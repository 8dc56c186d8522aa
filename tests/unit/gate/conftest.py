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

from everfit.contracts.base import digest_of
from everfit.contracts.messages.evaluations import EvaluatedSpan, HoldoutEvaluation
from everfit.contracts.messages.evidence import Disturbed, SliceScore, SliceSearch
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.requests import EvaluateResult, GateRequest, PrepareResult
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.training import ColumnRole, TrainResult
from everfit.contracts.messages.verdicts import Bound, Comparison, Estimate, KnownRows
from everfit.contracts.spec.gate import GateSpec

ROWS = 400
FEATURES = ("distance", "passengers")


def parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def span(name: str, rows: int = 1000) -> Span:
    return Span(
        name=name,
        digest=digest_of(name),
        rows=rows,
        size=rows * 40,
        time_min=f"{name}-01T00:00:00",
        time_max=f"{name}-28T23:59:00",
    )


def estimate(value: float, width: float, rows: int = ROWS) -> Estimate:
    return Estimate(
        value=value,
        low=value - width,
        high=value + width,
        rows=rows,
        method="percentile bootstrap over 100 time blocks",
    )


LEVELS = (0.025, 0.01, 0.001)
Z = {0.025: 1.95996, 0.01: 2.32635, 0.001: 3.09023}
"""Quantiles of the normal distribution, from a table."""


def bounds(value: float, width: float) -> tuple[Bound, ...]:
    """Intervals that widen as the level falls; ``width`` is half of that at 0.025."""
    return tuple(
        Bound(alpha=a, low=value - width * Z[a] / Z[0.025], high=value + width * Z[a] / Z[0.025])
        for a in LEVELS
    )


@dataclass(frozen=True)
class World:
    """What a run left behind; ``replace`` a field to plant a fault, then ask for ``request``."""

    store: Any
    model: bytes
    sample: bytes
    predictions: bytes
    gate: dict[str, Any] = field(
        default_factory=lambda: {
            "superior_by": "1%",
            "effect": 0.2,
            "baseline": "median",
            "metric": "mae",
        }
    )
    known: KnownRows | None = field(
        default_factory=lambda: KnownRows(rows=4_000, events=900.0, worst=-3.0, row_loss=2.0)
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
    search: SliceSearch | None = field(
        default_factory=lambda: SliceSearch(fitted=200, tested=200, leaves=8)
    )
    not_finite: tuple[str, ...] = ()
    columns: tuple[str, ...] = FEATURES
    plots: tuple[tuple[str, bytes], ...] = ()
    family: str = "gradient_boosting"
    estimators: tuple[str, ...] = ()
    alpha: float | None = 0.025
    pool: float = 0.05
    entity: tuple[str, ...] = ()
    riders: dict[str, Any] = field(default_factory=dict)
    """Of each table, by holdout, train and champion: values of the column rider."""
    key: tuple[str, ...] = ()
    trips: dict[str, Any] = field(default_factory=dict)
    """Of each table, by holdout, train and champion: values of the column trip."""
    shown: dict[str, Any] = field(default_factory=dict)
    """Of each table, by holdout and train: digests of what a model sees; default the rows'."""
    repeats_expected: bool = False
    signature: dict[str, str] | None = None
    """Of the champion; None: as the candidate's."""
    target: str = "fare"
    champion_model: bytes = b"champion"
    disturbed: tuple[Disturbed, ...] = (
        Disturbed(what="noise", kind="noise", rows=400, before=2.0, after=2.1, worse=0.1),
        Disturbed(what="distance", rows=400, before=2.0, after=6.0, worse=4.0),
        Disturbed(what="passengers", rows=400, before=2.0, after=2.0, worse=0.0),
    )

    def but(self, **changes: Any) -> World:
        return replace(self, **changes)

    @property
    def losses(self) -> tuple[np.ndarray, np.ndarray]:
        rows = self.holdout if self.scored is None else self.scored
        noise = np.abs(np.random.default_rng(3).normal(1.0, 0.3, len(rows)))
        candidate = 2.0 + (noise - noise.mean())
        return candidate, candidate + self.gain

    def table(self, who: str, rows: np.ndarray, target: str = "fare") -> bytes:
        random = np.random.default_rng(len(who))
        columns = {name: random.normal(size=len(rows)) for name in self.columns}
        columns[target] = random.normal(10.0, 3.0, size=len(rows))
        if who in self.riders:
            columns["rider"] = self.riders[who]
        if who in self.trips:
            columns["trip"] = self.trips[who]
        return parquet(
            __row=rows,
            __shown=self.shown.get(who, rows),
            __piece=(np.arange(len(rows)) * 3 // max(len(rows), 1)).astype(np.uint8),
            **columns,
        )

    @property
    def evaluation(self) -> HoldoutEvaluation | None:
        if self.alpha is None:
            return None
        spans = self.judged or self.window
        evaluated = [
            EvaluatedSpan(digest=digest_of(name), rows=ROWS, years=0.1, fresh=True, new=0.1)
            for name in spans
        ]
        return HoldoutEvaluation(
            run_key=digest_of("run"),
            pipeline="taxi",
            target="fare",
            sequence=4,
            number=4,
            spans=tuple(evaluated),
            refilled=0.005,
            pool=self.pool,
            alpha=self.alpha,
        )

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
                model=put("model.skops", self.champion_model),
                train=put("train.parquet", self.table("champion", self.champion_rows, self.target)),
                features=tuple(self.columns if self.signature is None else self.signature),
                signature=dict.fromkeys(self.columns, "float")
                if self.signature is None
                else self.signature,
                window=tuple(digest_of(name) for name in self.champion_window),
                sequence=2,
            )
        name = "champion v3" if champion else spec.baseline
        score = float(candidate.mean()) if len(candidate) else 2.0
        better = {
            "candidate": {
                "mae": estimate(score, 0.08, rows),
                "rmse": estimate(2.9, 0.2, rows),
                "r2": estimate(0.81, 0.02, rows),
            },
            "baseline": {
                "mae": estimate(score + self.gain, 0.09, rows),
                "rmse": estimate(3.1, 0.2, rows),
                "r2": estimate(0.78, 0.02, rows),
            },
            "dummy": {
                "mae": estimate(6.0, 0.3, rows),
                "rmse": estimate(9.1, 0.6, rows),
                "r2": estimate(-0.01, 0.01, rows),
            },
            "family:gradient_boosting": {
                "mae": estimate(score, 0.08, rows),
                "rmse": estimate(2.9, 0.2, rows),
                "r2": estimate(0.81, 0.02, rows),
            },
            "family:linear": {
                "mae": estimate(2.4, 0.09, rows),
                "rmse": estimate(3.6, 0.3, rows),
                "r2": estimate(0.71, 0.03, rows),
            },
        }
        evaluated = EvaluateResult(
            candidate=TrainResult(
                family=self.family,
                model=put("model.skops", self.model),
                params={"learning_rate": 0.1, "max_iter": 200},
                cv_score=2.05,
                trials=(),
                trusted=(),
                rows=len(self.train),
            ),
            baseline=name,
            scores=better,
            comparison=Comparison(
                metric=metric,
                baseline=name,
                candidate_score=score,
                baseline_score=score + self.gain,
                gain=estimate(self.gain, self.width, rows),
                margin=0.0,
                intention="superior_by",
                error=self.width / Z[0.025],
                units=100,
                known=self.known,
                bounds=bounds(self.gain, self.width),
            ),
            slices=self.slices,
            search=self.search,
            rows=rows,
            losses=put(
                "losses.parquet", parquet(__row=scored, candidate=candidate, baseline=baseline)
            ),
            sample=put("sample.parquet", self.sample),
            predictions=put("predictions.json", self.predictions),
            plots=tuple(put(name, data) for name, data in self.plots),
            card=put("card.html", b"<h1>card</h1>"),
            card_values=put("card.json", b"{}"),
            importances={column: 1.0 / (i + 1) for i, column in enumerate(self.columns)},
            not_finite=self.not_finite,
            disturbed=self.disturbed,
        )
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
                train=put("train.parquet", self.table("train", self.train)),
                holdout=put("holdout.parquet", self.table("holdout", self.holdout)),
                columns=tuple(
                    ColumnRole(
                        name=column, type="float", role="target" if column == "fare" else "feature"
                    )
                    for column in (*self.columns, "fare")
                ),
                classes=None,
                rows_train=len(self.train),
                rows_holdout=rows,
                dropped={"repeated rows": 12},
                proof=put("proof.json", b"{}"),
            ),
            evaluated=evaluated,
            estimators=self.estimators,
            entity=self.entity,
            key=self.key,
            repeats_expected=self.repeats_expected,
            seed=7,
            holdout_evaluation=self.evaluation,
        )


@pytest.fixture(scope="session")
def served() -> tuple[bytes, bytes, bytes]:
    """A fitted model's canonical bytes, a raw sample, and its predictions of that sample."""
    import pandas as pd
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from everfit.ml.model import predict_scores, save_model

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
