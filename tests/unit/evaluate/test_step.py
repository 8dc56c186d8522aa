"""The whole component on small worlds: what it publishes, and how it fails closed."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from everfit.contracts.base import canonical_json, digest_of
from everfit.contracts.messages.cards import ModelCard
from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.requests import EvaluateRequest, PrepareResult
from everfit.contracts.messages.steps import Order
from everfit.contracts.spec.gate import FairnessSpec, SliceSpec
from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.metrics import metrics_of
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.tables.frames import read_table
from everfit.engine.upstream import Upstream
from everfit.ml.model import load_model, predict_scores
from everfit.ml.scoring.predictions import predictions_json
from everfit.steps.evaluate.output_files import losses, raw_rows
from everfit.steps.evaluate.step import Evaluate
from everfit.storage.ledger.records import VersionRecord

TASKS = ("regression", "binary", "multiclass")


def table_of(world, artifact) -> pd.DataFrame:
    return pq.read_table(io.BytesIO(world.context.store.get(artifact.digest))).to_pandas()


@pytest.mark.parametrize("task", TASKS)
def test_everything_a_gate_and_a_reader_need_is_published(world, task):
    made = world(task, slices=(SliceSpec(name="right", where="x > 0"),))
    result = Evaluate().run(made.request, made.context)
    assert result.candidate.family == "good"
    assert set(result.scores) == {"candidate", "baseline", "dummy", "family:poor"}
    for metrics in result.scores.values():
        assert set(metrics) == set(metrics_of(task))
        assert all(e.low <= e.value <= e.high for e in metrics.values())
    assert result.not_finite == ()
    assert result.baseline == made.request.baseline
    assert result.scores["baseline"] == result.scores["dummy"]
    assert result.comparison.gain.low > 0
    assert result.comparison.margin == pytest.approx(0.01 * result.comparison.baseline_score)
    assert result.slices[0].rows == int((made.holdout["x"] > 0).sum())
    assert result.importances["x"] > 10 * abs(result.importances["noise"])
    pictures = {
        "regression": {
            "scores.svg",
            "predicted_and_actual.svg",
            "errors.svg",
            "importances.svg",
        },
        "binary": {
            "scores.svg",
            "roc.svg",
            "precision_recall.svg",
            "calibration.svg",
            "importances.svg",
        },
        "multiclass": {"scores.svg", "confusion.svg", "recall.svg", "importances.svg"},
    }
    assert {plot.name for plot in result.plots} == pictures[task]


@pytest.mark.parametrize("task", TASKS)
def test_equal_requests_give_equal_bytes(world, task):
    made = world(task, time=True, entity=("who",))
    first = canonical_json(Evaluate().run(made.request, made.context))
    assert canonical_json(Evaluate().run(made.request, made.context)) == first


GROUPED = {"regression": "mae", "binary": "selection_rate", "multiclass": "accuracy"}


@pytest.mark.parametrize("task", TASKS)
def test_slices_calibration_and_groups_are_published_to_the_same_bytes(undrawn, world, task):
    made = world(
        task,
        rows=1_200,
        time=True,
        find_slices=True,
        slice_worse_by=Margin(value=0.02),
        slices=(SliceSpec(name="right", where="x > 0"), SliceSpec(name="few", where="x > 3")),
        fairness=(FairnessSpec(by="side", metric=GROUPED[task], max_gap=0.1),),
    )
    holdout = made.holdout.assign(side=np.where(made.holdout["noise"] > 0, "a", None))
    request = made.request.model_copy(update={"holdout": made.put(holdout)})
    result = Evaluate().run(request, made.context)
    assert canonical_json(Evaluate().run(request, made.context)) == canonical_json(result)
    right, few = result.slices[:2]
    assert (right.allowed, right.p_value) == (0.02, 1.0)  # the baseline is the dummy
    assert few.why.endswith("rows are too few, 200 are needed")
    assert result.search.fitted + result.search.tested == 1_200
    assert len(result.slices) == 2 + result.search.worse
    assert (result.calibration is None) == (task == "regression")
    (gap,) = result.fairness
    assert {one.group for one in gap.groups} == {"a", "missing"}
    assert gap.gap.low <= gap.gap.value <= gap.gap.high
    words = made.context.store.get(result.card.digest).decode()
    assert ("Calibration</h2>" in words) == (task != "regression")
    for must in (
        "Slices</h2>",
        "x &gt; 0",
        "Slices were searched for",
        "Groups</h2>",
        "missing",
        "Not assessed on slices: few",
    ):
        assert must in words


@pytest.mark.parametrize("task", TASKS)
def test_row_losses_are_paired_by_row_and_average_to_the_scores(undrawn, world, task):
    made = world(task)
    result = Evaluate().run(made.request, made.context)
    published = table_of(made, result.losses)
    assert list(published) == ["__row", "candidate", "baseline"]
    assert published["__row"].dtype == np.uint64
    assert (published["__row"].to_numpy() == made.holdout["__row"].to_numpy()).all()
    for who in ("candidate", "baseline"):
        score = result.scores[who][made.request.metric].value
        assert published[who].mean() == pytest.approx(score)
    gain = (published["baseline"] - published["candidate"]).mean()
    assert result.comparison.gain.value == pytest.approx(gain)


@pytest.mark.parametrize("task", TASKS)
def test_the_sample_is_predicted_again_to_the_same_bits(undrawn, world, task):
    made = world(task)
    result = Evaluate().run(made.request, made.context)
    store, scratch = made.context.store, made.context.scratch
    rows = read_table(store.local(result.sample.digest, scratch))
    assert list(rows) == ["x", "noise"]
    assert len(rows) == 200
    model = load_model(store, result.candidate.model, scratch)
    again = predict_scores(model, rows, task).tolist()
    assert json.loads(store.get(result.predictions.digest)) == again


def test_a_champion_is_the_baseline(undrawn, world):
    made = world("binary")
    champion = made.saved(made.fitted(made.table(40)))
    result = Evaluate().run(made.with_champion(champion), made.context)
    assert result.baseline == result.comparison.baseline == "champion v3"
    assert result.scores["baseline"] != result.scores["dummy"]
    assert result.not_finite == ()


def test_the_same_model_as_champion_gains_nothing(undrawn, world):
    made = world("regression")
    same = made.request.models[1].model
    gain = Evaluate().run(made.with_champion(same), made.context).comparison.gain
    assert (gain.low, gain.value, gain.high) == (0, 0, 0)


def assert_fails_closed(world, request, words: str) -> None:
    result = Evaluate().run(request, world.context)
    assert result.comparison is None
    assert "baseline" not in result.scores
    assert result.baseline == "champion v3"
    assert words in result.not_finite[0]
    assert table_of(world, result.losses)["baseline"].isna().all()
    assert words.partition(";")[0] in world.context.store.get(result.card.digest).decode()
    assert str(world.context.scratch.parent) not in "".join(result.not_finite)
    told = Evaluate().report(result, world.context).summary
    assert told.not_finite >= 1


def test_a_champion_whose_columns_are_gone_fails_closed(undrawn, world):
    made = world("binary")
    champion = made.saved(made.fitted(made.table(100).assign(gone=1.0), "x", "gone"))
    assert_fails_closed(
        made,
        made.with_champion(champion),
        "baseline: champion v3 cannot be scored: its column gone is not in the holdout",
    )


def test_champion_bytes_that_are_no_model_fail_closed(undrawn, world):
    made = world("binary")
    junk = made.context.store.put("model.skops", b"not a model")
    assert_fails_closed(made, made.with_champion(junk), "champion v3 cannot be scored: MODEL-FILE")


def test_a_champion_that_is_gone_fails_closed(undrawn, world):
    made = world("binary")
    lost = made.request.models[0].model.model_copy(update={"digest": "d" * 64})
    assert_fails_closed(
        made, made.with_champion(lost), "champion v3 cannot be scored: STORE-MISSING"
    )


def test_a_champion_that_answers_nan_fails_closed(undrawn, world):
    made = world("regression")
    model = made.fitted(made.table(100))
    model[-1].coef_[:] = np.nan
    result = Evaluate().run(made.with_champion(made.saved(model)), made.context)
    assert result.comparison is None
    assert result.not_finite[0] == "baseline.600 of 600 predictions"


def test_a_candidate_that_answers_nan_is_published_as_such(undrawn, world):
    made = world("regression")
    model = made.fitted(made.table(100))
    model[-1].intercept_ = np.inf
    broken = made.request.models[1].model_copy(update={"model": made.saved(model)})
    request = made.request.model_copy(update={"models": (made.request.models[0], broken)})
    result = Evaluate().run(request, made.context)
    assert result.comparison is None
    assert result.scores["candidate"] == {}
    assert "candidate.600 of 600 predictions" in result.not_finite
    assert "candidate.predictions of the sample" in result.not_finite
    assert "importances" in result.not_finite
    published = json.loads(made.context.store.get(result.predictions.digest))
    assert published == [None] * 200


def test_a_holdout_of_one_class_or_one_row_is_no_crash(world):
    made = world("binary")
    frame = made.holdout.assign(target="yes")
    for rows, strange in ((frame, "roc_auc"), (frame[:1], "log_loss interval")):
        holdout = made.put(rows)
        result = Evaluate().run(made.request.model_copy(update={"holdout": holdout}), made.context)
        # the rows' fault, which rejects nobody
        assert f"rows.candidate.{strange}" in result.not_finite


def test_a_holdout_without_rows_is_no_crash(world):
    for task in TASKS:
        made = world(task, time=True)
        holdout = made.put(made.holdout[:0])
        result = Evaluate().run(made.request.model_copy(update={"holdout": holdout}), made.context)
        assert result.rows == 0
        assert result.comparison is None
        assert f"rows.candidate.{made.request.metric}" in result.not_finite


def test_a_class_that_training_never_saw_counts_as_wrong(undrawn, world):
    made = world("multiclass")
    frame = made.holdout.copy()
    frame.loc[:59, "target"] = "never seen"
    holdout = made.put(frame)
    result = Evaluate().run(made.request.model_copy(update={"holdout": holdout}), made.context)
    assert result.scores["candidate"]["accuracy"].value <= 0.9
    assert result.comparison is not None


def test_trust_comes_from_the_spec_and_never_from_the_result(world):
    """What a training result says of itself is not what its model may hold."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from everfit.contracts.errors import IntegrityError

    made = world("regression")
    train = made.table(100)
    model = make_pipeline(FunctionTransformer(np.nan_to_num), Ridge())
    model.fit(train[["x", "noise"]], train["target"])
    artifact = made.saved(model)
    evil = made.request.models[1].model_copy(
        update={"model": artifact, "trusted": ("numpy.nan_to_num",)}
    )
    with pytest.raises(IntegrityError, match="MODEL-TYPES"):
        Evaluate().run(made.request.model_copy(update={"models": (evil,)}), made.context)


