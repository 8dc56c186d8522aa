"""Training on the real tables: good models, equal bytes, and clear lines when it cannot be."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from everfit.contracts.errors import SourceError, UserError
from everfit.contracts.messages.requests import PrepareRequest
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.training import TrainRequest
from everfit.contracts.spec.pipeline import FeatureSpec
from everfit.contracts.spec.train import FamilySpec
from everfit.data.tables.frames import read_table
from everfit.ml.model import class_codes, load_model, predict_scores
from everfit.steps.prepare.step import Prepare
from everfit.steps.train.step import Train

ROOT = Path(__file__).resolve().parents[3]
WORDS = {
    "int64": "integer",
    "double": "float",
    "string": "string",
    "null": "float",
    "timestamp[s]": "timestamp",
    "timestamp[us]": "timestamp",
}

TASKS = {
    "nyc": {
        "files": ["nyc_yellow/2018-01.csv", "nyc_yellow/2018-02.csv"],
        "judged": 1,
        "rows": 1500,
        "task": "regression",
        "target": "fare_amount",
        "time": "pickup_datetime",
        "metric": "mae",
        "features": {
            "drop": ["total_amount", "tip_amount"],
            "derive": {"minutes": "minutes(pickup_datetime, dropoff_datetime)"},
        },
    },
    "chicago": {
        "files": ["chicago_taxi/data.csv"],
        "judged": 0,
        "rows": 2000,
        "task": "binary",
        "target": "big_tip",
        "target_expression": "tips > 0.2 * fare",
        "metric": "roc_auc",
        "features": {"drop": ["tips"], "keep": ["fare"]},
    },
    "penguins": {
        "files": ["penguins/penguins.csv"],
        "judged": 0,
        "rows": 400,
        "task": "multiclass",
        "target": "species",
        "metric": "log_loss",
        "features": {},
    },
}


def prepared(context, task, tables):
    columns = {f.name: WORDS[str(f.type)] for t in tables for f in t.schema}
    spans = []
    for number, table in enumerate(tables):
        path = context.scratch / f"{number}.parquet"
        pq.write_table(table, path)
        stored = context.store.put(path.name, path)
        spans.append(
            Span(name=str(number), digest=stored.digest, rows=len(table), size=stored.size)
        )
    judged = task.get("judged", 0)
    request = PrepareRequest(
        run_key="0" * 64,
        task=task["task"],
        target=task["target"],
        target_expression=task.get("target_expression"),
        positive=None,
        time=task.get("time"),
        entity=tuple(task.get("entity", ())),
        features=FeatureSpec(**task["features"]),
        kept_columns=(),
        columns=columns,
        window=tuple(spans[: len(spans) - judged]),
        holdout=tuple(spans[len(spans) - judged :]),
        fraction=None if judged else 0.3,
    )
    return Prepare().run(request, context)


def real(context, shared_data, name):
    task = TASKS[name]
    tables = [pyarrow.csv.read_csv(shared_data / f).slice(0, task["rows"]) for f in task["files"]]
    return task, prepared(context, task, tables)


def request_for(task, table, **fields):
    family = fields.pop("family", FamilySpec(name="linear"))
    return TrainRequest.model_validate(
        {
            "task": task["task"],
            "metric": task["metric"],
            "target": task["target"],
            "classes": table.classes,
            "train": table.train,
            "columns": table.columns,
            "time": task.get("time"),
            "entity": task.get("entity", ()),
            "features": FeatureSpec(**task["features"]),
            "family": family,
            "trials": 2,
            "folds": 2,
            "search_rows": 1000,
            "seed": 0,
            "threads": 1,
            **fields,
        }
    )


FEW_TREES = {
    "random_forest": {"n_estimators": 8},
    "extra_trees": {"n_estimators": 8},
    "gradient_boosting": {"max_iter": 30},
}


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("family", ["linear", "gradient_boosting", "random_forest", "extra_trees"])
def test_every_family_beats_guessing_on_real_tables(context, shared_data, name, family):
    task, table = real(context, shared_data, name)
    spec = FamilySpec(name=family, params=FEW_TREES.get(family, {}))
    result = Train().run(request_for(task, table, family=spec), context)
    assert len(result.trials) == 2
    assert result.cv_score == pytest.approx(
        (max if name == "chicago" else min)(t.score for t in result.trials)
    )
    model = load_model(context.store, result.model, context.scratch)
    holdout = read_table(context.store.local(table.holdout.digest, context.scratch))
    scores = predict_scores(model, holdout, task["task"])
    if name == "nyc":
        truth = holdout["fare_amount"].to_numpy()
        assert np.abs(truth - scores).mean() < np.abs(truth - np.median(truth)).mean() / 2
    else:
        codes = class_codes(holdout[task["target"]], table.classes)
        share = np.bincount(codes).max() / len(codes)
        assert (scores.argmax(axis=1) == codes).mean() > share + 0.05
        assert [str(c) for c in model.classes_] == list(table.classes)
    shuffled = holdout[list(holdout.columns[::-1])].assign(unknown=1)
    np.testing.assert_array_equal(predict_scores(model, shuffled, task["task"]), scores)


SCRIPT = """
import json, sys
from pathlib import Path
from everfit.engine.context import pin_threads
pin_threads(1)
from types import SimpleNamespace
from everfit.contracts.messages.training import TrainRequest
from everfit.engine.progress import LogProgress
from everfit.storage.store import open_store
from everfit.steps.train.step import Train
scratch = Path(sys.argv[2])
context = SimpleNamespace(store=open_store(sys.argv[1]), scratch=scratch, progress=LogProgress())
for line in sys.stdin:
    print(Train().run(TrainRequest.model_validate_json(line), context).model_dump_json())
