"""Boosting stops by itself, races its settings, and writes the same bytes every time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from everfit.contracts.errors import UserError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.training import ColumnRole, TrainRequest
from everfit.contracts.spec.families import FAMILIES
from everfit.contracts.spec.pipeline import FeatureSpec
from everfit.contracts.spec.train import FamilySpec, TrainSpec
from everfit.ml.families import resolve
from everfit.ml.model.boosters import BOOSTER_TYPES
from everfit.ml.model.boosters.lightgbm import Classifier, Regressor
from everfit.ml.model.load import parse_model
from everfit.ml.model.save import save_model
from everfit.ml.scoring.metric_sums import score
from everfit.steps.train import fit

BOTH = ["gradient_boosting", "lightgbm"]


def asked(frame, family, task="regression", metric="rmse", **fields):
    roles = [
        ColumnRole(name=name, type="float", role="target" if name == "y" else "feature")
        for name in frame.columns
    ]
    classes = None if task == "regression" else tuple(map(str, sorted(frame["y"].unique())))
    return TrainRequest(
        **{
            "task": task,
            "metric": metric,
            "target": "y",
            "classes": classes,
            "train": Artifact(name="train.parquet", digest="0" * 64, size=0),
            "columns": tuple(roles),
            "time": None,
            "entity": (),
            "features": FeatureSpec(),
            "family": FamilySpec(name=family) if isinstance(family, str) else family,
            "trials": 4,
            "folds": 3,
            "search_rows": 100_000,
            "seed": 0,
            "threads": 1,
            **fields,
        }
    )


def fit_family(request, frame):
    """As the step does: with the threads that the request says."""
    with threadpool_limits(limits=request.threads):
        return fit.fit_family(request, frame)


def shipped(load):
    """A table that scikit-learn ships, in an order that is as good as random."""
    bunch = load(as_frame=True)
    return bunch.data.assign(y=bunch.target).sample(frac=1, random_state=0, ignore_index=True)


def long_curve(rows=300):
    """No noise, a curve of many bends: every further round fits it better."""
    x = np.random.default_rng(0).uniform(size=(rows, 2))
    return pd.DataFrame(x, columns=["a", "b"]).assign(y=np.sin(20 * x[:, 0]) + x[:, 1])


def rounds_of(fitted):
    return fitted.params.get("max_iter") or fitted.params["n_estimators"]


@pytest.mark.parametrize("name", BOTH)
def test_a_small_noisy_table_gets_few_rounds_and_a_long_curve_many(name):
    noisy, curve = shipped(load_diabetes), long_curve()
    few = fit_family(asked(noisy, name, trials=1, folds=2), noisy)
    many = fit_family(asked(long_curve(), name, trials=1, folds=2), curve)
    assert rounds_of(few) < 100 < 150 < rounds_of(many)
    for fitted in (few, many):
        assert fitted.model["model"].n_iter_ == rounds_of(fitted)


@pytest.mark.parametrize("name", BOTH)
def test_stopping_beats_a_hundred_rounds_on_rows_never_seen(name):
    frame = shipped(load_diabetes)
    seen, unseen = frame.iloc[:300], frame.iloc[300:]
    fitted = fit_family(asked(frame, name), seen.copy())
    inputs = seen.drop(columns="y")
    with threadpool_limits(limits=1):
        fixed = HistGradientBoostingRegressor(early_stopping=False).fit(inputs, seen["y"])
    truth = unseen["y"].to_numpy(dtype=float)

    def loss(model):
        return score("rmse", truth, model.predict(unseen.drop(columns="y")))

    assert loss(fitted.model) < loss(fixed)


@pytest.mark.parametrize(
    "family",
    [
        FamilySpec(name="gradient_boosting", params={"max_iter": 7}),
        FamilySpec(name="gradient_boosting", search={"max_iter": [7]}),
        FamilySpec(name="lightgbm", params={"n_estimators": 7}),
    ],
)
def test_rounds_that_the_spec_names_are_kept(family):
    fitted = fit_family(asked(long_curve(), family), long_curve())
    assert fitted.model["model"].n_iter_ == 7
    assert all(trial.folds == 3 for trial in fitted.trials)


@pytest.mark.parametrize("name", BOTH)
def test_two_settings_are_scored_on_every_fold_and_the_winner_is_one_of_them(name):
    fitted = fit_family(asked(shipped(load_diabetes), name), shipped(load_diabetes))
    assert sorted(trial.folds for trial in fitted.trials) == [1, 1, 3, 3]
    whole = [trial for trial in fitted.trials if trial.folds == 3]
    assert fitted.score == min(trial.score for trial in whole)
    assert fitted.params in [trial.params for trial in whole]
    assert len({str(trial.params) for trial in fitted.trials}) == 4


def test_the_newest_fold_says_how_many_rounds_where_there_is_time(monkeypatch):
    from everfit.ml.families import fitting

    found = []
    original = fitting.fit_until_best

    def noted(*given, **more):
        found.append(original(*given, **more))
        return found[-1]

    monkeypatch.setattr(fitting, "fit_until_best", noted)
    for time in ("a", None):
        found.clear()
        request = asked(shipped(load_diabetes), "lightgbm", trials=1, time=time)
        fitted = fit_family(request, shipped(load_diabetes))
        # The race begins with the newest fold.
        typical = found[0] if time else sum(found) / 3
        assert rounds_of(fitted) == round(1.1 * typical)


@pytest.mark.parametrize(
    ("load", "task", "metric", "threads"),
    [
        (load_diabetes, "regression", "mae", 1),
        (load_diabetes, "regression", "mae", 2),
        (load_wine, "multiclass", "log_loss", 1),
    ],
)
def test_lightgbm_writes_the_same_bytes_and_predicts_the_same_when_read(
    load, task, metric, threads
):
    frame = shipped(load)
    request = asked(frame, "lightgbm", task, metric, trials=2, threads=threads)
    written = [save_model(fit_family(request, frame.copy()).model) for _ in range(2)]
    assert written[0] == written[1]
    data, types = written[0]
    assert [name for name in types if "boosters" in name] == [
        name for name in BOOSTER_TYPES if name.endswith("Regressor") == (task == "regression")
    ]
    fitted = fit_family(request, frame.copy()).model
    ask = "predict" if task == "regression" else "predict_proba"
    features = frame.drop(columns="y")
    read = parse_model(data, "model")
    np.testing.assert_array_equal(getattr(read, ask)(features), getattr(fitted, ask)(features))
    assert read["model"].text_.count("Tree=") == read["model"].n_iter_ * max(
        1, len(request.classes or ())
    )


def test_threads_change_no_tree_of_lightgbm():
    frame = shipped(load_diabetes)
    inputs, target = frame.drop(columns="y").to_numpy(), frame["y"].to_numpy()
    one, two = (
        Regressor(n_jobs=jobs).fit(inputs, target).text_.partition("\nparameters:")[0]
        for jobs in (1, 2)
    )
    assert one == two


def test_no_number_of_jobs_is_one_thread_and_not_all_cores():
    for jobs in (None, 0, -1, 1):
        assert Regressor(n_jobs=jobs)._params(0)["num_threads"] == 1
    assert Regressor(n_jobs=2)._params(0)["num_threads"] == 2


def test_classes_of_text_and_categories_are_read_as_they_are():
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 5, 400).astype(float)
    answers = np.where(np.isin(codes, [0, 3]), "yes", "no")
    model = Classifier(n_estimators=5, categorical_features=[0], min_data_per_group=1)
    model.fit(codes[:, None], answers, X_val=codes[:50, None], y_val=answers[:50])
    assert model.classes_.tolist() == ["no", "yes"]
    assert (model.predict(codes[:, None]) == answers).all()
    assert model.predict_proba(codes[:, None]).sum(axis=1) == pytest.approx(1.0)


def resolved(name, **fields):
    spec = FamilySpec(name=name, **fields)
    return resolve.family_of(spec, "regression", "mae", seed=0, threads=1)


def test_boosting_is_lightgbm_where_installed_and_else_scikit_learns(monkeypatch):
    assert [family.name for family in TrainSpec().families] == ["linear", "boosting"]
    assert resolved("boosting").built_in is FAMILIES["lightgbm"]
    monkeypatch.setattr(resolve, "_lacking", lambda package: f"No module named {package!r}")
    assert resolved("boosting").built_in is FAMILIES["gradient_boosting"]
    with pytest.raises(UserError, match=r"No module named 'lightgbm'. Install it: pip install"):
        resolved("lightgbm")


def test_boosting_takes_no_parameters_of_one_library():
    for fields in ({"params": {"learning_rate": 0.1}}, {"search": {"num_leaves": [7]}}):
        with pytest.raises(UserError, match="Name lightgbm or gradient_boosting instead"):
            resolved("boosting", **fields)