def test_the_request_follows_from_the_order(world):
    made = world("binary")
    spec = PipelineSpec.model_validate(
        {
            "name": "example",
            "task": "binary",
            "target": "target",
            "description": "Words.",
            "source": {"uri": "x.csv"},
            "time": "when",
            "entity": ["who"],
            "train": {"families": ["linear", {"name": "own", "estimator": "my.Model"}], "seed": 5},
            "slices": [{"name": "right", "where": "x > 0"}],
            "gate": {
                "baseline": "prior",
                "not_worse_than": "2%",
                "confidence": 0.9,
                "metric": "roc_auc",
            },
        }
    )
    plan = PlanResult(
        decision="train",
        because="new",
        window=(),
        holdout=(),
        code="1" * 64,
        environment="2" * 64,
        champion=made.with_champion(made.request.models[0].model).champion,
    )
    champion = plan.champion
    made.context.ledger.record_version(
        "example",
        VersionRecord(
            run_key=champion.run_key, version=champion.version, mlflow_run="m", champion=champion
        ),
    )
    prepared = PrepareResult(
        run_key="b" * 64,
        train=made.request.train,
        holdout=made.request.holdout,
        columns=made.request.columns,
        classes=("no", "yes"),
        rows_train=400,
        rows_holdout=600,
        dropped={"duplicate": 3},
        proof=made.request.train,
    )
    put = made.context.store.put
    order = Order(
        component="evaluate",
        pipeline=spec,
        upstream={
            "plan": (put("p", canonical_json(plan)).digest,),
            "prepare": (put("q", canonical_json(prepared)).digest,),
            "train": tuple(put("t", canonical_json(m)).digest for m in made.request.models),
        },
    )
    request = Evaluate().request(order, Upstream(order, made.context), made.context)
    assert request.models == made.request.models
    assert request.champion == plan.champion
    assert request.run_key == "b" * 64
    assert (request.metric, request.confidence, request.seed) == ("roc_auc", 0.9, 5)
    assert (request.intention, request.margin) == (
        "not_worse_than",
        Margin(value=0.02, relative=True),
    )
    assert request.trusted == ("my.Model",)
    assert request.slices == spec.slices
    assert request.dropped == {"duplicate": 3}
    assert EvaluateRequest.model_validate_json(canonical_json(request)) == request
    again = Evaluate().request(order, Upstream(order, made.context), made.context)
    assert digest_of(request) == digest_of(again)