"""


def test_two_processes_write_the_same_bytes(context, shared_data):
    task, table = real(context, shared_data, "nyc")
    requests = [
        request_for(task, table, family=FamilySpec(name=name, params=FEW_TREES.get(name, {})))
        for name in ("linear", "gradient_boosting")
    ]
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, context.store.url, str(context.scratch)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            input="\n".join(request.model_dump_json() for request in requests),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    here = [Train().run(request, context).model.digest for request in requests]
    assert [json.loads(line)["model"]["digest"] for line in told.pop().splitlines()] == here


def test_raw_rows_may_be_strange_but_not_lack_a_column(context, shared_data):
    task, table = real(context, shared_data, "chicago")
    result = Train().run(request_for(task, table), context)
    model = load_model(context.store, result.model, context.scratch)
    holdout = read_table(context.store.local(table.holdout.digest, context.scratch)).head(5)
    strange = holdout.assign(payment_type="Barter", fare="much", trip_miles=np.inf, company=None)
    assert np.isfinite(predict_scores(model, strange, "binary")).all()
    with pytest.raises(SourceError, match="fare missing"):
        predict_scores(model, holdout.drop(columns="fare"), "binary")


def test_any_estimator_by_import_path(context, shared_data):
    task, table = real(context, shared_data, "penguins")
    family = FamilySpec(
        name="neighbours",
        estimator="sklearn.neighbors.KNeighborsClassifier",
        params={"weights": "distance"},
        search={"n_neighbors": (1, 5, 9)},
    )
    result = Train().run(request_for(task, table, family=family, trials=9), context)
    assert [t.params["n_neighbors"] for t in result.trials] == [1, 5, 9]
    assert result.params["weights"] == "distance"
    load_model(context.store, result.model, context.scratch, [family.estimator])


def synthetic(context, n=400, **fields):
    rng = np.random.default_rng(0)
    columns = {
        "x": rng.normal(size=n),
        "who": rng.integers(0, 40, n),
        "y": rng.normal(size=n),
    }
    task = {"task": "regression", "target": "y", "metric": "mae", "features": {}, **fields}
    return task, prepared(context, task, [pa.table(columns)])


def test_an_entity_is_read_by_expressions_and_never_encoded(context):
    task, table = synthetic(context, entity=("who",), features={"derive": {"odd": "who % 2"}})
    result = Train().run(request_for(task, table), context)
    model = load_model(context.store, result.model, context.scratch)
    assert set(model.feature_names_in_) == {"x", "who"}
    assert {name.partition(" ")[0] for name in model["encode"].names_} == {"x", "odd"}


def test_the_search_sees_few_rows_and_the_winner_all(context, monkeypatch):
    from everfit.ml.families import fitting
    from everfit.steps.train import search

    sizes = []
    original = search.fit

    def counted(estimator, matrix, values, *others, **more):
        sizes.append(len(values))
        return original(estimator, matrix, values, *others, **more)

    for module in (fitting, search):
        monkeypatch.setattr(module, "fit", counted)
    task, table = synthetic(context)
    result = Train().run(request_for(task, table, search_rows=100, trials=1), context)
    assert sizes == [50, 50, table.rows_train]
    assert result.rows == table.rows_train


def test_a_failed_setting_is_recorded_and_the_others_go_on(context):
    task, table = synthetic(context)
    family = FamilySpec(name="linear", search={"alpha": (-1.0, 1.0)})
    result = Train().run(request_for(task, table, family=family), context)
    assert [t.score is None for t in result.trials] == [True, False]
    assert result.params["alpha"] == 1.0


def test_when_every_setting_fails_the_reason_is_told(context):
    task, table = synthetic(context)
    family = FamilySpec(name="linear", params={"alpha": -1.0})
    with pytest.raises(UserError) as error:
        Train().run(request_for(task, table, family=family), context)
    assert error.value.code == "TRAIN-FAILED"
    assert "alpha" in error.value.line


def test_what_estimators_warn_of_is_told_once_a_family(context, caplog):
    task, table = synthetic(context)
    family = FamilySpec(
        name="net",
        estimator="sklearn.neural_network.MLPRegressor",
        params={"max_iter": 1},
        search={"alpha": [0.1, 0.2]},
    )
    with caplog.at_level(logging.INFO, "everfit"):
        Train().run(request_for(task, table, family=family), context)
    (line,) = [r.getMessage() for r in caplog.records if "ConvergenceWarning" in r.getMessage()]
    assert line.startswith("net: ")


def test_inputs_are_left_as_they_are(context):
    task, table = synthetic(context)
    before = context.store.get(table.train.digest)
    first = Train().run(request_for(task, table), context)
    assert first == Train().run(request_for(task, table), context)
    assert context.store.get(table.train.digest) == before


def test_too_few_rows_for_the_folds_is_told(context):
    task, table = synthetic(context, n=6)
    with pytest.raises(UserError, match="no fold has rows to fit on"):
        request = request_for(task, table, folds=20, search_rows=100, time="x", trials=1)
        Train().run(request, context)
