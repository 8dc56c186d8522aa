"""Families and estimators by import path: mistakes are named, memory is bounded."""

from __future__ import annotations

import pytest

from pipeline_components.contracts.errors import UserError
from pipeline_components.contracts.train_spec import FAMILIES, FamilySpec
from pipeline_components.train.families import TREE_ROWS, family_of


def family(task="regression", metric="mae", **fields):
    return family_of(FamilySpec(**{"name": "mine", **fields}), task, metric, seed=3, threads=1)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_built_in_families_build_all_they_search(name, task):
    found = family(task, "mae" if task == "regression" else "log_loss", name=name)
    assert found.space
    for parameter, values in found.space.items():
        for value in values:
            built = found.build({**found.defaults, parameter: value})
            assert built.get_params()[parameter] == value
    known = found.build(found.defaults).get_params()
    assert known.get("random_state", 3) == 3


def test_the_specs_params_are_fixed():
    found = family(name="linear", params={"alpha": 7.0})
    assert found.defaults["alpha"] == 7.0
    assert found.space == {}
    assert family(name="linear", search={"alpha": [1, 2]}).space == {"alpha": (1, 2)}


def test_forests_are_bounded_by_rows_unless_the_spec_says():
    big = family(name="random_forest").by_shape(2_000_000, 30)
    assert big["max_samples"] == TREE_ROWS
    assert big["min_samples_leaf"] >= 2
    assert "max_samples" not in family(name="random_forest").by_shape(1000, 30)
    own = family(name="extra_trees", params={"min_samples_leaf": 1, "max_samples": 0.9})
    assert own.by_shape(2_000_000, 30) == {}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"estimator": "sklearn.nowhere.Model"}, "No module named 'sklearn.nowhere'"),
        ({"estimator": "sklearn.svm.SRV"}, "Did you mean sklearn.svm.SVR?"),
        ({"estimator": "os.path.join"}, "must be a class of a scikit-learn estimator"),
        ({"estimator": "sklearn.svm.SVC"}, "a regression needs a regressor"),
        ({"estimator": "sklearn.svm.SVR", "params": {"epsilom": 1}}, "Did you mean 'epsilon'?"),
        ({"estimator": "sklearn.svm.SVR", "search": {"c": [1]}}, "Did you mean 'C'?"),
        ({"name": "linear", "params": {"alfa": 1}}, "Did you mean 'alpha'?"),
        ({"name": "linear", "search": {"alfa": [1]}}, "Did you mean 'alpha'?"),
    ],
)
def test_mistakes_are_named(fields, says):
    with pytest.raises(UserError) as error:
        family(**fields)
    assert says in error.value.line
    assert error.value.exit_code == 2


def test_a_classifier_must_give_probabilities():
    with pytest.raises(UserError, match="CalibratedClassifierCV"):
        family("binary", "log_loss", estimator="sklearn.svm.LinearSVC")


def test_forests_are_searched_with_half_their_trees_unless_trees_are_searched():
    assert family(name="random_forest").in_search({"n_estimators": 100}) == {"n_estimators": 50}
    assert family(name="extra_trees").in_search({"n_estimators": 40}) == {"n_estimators": 30}
    assert family(name="extra_trees").in_search({"n_estimators": 8}) == {"n_estimators": 8}
    searched = family(name="random_forest", search={"n_estimators": (50, 100)})
    assert searched.in_search({"n_estimators": 100}) == {}
    assert family(name="linear").in_search({"alpha": 1.0}) == {}