def test_people_are_told_who_gained_what(undrawn, world):
    made = world("binary")
    result = Evaluate().run(made.request, made.context)
    report = Evaluate().report(result, made.context)
    assert report.summary.candidate == "good"
    assert report.summary.metric == "log_loss"
    assert report.summary.baseline == "prior"
    assert report.summary.low < report.summary.gain < report.summary.high
    assert report.reports == {"model_card": result.card}
    json.dumps(report.summary.shown())


def test_the_card_says_what_a_reader_must_know(world):
    made = world("binary", time=True, description="Predicts | things\n<b>for</b> `you`.")
    result = Evaluate().run(made.request, made.context)
    words = made.context.store.get(result.card.digest).decode()
    assert "Predicts | things\n&lt;b&gt;for&lt;/b&gt; `you`." in words
    for must in (
        "<h1>example</h1>",
        "</svg>candidate</span>",
        "Intended use</h2>",
        "Model</h2>",
        "Data</h2>",
        "Scores</h2>",
        "Importance of columns</h2>",
        "Limitations</h2>",
        "Provenance</h2>",
        made.request.run_key,
        result.candidate.model.digest,
        "2026-01-01 09:59:00",
        "scikit-learn",
        "400",
        "600",
    ):
        assert must in words
    score = result.scores["candidate"]["log_loss"]
    assert f"{score.value:.3f}<br>" in words
    assert f"{score.low:.3f} to {score.high:.3f}<" in words
    card = ModelCard.model_validate_json(made.context.store.get(result.card_values.digest))
    assert card.scores == result.scores
    assert card.description == made.request.description


