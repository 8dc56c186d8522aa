"""Predictions as served: joined by key whatever its type, the last one for each row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.steps.monitor.logged_predictions import read_logs, served
from everfit.steps.monitor.read_rows import Rows


def spec(task="regression", **log):
    baseline = "mean" if task == "regression" else "prior"
    return PipelineSpec.model_validate(
        {
            "name": "p",
            "task": task,
            "target": "y",
            "source": {"uri": "{data}/*.csv"},
            "gate": {"superior_by": 0.1, "baseline": baseline},
            "monitor": {"predictions": {"uri": "{data}/log/*", "key": ["id"], **log}},
        }
    )


def rows(target, **columns):
    frame = pd.DataFrame(columns)
    target = pd.Series(target)
    labelled = target.notna().to_numpy()
    return Rows(frame, target.to_numpy(), labelled, np.arange(len(frame), dtype=np.uint64))


@pytest.fixture
def logs(tmp_path):
    def written(log, *frames):
        paths = []
        for number, frame in enumerate(frames):
            path = tmp_path / f"{number}.parquet"
            pd.DataFrame(frame).to_parquet(path)
            paths.append(path)
        return read_logs(paths, log.monitor.predictions)

    return written


def test_labelled_rows_meet_their_predictions_by_key(logs):
    log = logs(spec(), {"id": [3.0, 1.0, 9.0], "prediction": [30.5, 10.5, 90.5]})
    found = served(rows([10.0, 20.0, np.nan], id=[1, 2, 3]), log, spec(), None, 0)
    assert found.scores.tolist() == [10.5]
    assert found.rows.tolist() == [True, False, False]
    assert found.logged == 2


def test_the_last_prediction_counts(logs):
    files = (
        {"id": [1, 2], "prediction": [1.0, 2.0], "at": pd.to_datetime(["2020-02-01", None])},
        {"id": [1, 2], "prediction": [8.0, 9.0], "at": pd.to_datetime(["2020-01-01"] * 2)},
    )
    table = rows([0.0, 0.0], id=[1, 2])
    by_order = served(table, logs(spec(), *files), spec(), None, 0)
    assert by_order.scores.tolist() == [8.0, 9.0]
    timed = spec(time="at")
    assert served(table, logs(timed, *files), timed, None, 0).scores.tolist() == [1.0, 9.0]


def test_keys_of_several_columns_and_missing_ones(logs):
    two = spec(key=["a", "b"])
    log = logs(two, {"a": ["x", "x", None], "b": [1, 2, 3], "prediction": [1.0, 2.0, 3.0]})
    found = served(rows([0.0] * 3, a=["x", "x", None], b=[2, 7, 3]), log, two, None, 0)
    assert found.scores.tolist() == [2.0]
    assert served(rows([0.0], a=["x"]), log, two, None, 0) is None, "the span lacks a key column"
    assert served(rows([0.0], a=["q"], b=[1]), log, two, None, 0) is None, "nothing is joined"


def test_probabilities_are_of_the_positive_class(logs):
    binary = spec("binary")
    log = logs(binary, {"id": [1, 2], "prediction": [0.25, 1.0]})
    found = served(rows(["no", "yes"], id=[1, 2]), log, binary, ("no", "yes"), 1)
    assert found.scores.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert "log_loss" in found.metrics


def test_classes_are_scored_by_what_needs_no_probability(logs):
    many = spec("multiclass")
    log = logs(many, {"id": [1, 2, 3], "prediction": ["b", "a", "z"]})
    found = served(rows(["b", "b", "a"], id=[1, 2, 3]), log, many, ("a", "b"), 0)
    assert found.scores.argmax(axis=1).tolist() == [1, 0, 2]
    assert found.metrics == ("accuracy", "balanced_accuracy", "f1_macro")
    log = logs(spec("binary"), {"id": [1, 2], "prediction": [1, 0]})
    found = served(rows([1, 1], id=[1, 2]), log, spec("binary"), ("0", "1"), 1)
    assert found.scores.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert found.metrics == ("accuracy", "balanced_accuracy", "f1")


def test_text_where_a_number_is_predicted_is_no_prediction(logs):
    log = logs(spec(), {"id": [1], "prediction": ["cheap"]})
    assert served(rows([1.0], id=[1]), log, spec(), None, 0) is None
