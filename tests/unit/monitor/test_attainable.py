"""Decay is relative: a hard month is no stale model, and an easy one does not hide one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from everfit.contracts.messages.monitoring import AttainableLoss, Rise
from everfit.contracts.messages.spans import Span
from everfit.contracts.spec.margins import Margin
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.ml.model.raw_columns import RawColumns
from everfit.ml.model.table_encoder import TableEncoder
from everfit.ml.scoring.resampling import Design
from everfit.ml.scoring.scored import Scored
from everfit.steps.monitor.attainable import fitted_afresh, spans_before
from everfit.steps.monitor.decay import rises
from everfit.steps.monitor.reference_score import ReferenceScore

FIVE_PERCENT = Margin(value=0.05, relative=True)
EASY = ReferenceScore({"mae": 0.8}, None, False, True, 7)
"""What the champion scored when it was judged, taken as exact."""


def spec(**more):
    return PipelineSpec.model_validate(
        {
            "name": "p",
            "task": "regression",
            "target": "y",
            "source": {"uri": "{data}/*.csv"},
            "gate": {"superior_by": 0.1, "baseline": "mean"},
            **more,
        }
    )


def measured(champion_error, fresh_error, rows=1_500, noise=1.0, seed=1):
    """A span whose rows are as hard for both, but for what each gets wrong by itself."""
    random = np.random.default_rng(seed)
    truth, hard = random.normal(0, 3, rows), random.normal(0, noise, rows)
    answers = [truth + hard + random.normal(0, own, rows) for own in (champion_error, fresh_error)]
    ours, theirs = (Scored("regression", truth, one) for one in answers)
    design = Design(rows, False, None, 7)
    (rise,), _ = rises(ours, design, EASY, ["mae"], labelled=1.0, fresh=theirs)
    return rise


def test_a_month_that_is_hard_for_a_fresh_model_too_is_no_decay():
    rise = measured(0.1, 0.1, noise=2.0)
    assert rise.low > 0.5  # twice the loss of the reference, surely
    assert not rise.beyond(FIVE_PERCENT)
    assert rise.below(FIVE_PERCENT)
    assert rise.surged(FIVE_PERCENT)  # and people hear of it


def test_an_easy_month_does_not_hide_a_stale_champion():
    rise = measured(0.6, 0.1, noise=0.4)
    assert rise.current < rise.reference
    assert rise.beyond(FIVE_PERCENT)
    assert rise.attainable.score < rise.current
    assert "attainable" in rise.text


def test_rows_are_paired():
    """What is hard for both widens nothing: the bound is that of the difference of the losses."""
    rise = measured(0.5, 0.1, rows=4_000)
    apart = rise.attainable.worse - rise.attainable.low
    unpaired = rise.worse - rise.low
    assert 0 < apart < unpaired


def test_a_fresh_model_of_the_same_world_seems_surely_better_in_about_five_of_a_hundred_spans():
    looks = 300
    alarms = sum(
        measured(0.3, 0.3, rows=300, seed=seed).attainable.low > 0 for seed in range(looks)
    )
    assert 0 < alarms / looks <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / looks)


def a_rise(worse, low, attainable=None, **more):
    values = {"metric": "mae", "reference": 10.0, "current": 10 + worse, "rows": 9, "method": ""}
    return Rise(**values, worse=worse, low=low, labelled=1, attainable=attainable, **more)


def test_what_is_far_worse_and_attainable_by_nobody_is_told_apart():
    nobody = AttainableLoss(score=12.9, worse=0.1, low=-0.2)
    assert a_rise(3.0, 2.5, nobody).surged(FIVE_PERCENT)
    assert not a_rise(3.0, 2.5).surged(FIVE_PERCENT)  # nothing to compare with: decay itself
    assert not a_rise(3.0, 0.2, nobody).surged(FIVE_PERCENT)
    assert not a_rise(1.9, 1.8, nobody).surged(FIVE_PERCENT)
    stale = AttainableLoss(score=8.0, worse=5.0, low=4.0)
    assert a_rise(3.0, 2.5, stale).extreme(FIVE_PERCENT)
    assert not a_rise(3.0, 2.5, stale).surged(FIVE_PERCENT)


def span(number, labels=None):
    begin, end = f"2020-{number:02}-01T00:00:00", f"2020-{number + 1:02}-01T00:00:00"
    return Span(
        name=f"{number}.csv",
        digest=f"{number:064x}",
        rows=9,
        size=9,
        period_start=begin,
        period_end=end,
    )


def test_a_fresh_model_learns_from_what_was_known_before_the_span():
    past = [span(number) for number in range(1, 7)]
    asked = span(7)
    known = spans_before(spec(window={"spans": 3}), past, asked, ())
    assert [one.name for one in known] == ["4.csv", "5.csv", "6.csv"]
    everything = spans_before(spec(window={"spans": "all"}), past, asked, ())
    assert len(everything) == 6
    late = spec(window={"spans": 3}, monitor={"labels_after": "40d"})
    known = spans_before(late, past, asked, ())  # May's labels are not due when July begins
    assert [one.name for one in known] == ["2.csv", "3.csv", "4.csv"]
    assert spans_before(spec(), [asked], asked, ()) == ()  # a copy of itself


def table(rows, seed, kinds=("a", "b")):
    random = np.random.default_rng(seed)
    kind = random.choice(kinds, rows)
    frame = pd.DataFrame({"x": random.normal(size=rows), "kind": pd.array(kind, dtype="str")})
    return frame, frame["x"] + (kind == "a")


def model_of(estimator):
    columns = RawColumns({"x": "float", "kind": "string"})
    encoder = TableEncoder(["x", "kind"], "trees", 40)
    return Pipeline([("columns", columns), ("encode", encoder), ("model", estimator)])


def test_the_recipe_is_taken_over_and_nothing_that_was_learnt():
    frame, target = table(400, 1)
    champion = model_of(Ridge(alpha=2.0)).fit(frame, target)
    other, theirs = table(300, 2, ("a", "c"))
    fresh = fitted_afresh(champion, other, -theirs, spec())
    assert fresh is not champion
    assert fresh.steps[-1][1].alpha == 2.0
    expected = model_of(Ridge(alpha=2.0)).fit(other, -theirs)
    assert np.array_equal(fresh.predict(other), expected.predict(other))
    same = fitted_afresh(champion, frame, target, spec())
    assert np.array_equal(same.predict(frame), champion.predict(frame))  # its own yardstick


def test_categories_are_named_by_the_new_encoder():
    frame, target = table(400, 1)
    champion = model_of(HistGradientBoostingClassifier(max_iter=5, random_state=0))
    matrix = champion.steps[1][1].fit_transform(champion.steps[0][1].fit_transform(frame))
    places = list(champion.steps[1][1].categorical_)
    champion.steps[-1][1].set_params(categorical_features=places)
    champion.steps[-1][1].fit(matrix, (target > 0).to_numpy())
    numbers = frame.assign(x=1.0)
    binary = spec(task="binary", gate={"superior_by": 0.1, "baseline": "prior"})
    fresh = fitted_afresh(champion, numbers, pd.Series(target > 0), binary)
    encoder = fresh.steps[1][1]
    assert fresh.steps[-1][1].categorical_features == list(encoder.categorical_)


def test_a_recipe_of_any_shape_is_fitted():
    frame, target = table(300, 1)
    inside = Pipeline([("model", ColumnTransformer([("x", "passthrough", ["x"])]))])
    plain = Pipeline([("pick", inside), ("model", Ridge())]).fit(frame, target)
    assert np.isfinite(fitted_afresh(plain, frame, target, spec()).predict(frame)).all()


@pytest.mark.parametrize("greater", [False, True])
def test_excess_has_the_metrics_direction(greater):
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, 1_000)
    sharp = np.clip(truth + random.normal(0, 0.3, 1_000), 0.01, 0.99)
    blunt = np.clip(truth + random.normal(0, 1.0, 1_000), 0.01, 0.99)
    ours, theirs = (
        Scored("binary", truth, np.column_stack([1 - one, one])) for one in (blunt, sharp)
    )
    metric = "roc_auc" if greater else "log_loss"
    reference = ReferenceScore({metric: 0.5}, None, False, True, 7)
    design = Design(1_000, False, None, 7)
    (rise,), _ = rises(ours, design, reference, [metric], labelled=1.0, fresh=theirs)
    assert rise.attainable.low > 0
    assert rise.beyond(FIVE_PERCENT)
