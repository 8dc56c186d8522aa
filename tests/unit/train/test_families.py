"""Families and estimators by import path: mistakes are named, memory is bounded."""

from __future__ import annotations

import pytest

from everfit.contracts.errors import UserError
from everfit.contracts.spec.families import FAMILIES
from everfit.contracts.spec.families.random_forest import TREE_ROWS
from everfit.contracts.spec.train import FamilySpec
from everfit.ml.families.resolve import family_of


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


def bounds(rows, tried=None, **fields):
    found = family(**fields)
    return found.bounds(rows, 30, {**found.defaults, **(tried or {})})


def test_forests_are_bounded_by_rows_unless_the_spec_says():
    big = bounds(2_000_000, name="random_forest")
    assert big["max_samples"] == TREE_ROWS
    assert big["min_samples_leaf"] >= 2
    assert "max_samples" not in bounds(1000, name="random_forest")
    own = {"min_samples_leaf": 1, "max_samples": 0.9}
    assert bounds(2_000_000, name="extra_trees", params=own) == {}


def test_a_forests_bound_on_leaves_gives_way_to_a_larger_one_that_is_tried():
    least = bounds(2_000_000, name="random_forest")["min_samples_leaf"]
    assert bounds(2_000_000, {"min_samples_leaf": 1}, name="random_forest") == {
        "max_samples": TREE_ROWS,
        "min_samples_leaf": least,
    }
    tried = bounds(2_000_000, {"min_samples_leaf": 30}, name="random_forest")
    assert tried["min_samples_leaf"] == 30 > least


def test_a_forest_that_does_not_sample_rows_is_not_told_how_many():
    assert "max_samples" not in bounds(2_000_000, {"bootstrap": False}, name="random_forest")


def test_a_large_classification_is_fitted_by_gradients_unless_the_spec_names_a_solver():
    def solver(rows, **fields):
        found = family("binary", "log_loss", name="linear", **fields)
        return found.bounds(rows, 30, found.defaults)

    assert solver(2_000_000) == {"solver": "lbfgs", "max_iter": 200}
    assert solver(1000) == {}
    assert solver(2_000_000, params={"solver": "saga"}) == {}
    assert family(name="linear").bounds(2_000_000, 30, {"alpha": 1.0}) == {}


def test_only_an_absolute_error_has_its_own_loss_searched():
    assert "loss" in family(metric="median_ae", name="gradient_boosting").space
    assert "loss" not in family(metric="rmse", name="gradient_boosting").space


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_named_after_its_file_and_says_what_it_is(name):
    assert FAMILIES[name].name == name
    assert FAMILIES[name].title and FAMILIES[name].words


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
