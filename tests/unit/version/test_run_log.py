"""What is logged: names MLflow takes, finite numbers, our own digests."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.champion.version.run_log import (
    clipped,
    datasets,
    key_safe,
    metrics,
    nested,
    parameters,
    run_log,
    span_names,
    tags,
)
from everfit.contracts.messages.evidence import SliceScore
from everfit.contracts.messages.spans import Span
from everfit.contracts.messages.training import Trial
from tests.unit.register.small_run import estimate, small_run


@pytest.fixture
def request_(context):
    return small_run(context)


def test_the_candidates_scores_bear_plain_names_and_intervals(request_):
    found = metrics(request_)
    assert (found["mae"], found["mae_low"], found["mae_high"]) == (0.5, 0.0, 1.0)
    assert found["dummy/mae"] == 3.0
    assert found["family_linear/mae_high"] == 1.0
    assert (found["gain"], found["gain_low"], found["margin"]) == (2.5, 2.0, 0.03)


def test_what_is_not_finite_is_left_out_and_named(request_):
    broken = estimate(1.0).model_copy(update={"value": math.inf, "low": math.nan})
    evaluated = request_.evaluated.model_copy(
        update={"scores": {"candidate": {"mae": broken}}, "not_finite": ("candidate mae",)}
    )
    changed = request_.model_copy(update={"evaluated": evaluated})
    found = metrics(changed)
    assert "mae" not in found
    assert "mae_low" not in found
    assert found["mae_high"] == 1.5
    assert all(math.isfinite(value) for value in found.values())
    assert parameters(changed)["not_finite"] == "candidate mae"


def test_a_slice_without_a_score_still_counts_its_rows(request_):
    slices = (
        SliceScore(name="long", rows=3, candidate=estimate(2.0), baseline=None),
        SliceScore(name="rare", rows=1, candidate=None, baseline=None),
    )
    evaluated = request_.evaluated.model_copy(update={"slices": slices})
    found = metrics(request_.model_copy(update={"evaluated": evaluated}))
    assert found["slice_long/mae"] == 2.0
    assert found["slice_rare/rows"] == 1.0
    assert "slice_rare/mae" not in found


def test_parameters_are_texts_of_the_spec_and_of_the_search(request_):
    found = parameters(request_)
    assert found["model.alpha"] == "1.0"
    assert found["metric"] == "mae"
    assert found["seed"] == "0"
    assert found["rows_train"] == "4"


def test_tags_explain_the_run(request_):
    found = tags(request_)
    assert found["everfit.verdict"] == "promote"
    assert found["everfit.because"] == "the candidate is better by 2.5"
    assert found["everfit.window"] == "2018-01.csv"
    assert found["everfit.holdout"] == "2018-02.csv"
    assert len([name for name in found if name.startswith("everfit.")]) == 4  # and the run key
    digest = request_.evaluated.candidate.model.digest
    assert parameters(request_)["digest.model"] == digest
    assert found["mlflow.user"] == "ada"
    assert run_log(request_, 5, "# Card").tags["mlflow.note.content"] == "# Card"


def test_a_family_is_a_nested_run_with_curves_over_its_trials(request_):
    trials = tuple(
        Trial(params={"alpha": alpha}, score=score, spread=0.1, folds=2)
        for alpha, score in ((0.1, 3.0), (1.0, 2.0), (10.0, None), (100.0, 2.5))
    )
    other = request_.evaluated.candidate.model_copy(
        update={"family": "linear", "trials": trials, "cv_score": 2.0}
    )
    part = nested(request_, other)
    assert (part.name, part.params["model.alpha"], part.params["trials"]) == ("linear", "1.0", "4")
    assert part.curves["trial/cv_score"] == ((1, 3.0), (2, 2.0), (4, 2.5))
    assert part.curves["trial/best_cv_score"] == (
        (1, 3.0),
        (2, 2.0),
        (4, 2.0),
    )  # mae: less is better
    assert (part.metrics["cv_score"], part.metrics["mae"]) == (2.0, 0.5)


def test_datasets_carry_the_digest_of_all_their_bytes(request_):
    train, holdout, january, february = datasets(request_)
    assert train.digest == request_.prepared.train.digest
    assert train.short == train.digest[:36]
    assert json.loads(train.source)["sha256"] == train.digest
    assert json.loads(train.schema)["mlflow_colspec"][1] == {"name": "riders", "type": "long"}
    assert (train.context, holdout.context) == ("training", "holdout")
    assert (january.name, january.digest) == ("2018-01.csv", request_.window[0].digest)
    assert (february.context, february.rows) == ("holdout span", 4)


def test_many_spans_are_told_by_first_and_last():
    spans = tuple(Span(name=f"m{n}", digest=f"{n:064x}", rows=1, size=1) for n in range(9))
    assert span_names(spans) == "m0 … m8 (9 spans)"
    assert span_names(spans[:2]) == "m0, m1"


@given(st.text(max_size=400))
def test_any_name_becomes_one_that_mlflow_takes(name):
    # The rule is MLflow's: alphanumerics, underscores, dashes, periods, spaces, colons, slashes.
    assert re.fullmatch(r"[A-Za-z0-9_\-. :/]{0,250}", key_safe(name))


@given(st.text(max_size=50), st.integers(min_value=2, max_value=30))
def test_a_clipped_text_fits_and_shows_that_it_was(text, most):
    short = clipped(text, most)
    assert len(short) <= most
    assert short == text or short.endswith(" …")
