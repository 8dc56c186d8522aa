"""Disturbed inputs: noise of the size asked for, one feature missing at a time, crashes told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from everfit.contracts.errors import SourceError, Unavailable
from everfit.contracts.messages.training import ColumnRole, TrainResult
from everfit.contracts.spec.gate import StabilitySpec
from everfit.data.tables.frames import type_name
from everfit.steps.evaluate.disturbed import MISSING_ROWS, MOST_FEATURES, disturbed, missing, noisy
from everfit.steps.evaluate.step import Evaluate

TYPES = ("integer", "float", "string", "boolean", "timestamp")


def roles(**types):
    return [ColumnRole(name=name, type=kind, role="feature") for name, kind in types.items()]


def look(frame, columns, predict, truth, **changes):
    options = {"importances": {}, "noise": 0.1, "greater_is_better": False, "seed": 7}
    return disturbed(
        frame,
        columns,
        predict,
        lambda scores, rows: float(np.abs(scores - truth[:rows]).mean()),
        **{**options, **changes},
    )


@pytest.fixture
def frame():
    random = np.random.default_rng(1)
    return pd.DataFrame({"x": random.normal(size=1000), "z": random.normal(size=1000)})


def test_noise_has_the_size_that_was_asked_for():
    column = pd.Series(np.random.default_rng(0).normal(5.0, 3.0, 20_000))
    added = noisy(column, "float", 0.02, [1, 2]) - column
    # 0.02 of a standard deviation of 3, over 20,000 draws: within 5 standard errors
    assert added.std() == pytest.approx(0.06, rel=5 / np.sqrt(2 * 20_000))
    assert abs(added.mean()) < 5 * 0.06 / np.sqrt(20_000)


def test_whole_numbers_stay_whole_and_missing_ones_missing():
    whole = pd.Series(np.arange(0, 100_000, 100))
    changed = noisy(whole, "integer", 0.1, [1])
    assert changed.dtype == np.int64
    assert (changed != whole).mean() > 0.9
    gaps = whole.astype(np.float64).where(whole % 300 != 0)
    changed = noisy(gaps, "integer", 0.1, [1])
    assert (changed.isna() == gaps.isna()).all()
    assert (changed.dropna() % 1 == 0).all()


numbers = npst.arrays(np.float64, st.integers(0, 20), elements=st.floats(width=64))


@settings(max_examples=200, deadline=None)
@given(numbers, st.sampled_from(["integer", "float"]), st.floats(0.001, 0.5))
def test_noise_makes_nothing_infinite_or_missing(values, kind, noise):
    column = pd.Series(values)
    changed = noisy(column, kind, noise, [3])
    assert len(changed) == len(column)
    assert (np.isfinite(changed.to_numpy(np.float64)) == np.isfinite(values)).all()
    assert changed.index.equals(column.index)


@pytest.mark.parametrize("kind", TYPES)
def test_a_missing_column_has_the_type_its_table_would_give_it(kind):
    column = missing(3, kind, pd.RangeIndex(3))
    assert column.isna().all()
    # where all are missing, booleans and integers are read as floats
    assert type_name(column.dtype) == {"boolean": "float", "integer": "float"}.get(kind, kind)


def test_the_score_gets_worse_by_what_the_noise_does(frame):
    truth = frame["x"].to_numpy()
    found = look(frame, roles(x="float", z="float"), lambda f: f["x"].to_numpy(), truth)
    noise = found[0]
    assert (noise.what, noise.kind, noise.rows, noise.before) == ("noise", "noise", 1000, 0.0)
    # the mean of |N(0, s)| is s * sqrt(2 / pi), and s is a tenth of the column's own
    expected = 0.1 * frame["x"].std() * np.sqrt(2 / np.pi)
    assert noise.worse == noise.after == pytest.approx(expected, rel=0.1)


def test_a_greater_score_that_falls_is_worse(frame):
    truth = np.zeros(1000)
    for greater, sign in ((True, -1), (False, 1)):
        found = look(
            frame,
            roles(z="float"),
            lambda f: f["z"].fillna(9.0).to_numpy(),
            truth,
            greater_is_better=greater,
        )
        gone = found[1]
        assert gone.after == pytest.approx(9.0)
        assert gone.worse == pytest.approx(sign * (9.0 - gone.before))


def test_each_feature_is_taken_away_alone_and_the_important_ones_first(frame):
    seen = []

    def predict(rows):
        seen.append([name for name in rows if rows[name].isna().all()])
        return np.zeros(len(rows))

    found = look(
        frame, roles(x="float", z="float"), predict, np.zeros(1000), importances={"z": 1.0}
    )
    assert [one.what for one in found] == ["noise", "z", "x"]
    assert seen == [[], [], ["z"], ["x"]]
    assert {one.rows for one in found[1:]} == {MISSING_ROWS}


def test_so_many_features_and_no_more(frame):
    many = pd.DataFrame({f"c{i}": frame["x"] for i in range(MOST_FEATURES + 5)})
    columns = roles(**dict.fromkeys(many, "float"))
    weight = {f"c{i}": float(i) for i in range(MOST_FEATURES + 5)}
    found = look(many, columns, lambda f: np.zeros(len(f)), np.zeros(1000), importances=weight)
    assert len(found) == 1 + MOST_FEATURES
    assert "c0" not in {one.what for one in found}


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (ValueError("Input X contains NaN."), "ValueError: Input X contains NaN."),
        (SourceError("X", "here", "it must be there", "it is not"), "X: it must be there"),
        (RuntimeError("at 0x7f00 in /home/me/model.py"), "RuntimeError: at … in …"),
        (KeyError(), "KeyError"),
    ],
)
def test_a_model_that_raises_without_an_input_is_told(frame, error, trouble):
    def predict(rows):
        if rows["z"].isna().any():
            raise error
        return rows["x"].to_numpy()

    found = look(frame, roles(z="float"), predict, frame["x"].to_numpy())
    gone = found[1]
    assert (gone.what, gone.after, gone.worse, gone.trouble) == ("z", None, None, trouble)
    assert found[0].trouble == ""


def test_a_store_that_does_not_answer_is_no_fault_of_the_model(frame):
    def predict(rows):
        if rows["z"].isna().any():
            raise Unavailable("STORE", "s3", "it must answer")
        return rows["x"].to_numpy()

    with pytest.raises(Unavailable):
        look(frame, roles(z="float"), predict, frame["x"].to_numpy())


def test_answers_that_are_no_numbers_are_counted(frame):
    def predict(rows):
        scores = rows["x"].to_numpy().copy()
        if rows["z"].isna().any():
            scores[:3] = np.nan, np.inf, -np.inf
        return scores

    gone = look(frame, roles(z="float"), predict, frame["x"].to_numpy())[1]
    assert gone.trouble == "3 of 500 predictions are not finite"


def test_a_metric_that_is_undefined_is_none_and_the_answers_are_looked_at_all_the_same(frame):
    found = disturbed(
        frame,
        roles(x="float"),
        lambda f: f["x"].fillna(0.0).to_numpy(),
        lambda scores, rows: float("nan"),
        importances={},
        noise=0.1,
        greater_is_better=True,
        seed=1,
    )
    assert {(one.before, one.after, one.worse, one.trouble) for one in found} == {
        (None, None, None, "")
    }


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_evaluate_publishes_it(undrawn, world, task):
    made = world(task, rows=700, stability=StabilitySpec(noise=0.3))
    found = Evaluate().run(made.request, made.context).disturbed
    assert [one.what for one in found] == ["noise", "x", "noise"]
    assert [one.kind for one in found] == ["noise", "missing", "missing"]
    assert [one.rows for one in found] == [700, 500, 500]
    # the linear models of this world cannot do without a number
    assert all("NaN" in one.trouble for one in found[1:])
    assert found[0].worse > 0


def test_the_models_that_everfit_makes_stand_it(undrawn, world):
    """A table with every type, encoded as train does it, without each column in turn."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline

    from everfit.ml.model.raw_columns import RawColumns
    from everfit.ml.model.table_encoder import TableEncoder
    from tests.unit.evaluate.conftest import make_table

    made = world("regression")
    types = {"x": "float", "noise": "float", "when": "timestamp", "who": "integer"}
    train = make_table("regression", 400, 1)
    model = Pipeline(
        [
            ("columns", RawColumns(types)),
            ("encode", TableEncoder(list(types), "scaled")),
            ("model", Ridge()),
        ]
    ).fit(train[list(types)], train["target"])
    columns = (*roles(**types), ColumnRole(name="target", type="float", role="target"))
    good = TrainResult(
        family="good",
        model=made.saved(model),
        params={},
        cv_score=0.1,
        trials=(),
        trusted=(),
        rows=400,
    )
    request = made.request.model_copy(update={"columns": columns, "models": (good,)})
    found = Evaluate().run(request, made.context).disturbed
    assert [one.what for one in found if one.trouble] == []
    assert {one.what for one in found} == {"noise", *types}
