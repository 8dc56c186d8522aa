"""Classes by name, dummies against scikit-learn's, and champions that no longer fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from everfit.contracts.errors import IntegrityError, Unavailable, UserError
from everfit.ml.scoring.predictions import (
    champion_predictions,
    codes,
    columns_missing,
    dummy_predictions,
    positive_class,
    predictions,
)

FRAME = pd.DataFrame({"x": np.linspace(-2, 2, 30), "z": np.arange(30.0)})


def classifier(target):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME[["x"]], target)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (pd.Series(["b", "a", "c"]), ("a", "b", "c")),
        (pd.Series([1, 0, 2]), ("0", "1", "2")),
        (pd.Series([1.0, 0.0, 2.0]), ("0", "1", "2")),
    ],
)
def test_codes_go_by_name_whatever_the_type(values, classes):
    assert codes(values, classes).tolist() == [1, 0, 2]


def test_booleans_and_unknown_classes_have_codes():
    assert codes(pd.Series([True, False]), ("False", "True")).tolist() == [1, 0]
    assert codes(pd.Series(["a", "new"]), ("a", "b")).tolist() == [0, -1]
    assert codes(pd.Series([], dtype="str"), ("a", "b")).tolist() == []


def test_the_positive_class_is_the_one_named_else_the_larger():
    assert positive_class(None, ("0", "1")) == 1
    assert positive_class(0, ("0", "1")) == 0
    assert positive_class(1.0, ("0", "1")) == 1
    assert positive_class(True, ("0", "1")) == 1
    assert positive_class(True, ("False", "True")) == 1
    assert positive_class("no", ("no", "yes")) == 0


def test_a_positive_class_that_is_not_there_is_the_users_to_mend():
    with pytest.raises(UserError) as caught:
        positive_class("maybe", ("no", "yes"))
    assert caught.value.line == (
        "EVALUATE-POSITIVE target.positive: it must be one of the target's two classes; "
        "'maybe' is none of no, yes. Correct it in the pipeline's YAML."
    )


def test_probabilities_come_in_the_holdouts_classes():
    """A model that was trained without ``b`` and with ``gone``."""
    target = np.repeat(["a", "c", "gone"], 10)
    model = classifier(target)
    found = predictions(model, FRAME, "multiclass", ("a", "b", "c"))
    own = model.predict_proba(FRAME[["x"]])
    assert (found[:, 0] == own[:, 0]).all()
    assert (found[:, 1] == 0).all()
    assert (found[:, 2] == own[:, 1]).all()


@pytest.mark.parametrize("name", ["mean", "median"])
def test_a_number_dummy_is_scikit_learns(name):
    target = np.random.default_rng(0).exponential(size=31)
    theirs = DummyRegressor(strategy=name).fit(target[:, None], target).predict(FRAME)
    assert dummy_predictions(name, target, 30, None) == pytest.approx(theirs)


@pytest.mark.parametrize("name", ["prior", "most_frequent"])
def test_a_class_dummy_is_scikit_learns(name):
    target = np.array([0, 2, 2, 1, 1, 2, 0, 1])
    theirs = DummyClassifier(strategy=name).fit(target[:, None], target).predict_proba(FRAME)
    assert dummy_predictions(name, target, 30, ("a", "b", "c")) == pytest.approx(theirs)


def test_a_champion_that_fits_is_scored():
    model = classifier(np.repeat(["no", "yes"], 15))
    found, trouble = champion_predictions(lambda: model, FRAME, "binary", ("no", "yes"))
    assert trouble is None
    assert (found == model.predict_proba(FRAME[["x"]])).all()


def test_a_champion_whose_column_is_gone_is_recorded():
    model = classifier(np.repeat(["no", "yes"], 15))
    assert columns_missing(model, FRAME.drop(columns="x")) == ["x"]
    found, trouble = champion_predictions(
        lambda: model, FRAME.drop(columns="x"), "binary", ("no", "yes")
    )
    assert found is None
    assert trouble == "its column x is not in the holdout"


def test_a_champion_that_breaks_is_recorded_without_what_differs_between_machines():
    def broken():
        raise RuntimeError("bad thing <object at 0x7f12ab> in /home/me/store/x.py\nand more")

    found, trouble = champion_predictions(broken, FRAME, "binary", ("no", "yes"))
    assert found is None
    assert trouble == "RuntimeError: bad thing <object at …> in … and more"

    def altered():
        raise IntegrityError("STORE-ALTERED", "file:///home/me", "bytes must match", "they differ")

    _, trouble = champion_predictions(altered, FRAME, "binary", ("no", "yes"))
    assert trouble == "STORE-ALTERED: bytes must match; they differ"


def test_a_store_that_may_come_back_is_an_error_to_retry():
    def away():
        raise Unavailable("STORE-AWAY", "s3://bucket", "the store must answer")

    with pytest.raises(Unavailable):
        champion_predictions(away, FRAME, "binary", ("no", "yes"))
