"""Decay over a champion's life: one level is spent, whatever comes and in which order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from everfit.contracts.messages.monitoring import AttainableLoss, EarlierSpan, Rise
from everfit.contracts.messages.monitoring_levels import DecayTest
from everfit.contracts.spec.margins import Margin
from everfit.steps.monitor.life import (
    POOLED,
    Life,
    decay_p_values,
    level_of_place,
    places_in_life,
    pooled_p_value,
)

FIVE_PERCENT = Margin(value=0.05, relative=True)


def rise(p_value=0.5, worse=1.0, low=-0.1, **more):
    return Rise(
        **{
            "metric": "mae",
            "reference": 10.0,
            "current": 11.0,
            "worse": 0.0,
            "low": -1.0,
            "rows": 500,
            "labelled": 1.0,
            "method": "m",
            "attainable": AttainableLoss(score=10.0, worse=worse, low=low, p_value=p_value),
            **more,
        }
    )


def test_the_levels_of_all_places_add_up_to_the_whole():
    total = sum(level_of_place(0.05, place) for place in range(1, 10_001))
    rest = 0.05 * special.zeta(1.2, 10_001) / special.zeta(1.2)
    assert total + rest == pytest.approx(0.05, rel=1e-9)
    levels = [level_of_place(0.05, place) for place in range(1, 100)]
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("many", [2, 4, 8])
def test_spans_are_pooled_as_scipy_pools_them(many):
    p_values = [0.04] * many
    expected = stats.combine_pvalues(p_values, method="stouffer").pvalue * len(POOLED)
    assert pooled_p_value(p_values) == (pytest.approx(expected), many)
    assert pooled_p_value([0.9, 0.9, 0.0001]) == (pytest.approx(0.0004), 1)


def test_at_most_one_life_of_twenty_has_a_false_alarm():
    random = np.random.default_rng(1)
    lives, spans = 400, 26
    wrong = 0
    for p_values in random.random((lives, spans)):
        wrong += any(
            pooled_p_value(p_values[: place + 1])[0] <= level_of_place(0.05, place + 1)
            for place in range(spans)
        )
    assert wrong / lives <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / lives)
    assert (random.random((lives, spans)) <= 0.05).any(axis=1).mean() > 0.6, "without, most have"


def test_a_span_is_tested_with_those_it_followed_and_never_with_later_ones():
    lived = [EarlierSpan(place=place, p_values={"mae": 0.02}) for place in (1, 2, 3)]
    (found,) = Life(0.05, lived).tested(4, (rise(0.02),))
    expected = stats.combine_pvalues([0.02] * 4, method="stouffer").pvalue * len(POOLED)
    assert found.test.p_value == pytest.approx(expected)
    assert (found.test.place, found.test.spans) == (4, 4)
    assert found.test.level == level_of_place(0.05, 4)
    later = [*lived, EarlierSpan(place=5, p_values={"mae": 1e-6})]
    assert Life(0.05, later).tested(4, (rise(0.02),)) == (found,)


def test_a_batch_of_spans_is_tested_as_if_they_came_one_by_one():
    life = Life(0.05)
    together = [life.tested(place, (rise(0.03),)) for place in (1, 2, 3, 4)]
    lived = tuple(EarlierSpan(place=place, p_values={"mae": 0.03}) for place in (1, 2, 3))
    assert Life(0.05, lived).tested(4, (rise(0.03),)) == together[-1]


def test_estimates_and_served_predictions_are_no_part_of_a_life():
    others = (rise(estimated=True), rise(source="logged"))
    assert decay_p_values(others) == {}
    assert Life(0.05).tested(1, others) == others
    assert Life(None).tested(1, (rise(),)) == (rise(),)
    assert Life(0.05).tested(None, (rise(),)) == (rise(),)


def test_a_place_is_kept_and_never_given_twice():
    assert places_in_life(["b", "c", "b", "a"]) == {"b": 1, "c": 2, "a": 3}


def with_test(p_value, level=0.01, **more):
    test = DecayTest(place=2, level=level, p_value=p_value, spans=2)
    return rise(**more).model_copy(update={"test": test})


def test_what_is_sure_by_itself_is_not_sure_in_a_life_and_the_other_way_round():
    alone = rise(0.03, low=0.1)
    assert alone.beyond(FIVE_PERCENT)
    assert not with_test(0.03, low=0.1).beyond(FIVE_PERCENT)
    assert with_test(0.001, low=-0.1).beyond(FIVE_PERCENT), "four spans together say it"
    assert not with_test(0.001, worse=0.4).beyond(FIVE_PERCENT), "4 % is within the margin"
    assert not with_test(0.001, estimated=True).beyond(FIVE_PERCENT)


def test_a_loss_that_surges_is_told_by_the_same_level():
    surge = {"reference": 10.0, "worse": 0.0, "low": -0.1}
    loss = {"current": 14.0}
    for p_value, told in ((0.02, False), (0.005, True)):
        one = with_test(0.5, **surge | loss | {"worse": 0.0})
        one = one.model_copy(update={"worse": 4.0, "low": 3.0, "p_value": p_value})
        assert one.surged(FIVE_PERCENT) is told
    assert one.model_copy(update={"test": None, "p_value": None}).surged(FIVE_PERCENT)


def test_a_test_is_told_in_a_sentence():
    assert DecayTest(place=12, level=0.00045, p_value=0.0002, spans=4).in_words == (
        "p-value 0.02 % over the newest 4 spans, tested at 0.045 %: span 12 of the champion's life"
    )
