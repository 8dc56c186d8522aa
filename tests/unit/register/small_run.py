"""A judged run of small real pieces: a fitted pipeline, a sample, reports, a recorded verdict."""

from __future__ import annotations

import io

import pandas as pd

from everfit.contracts.base import canonical_json, digest_bytes, digest_of
from everfit.contracts.messages.cards import CardTable, ModelCard
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.requests import (
    EvaluateResult,
    GateResult,
    PrepareResult,
    RegisterRequest,
)
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.steps import Trigger
from everfit.contracts.messages.training import ColumnRole, TrainResult
from everfit.contracts.messages.verdicts import Comparison, Estimate
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine.context import Context
from everfit.engine.fingerprints import code_digest
from everfit.ml.model.save import save_model
from everfit.storage.ledger.records import RunRecord, VerdictRecord

FRAME = pd.DataFrame(
    {"miles": [1.0, 2.0, 3.0, 4.0], "riders": [1, 2, 1, 3], "fare": [3.0, 6.1, 8.9, 12.2]}
)

SPEC = PipelineSpec.model_validate(
    {
        "name": "fares",
        "task": "regression",
        "target": "fare",
        "source": {"uri": "{data}/*.csv"},
        "owner": "ada",
        "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
    }
)


CARD = ModelCard(
    pipeline="fares",
    description="A small model.",
    task="regression",
    target="fare",
    family="linear",
    parameters={"alpha": "1.0"},
    settings_tried=0,
    rows_fitted=4,
    size=9,
    tables=(CardTable(use="training", rows=4, digest="a" * 64),),
    features=("miles", "riders"),
    dropped={},
    metric="mae",
    baseline="median",
    dummy="median",
    confidence=0.95,
    rows_scored=4,
    scores={},
    comparison=None,
    slices=(),
    search=None,
    calibration=None,
    fairness=(),
    importances={"miles": 1.0},
    limitations=("It has seen four rows.",),
    run_key="c" * 64,
    model="d" * 64,
    seed=0,
    threads=1,
    row_loss="absolute error",
    environment={"python": "3.11.7"},
)
"""Of every run here, whatever it trained."""


def fitted() -> bytes:
    """Canonical skops bytes of a real two-column pipeline."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), Ridge()).fit(FRAME[["miles", "riders"]], FRAME["fare"])
    return save_model(model)[0]


def estimate(value: float) -> Estimate:
    """A score with an interval around it."""
    return Estimate(value=value, low=value - 0.5, high=value + 0.5, rows=4, method="by hand")


def small_run(
    context: Context,
    name: str = "first",
    verdict: str = "promote",
    champion: ChampionRef | None = None,
    model: bytes | None = None,
    record: bool = True,
    pipeline: str = "fares",
) -> RegisterRequest:
    """A run of its own for each ``name``; stored and recorded as the steps before would."""
    spec = SPEC.model_copy(update={"name": pipeline})
    store = context.store
    run_key = digest_bytes(f"{pipeline} {name}".encode())
    table = io.BytesIO()
    FRAME[["miles", "riders"]].to_parquet(table)
    trained = TrainResult(
        family="linear",
        model=store.put("linear.skops", model or fitted()),
        params={"alpha": 1.0, "fit_intercept": True},
        cv_score=0.25,
        trials=(),
        trusted=(),
        rows=4,
    )
    evaluated = EvaluateResult(
        candidate=trained,
        baseline="champion v1" if champion else "median",
        scores={
            "candidate": {"mae": estimate(0.5)},
            "dummy": {"mae": estimate(3.0)},
            "family:linear": {"mae": estimate(0.5)},
        },
        comparison=Comparison(
            metric="mae",
            baseline="median",
            candidate_score=0.5,
            baseline_score=3.0,
            gain=estimate(2.5),
            margin=0.03,
            intention="superior_by",
        ),
        slices=(),
        rows=4,
        losses=store.put("losses.parquet", b"losses"),
        sample=store.put("sample.parquet", table.getvalue()),
        predictions=store.put("predictions.json", b"[]"),
        plots=(store.put("residuals.svg", b"<svg/>"), store.put("importances.svg", b"<svg></svg>")),
        card=store.put("model_card.html", b"<!DOCTYPE html><h1>Fares</h1>"),
        card_values=store.put("model_card.json", canonical_json(CARD)),
        importances={"miles": 1.0},
    )
    columns = (
        ColumnRole(name="miles", type="float", role="feature"),
        ColumnRole(name="riders", type="integer", role="feature"),
        ColumnRole(name="fare", type="float", role="target"),
    )
    train = store.put("train.parquet", b"train " + name.encode())
    decision = GateResult(
        verdict=verdict,
        because="the candidate is better by 2.5",
        checks=(),
        model=trained.model.digest,
        training_table=train.digest,
        report_json=store.put("decision_report.json", b"{}"),
        report_html=store.put("decision_report.html", b"<h1>promote</h1>"),
    )
    store.put("gate.json", canonical_json(decision))
    window = (
        Span(name="2018-01.csv", digest=digest_bytes(b"jan" + name.encode()), rows=4, size=9),
    )
    holdout = (Span(name="2018-02.csv", digest=digest_bytes(b"feb"), rows=4, size=9),)
    request = RegisterRequest(
        run_key=run_key,
        spec=spec,
        champion=champion,
        window=window,
        holdout=holdout,
        prepared=PrepareResult(
            run_key=run_key,
            train=train,
            holdout=store.put("holdout.parquet", b"holdout"),
            columns=columns,
            classes=None,
            rows_train=4,
            rows_holdout=4,
            dropped={},
            proof=store.put("proof.json", b"{}"),
        ),
        evaluated=evaluated,
        decision=decision,
        data_report=store.put("data_report.html", b"<h1>data</h1>"),
        code=code_digest("run"),
        environment=digest_bytes(b"environment"),
    )
    if record:
        context.ledger.open_run(
            pipeline,
            RunRecord(
                run_key=run_key,
                spec=digest_bytes(b"spec"),
                window=(window[0].digest,),
                holdout=(holdout[0].digest,),
                code=request.code,
                environment=request.environment,
                seed=0,
                champion=champion,
                trigger=Trigger(),
            ),
        )
        context.ledger.record_verdict(
            VerdictRecord(
                run_key=run_key,
                verdict=decision.verdict,
                because=decision.because,
                decision=digest_of(decision),
            )
        )
    return request