def test_a_cache_hit_costs_no_heavy_import():
    code = (
        "import sys, everfit.steps.evaluate.step; "
        "print([m for m in ('numpy', 'pandas', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(npst.arrays(np.float64, npst.array_shapes(min_dims=1, max_dims=2), elements=st.floats()))
def test_predictions_read_back_to_the_same_bits(scores):
    back = np.array(json.loads(predictions_json(scores)), dtype=object)
    assert back.shape == scores.shape
    for found, want in zip(back.ravel(), scores.ravel(), strict=True):
        assert (found is None and not np.isfinite(want)) or found == want


def test_strange_losses_are_missing_ones():
    made = losses(np.arange(2, dtype=np.uint64), {"candidate": np.array([1.0, np.nan])})
    assert pq.read_table(io.BytesIO(made))["candidate"].null_count == 1


def test_raw_rows_keep_their_types_across_row_groups(tmp_path):
    import pyarrow as pa

    table = pa.table(
        {"a": pa.array(range(10), pa.int32()), "b": [None, *"bcdefghij"], "c": [0] * 10}
    )
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=3)
    data = raw_rows(tmp_path / "t.parquet", ["b", "a"], np.array([0, 2, 3, 9]))
    found = pq.read_table(io.BytesIO(data))
    assert found.schema == pa.schema({"b": pa.string(), "a": pa.int32()})
    assert found.to_pydict() == {"b": [None, "c", "d", "j"], "a": [0, 2, 3, 9]}
