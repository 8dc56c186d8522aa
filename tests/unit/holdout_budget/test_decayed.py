"""What may be spent beside a decayed champion: by hand, and never more than the budget."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.messages.evaluations import ChampionDecay
from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.policy import kept_after, next_evaluation, pool_after
from tests.unit.holdout_budget.test_policy import DAY, GATE, ROWS, days, run

ADAPT = GateSpec(superior_by="1%", when_decayed={"not_worse_than": "0%"}, baseline="median")
SHARED = GateSpec(
    superior_by="1%", when_decayed={"not_worse_than": "0%", "share": 0.5}, baseline="median"
)
NOT = ChampionDecay(decayed=False, before=False, because="so")
FRESHLY = ChampionDecay(decayed=True, before=False, because="so")
SURELY = ChampionDecay(decayed=True, before=True, because="so")


def evaluate(*given, gate=ADAPT):
    """One evaluation a (first day, finding), of a span of 30 days each."""
    found = []
    for number, (first, decay) in enumerate(given):
        found.append(
            next_evaluation(run(number), found, [days(first, 30)], gate, ROWS, decay=decay)
        )
    return found


def test_time_without_an_evaluation_is_kept_for_a_champion_that_was_decayed_before():
    one, two = evaluate((0, NOT), (90, SURELY))
    month = 0.05 * 30 * DAY
    assert one.alpha == pytest.approx(month / 2)
    assert (two.decay.idle, two.decay.kept) == (
        pytest.approx(60 * DAY),
        pytest.approx(2 * month),
    )
    assert two.refilled == pytest.approx(3 * month)
    assert two.pool == pytest.approx(3.5 * month)
    assert two.alpha == pytest.approx(1.75 * month)


def test_whoever_was_not_decayed_before_the_holdout_spends_what_it_would_without():
    """Also where the rows that are judged say so first: no level may depend on them."""
    plain = [one.alpha for one in evaluate((0, None), (90, None), gate=GATE)]
    assert [one.alpha for one in evaluate((0, NOT), (90, NOT))] == pytest.approx(plain)
    assert [one.alpha for one in evaluate((0, NOT), (90, FRESHLY))] == pytest.approx(plain)
    assert evaluate((0, NOT), (90, FRESHLY))[1].decayed


def test_what_is_kept_stays_until_it_is_spent():
    months = evaluate((0, NOT), (90, NOT), (120, SURELY), (150, NOT))
    month = 0.05 * 30 * DAY
    assert kept_after(months[:2]) == pytest.approx(2 * month)
    # Of 1/4 + 1/2 + 1/... as usual: half of 1, then of 1.5, and 1.75 are left with what is new.
    assert months[2].pool == pytest.approx((0.5 / 2 + 0.5 + 1 + 2) * month)
    assert kept_after(months[:3]) == pytest.approx(2 * month - months[2].alpha)
    assert months[3].pool == pytest.approx(pool_after(months[:3]) - kept_after(months[:3]) + month)


def test_a_share_of_evaluated_time_is_kept_where_the_spec_says_so():
    (one,) = evaluate((0, NOT), gate=SHARED)
    assert one.alpha == pytest.approx(0.05 * 30 * DAY / 4)
    (one,) = evaluate((0, SURELY), gate=SHARED)
    assert one.alpha == pytest.approx(0.05 * 30 * DAY / 2)


def test_an_old_span_that_comes_late_brings_no_time_without_an_evaluation():
    late = evaluate((300, NOT), (0, SURELY))[1]
    assert late.decay.idle == 0.0


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 700), st.sampled_from([NOT, FRESHLY, SURELY])),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([ADAPT, SHARED]),
)
def test_in_no_order_is_more_spent_than_time_has_brought(given, gate):
    found = evaluate(*given, gate=gate)
    ends = [first + 30 for first, _ in given]
    years = (max(ends) - min(first for first, _ in given)) * DAY
    assert sum(one.alpha for one in found) <= 0.05 * years + 1e-12
    assert pool_after(found) >= -1e-12
    assert kept_after(found) >= 0
