"""The level an evaluation may spend: what is judged at it, and that nothing passes without one."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from everfit.contracts.messages.evaluations import EvaluatedSpan
from everfit.contracts.messages.verdicts import Bound
from everfit.contracts.spec.gate import GateSpec
from everfit.steps.gate.check import GateCheck, run_checks
from everfit.steps.gate.checks import budget, gain, power
from everfit.steps.gate.evidence import read_evidence as reading
from everfit.steps.gate.evidence.evidence import Served
from everfit.steps.gate.evidence.read_evidence import read_evidence

RANK = {"missed": 0, "undecided": 1, "met": 2}
NAN, INF = math.nan, math.inf


@pytest.fixture
def ask(world, context, monkeypatch):
    """Ask one question about the world as it is changed."""
    monkeypatch.setattr(reading, "try_serving", lambda *a, **k: Served(True, "Yes.", 20))
    asked = {one.code: one.assess for one in (budget.CHECK, gain.CHECK, power.CHECK)}

    def about(code, alter=None, **changes):
        changed = world.but(**changes).request()
        evidence = read_evidence(alter(changed) if alter else changed, context)
        severity = "warning" if code == "POWER" else "error"
        (check,) = run_checks([GateCheck(code, code, severity, 1, asked[code])], evidence)
        return check

    return about


def compared(**changes):
    def alter(request):
        found = request.evaluated.comparison.model_copy(update=changes)
        evaluated = request.evaluated.model_copy(update={"comparison": found})
        return request.model_copy(update={"evaluated": evaluated})

    return alter


def evaluated(**changes):
    return lambda request: request.model_copy(
        update={"holdout_evaluation": request.holdout_evaluation.model_copy(update=changes)}
    )


# GAIN at the level of the evaluation


@pytest.mark.parametrize(
    ("alpha", "judged"),
    [(0.025, 0.025), (0.0249, 0.01), (0.01, 0.01), (0.0011, 0.001), (0.001, 0.001)],
)
def test_the_gain_is_judged_at_the_largest_level_the_evaluation_may_spend(ask, alpha, judged):
    found = ask("GAIN", alpha=alpha)
    assert found.values["alpha"] == judged
    half = 0.1 * norm.isf(judged) / norm.isf(0.025)
    assert found.values["low"] == pytest.approx(0.3 - half, abs=1e-5)
    assert found.state == "passed"


def test_a_gain_that_is_sure_at_the_level_shown_may_be_undecided_at_the_level_spent(ask):
    gains = {"gain": 0.13, "width": 0.1}  # 0.03 to 0.23 at 0.025: above the margin of 0.0213
    assert ask("GAIN", **gains).state == "passed"
    found = ask("GAIN", alpha=0.001, **gains)
    assert (found.state, found.forces, found.values["outcome"]) == ("failed", "hold", "undecided")
    assert "99.9 % one-sided confidence" in found.message
    # 3.09023 / 1.95996 * 0.1 below the gain, and 0.0213 are needed: 0.179
    assert "or a gain of at least 0.179 instead of 0.130" in found.flip


def test_a_gain_that_is_surely_missed_at_one_level_may_be_undecided_at_a_smaller(ask):
    assert ask("GAIN", gain=-0.09, width=0.12).forces == "hold"
    assert ask("GAIN", gain=-0.09, width=0.1).forces == "reject"
    assert ask("GAIN", gain=-0.09, width=0.1, alpha=0.001).forces == "hold"


@pytest.mark.parametrize("alpha", [None, 0.0, 0.0009])
def test_without_a_level_there_is_no_judgement(ask, alpha):
    found = ask("GAIN", alpha=alpha)
    assert (found.state, found.forces) == ("not_assessed", "hold")


def test_without_published_intervals_there_is_no_judgement(ask):
    found = ask("GAIN", compared(bounds=()))
    assert (found.state, found.forces) == ("not_assessed", "hold")
    assert "no interval of the gain for 97.5 % one-sided confidence" in found.message


odd = st.one_of(
    st.floats(-1, 1), st.sampled_from([NAN, INF, -INF, 0.0, 0.3, 1e308, -1e308, 5e-324])
)
bound = st.builds(
    Bound, alpha=st.one_of(odd, st.sampled_from([0.025, 0.01, 0.001])), low=odd, high=odd
)


@pytest.fixture
def evidence_of(world):
    """Evidence of a request alone; the row losses are those of the comparison."""
    base = world.request()

    def made(gate=None, value=0.3, bounds=(), alpha=0.025, pool=0.05):
        found = base.evaluated.comparison
        shown = found.gain.model_copy(update={"value": value, "low": value - 1, "high": value + 1})
        found = found.model_copy(update={"gain": shown, "bounds": tuple(bounds)})
        given = {"alpha": alpha, "pool": pool}
        evaluation = None if alpha is None else base.holdout_evaluation.model_copy(update=given)
        request = base.model_copy(
            update={
                "evaluated": base.evaluated.model_copy(update={"comparison": found}),
                "holdout_evaluation": evaluation,
                "gate": gate or base.gate,
            }
        )
        losses = reading.Losses(pa.array([1]), pa.array([2.0]), pa.array([2.0 + value]))
        return reading.Evidence(
            request=request,
            losses=losses,
            holdout_rows=None,
            train_rows=None,
            champion_rows=None,
            predictions=None,
            served=Served(True, "Yes.", 20),
        )

    return made


ONCE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@ONCE
@example(bounds=[Bound(alpha=0.02, low=0.1, high=0.4)], alpha=0.025, pool=0.05)  # this one passes
@given(bounds=st.lists(bound, max_size=4), alpha=st.one_of(st.none(), odd), pool=odd)
def test_no_strange_interval_level_or_evaluation_is_ever_promoted(evidence_of, bounds, alpha, pool):
    """Whatever is published: passed means finite, around the gain, and above the margin."""
    questions = [
        GateCheck("BUDGET", "", "error", 1, budget.assess),
        GateCheck("GAIN", "", "error", 2, gain.assess, needs=("BUDGET",)),
    ]
    budgeted, judged = run_checks(questions, evidence_of(bounds=bounds, alpha=alpha, pool=pool))
    if judged.state == "passed":
        assert budgeted.state == "passed"
        assert 0 < judged.values["alpha"] <= alpha * (1 + 1e-9) <= 0.025 * (1 + 1e-9)
        assert alpha <= pool
        assert 0.022 <= judged.values["low"] <= 0.3 <= judged.values["high"] < INF


@ONCE
@given(
    value=st.floats(-1, 1),
    more=st.floats(0, 1),
    width=st.floats(0, 1),
    gate=st.sampled_from([{"superior_by": 0.1}, {"superior_by": 0}, {"not_worse_than": 0.1}]),
)
def test_a_greater_gain_never_gives_a_worse_answer(evidence_of, value, more, width, gate):
    def outcome(gained):
        bound = Bound(alpha=0.01, low=gained - width, high=gained + width)
        spec = GateSpec(**gate, baseline="median")
        return RANK[gain.assess(evidence_of(spec, gained, [bound])).values["outcome"]]

    assert outcome(value + more) >= outcome(value)


# BUDGET


def test_an_evaluation_that_could_be_afforded(ask, world):
    before = tuple(
        world.evaluation.model_copy(update={"run_key": f"{n}" * 64, "sequence": n, "alpha": 0.004})
        for n in (1, 2, 3)
    )
    found = ask(
        "BUDGET", lambda r: r.model_copy(update={"evaluations_before": before}), alpha=0.002
    )
    assert found.state == "passed"
    assert found.message == (
        "This evaluation spends 0.002 of the 0.05 in the budget: 99.8 % one-sided confidence. "
        "4 evaluations in the last year of data, this one included, spent 0.014 of the 0.05 "
        "false promotions a year that are allowed."
    )
    assert found.values == {
        "number": 4,
        "alpha": 0.002,
        "pool": 0.05,
        "refilled": 0.005,
        "new_rows": 1.0,
        "evaluations": 4,
        "spent": pytest.approx(0.014),
        "allowed": 0.05,
    }


def test_an_exhausted_budget_holds_and_says_what_would_refill_it(ask):
    """A month of 3,000 rows that was evaluated four times: 1/16 of 0.05/12 is left."""

    def alter(request):
        digest = request.holdout_evaluation.spans[0].digest
        month = EvaluatedSpan(digest=digest, rows=3000, years=1 / 12, fresh=False)
        return evaluated(spans=(month,), refilled=0.0)(request)

    found = ask("BUDGET", alter, alpha=0.0, pool=0.05 / 12 / 16)
    assert (found.state, found.forces) == ("failed", "hold")
    assert found.message.startswith(
        "The evaluation budget is exhausted: this span was evaluated before, and the 0.00026 in "
        # 3000 / 16 = 187.5 rows; 365.25 / 12 / 16 = 1.90 days, or 45 h 39 min
        "the budget is too little for another evaluation; about 190 new labelled rows "
        "(45 h 39 min of data) would refill it. "
    )
    assert found.flip.startswith("About 190 new labelled rows")
    assert found.values["rows_to_refill"] == 190


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fresh": True, "new": 0.0}, "the time of this span was evaluated before"),
        ({"fresh": True, "new": 1 / 365.25}, "only 24 h of what is evaluated here is new"),
    ],
)
def test_an_exhausted_budget_says_why(ask, changes, why):
    def alter(request):
        (span,) = request.holdout_evaluation.spans
        refilled = 0.05 * changes["new"]
        span = span.model_copy(update={"years": 0.1, **changes})
        return evaluated(spans=(span,), refilled=refilled, pool=refilled)(request)

    assert f": {why}, and" in ask("BUDGET", alter, alpha=0.0).message


@pytest.mark.parametrize(
    ("alter", "reason"),
    [
        (
            lambda r: r.model_copy(update={"holdout_evaluation": None}),
            "no record of this run's holdout",
        ),
        (evaluated(run_key="f" * 64), "The recorded evaluation is of another run, ffffffffffff."),
        (evaluated(spans=()), "The recorded evaluation is on other spans"),
        (evaluated(alpha=0.03), "which none may"),
        (evaluated(alpha=0.02, pool=0.01), "spends 0.02, which none may with 0.01 in the budget"),
        (evaluated(alpha=-0.01), "which none may"),
        (evaluated(alpha=NAN), "which none may"),
    ],
)
def test_an_evaluation_that_cannot_be_is_not_assessed(ask, alter, reason):
    found = ask("BUDGET", alter)
    assert (found.state, found.forces) == ("not_assessed", "hold")
    assert reason in found.message


def test_a_share_of_the_rows_is_evaluated_on_the_windows_spans(ask):
    assert ask("BUDGET", judged=()).state == "passed"


# POWER


def test_a_holdout_that_can_tell(ask):
    found = ask("POWER")
    # margin 0.023, half width 0.1, error 0.1 / 1.96: 0.023 + 0.1 + 0.8416 * 0.051 = 0.1659
    assert found.state == "passed"
    assert found.message == (
        "With 400 rows at 97.5 % one-sided confidence, the smallest gain detected with 80 % power "
        "is 0.166 in MAE; the interval must lie above 0.023, and 0.200 is worth finding."
    )
    assert found.values["error"] == pytest.approx(0.0510, abs=1e-4)
    assert (found.values["rows"], found.values["metric"]) == (400, "mae")


def test_a_holdout_that_is_too_small_warns_and_says_how_many_rows_would_do(ask):
    found = ask("POWER", alpha=0.001)
    error = 0.1 / norm.isf(0.025)
    least = 0.023 + (norm.isf(0.001) + norm.isf(0.2)) * error
    assert (found.state, found.severity, found.forces) == ("failed", "warning", None)
    assert found.values["detectable"] == pytest.approx(least, rel=1e-4)
    often = norm.cdf((0.2 - 0.023) / error - norm.isf(0.001))
    assert f"is detected with a power of only {100 * often:.1f} %" in found.message
    more = 400 * ((least - 0.023) / (0.2 - 0.023)) ** 2 - 400
    assert 113 < more < 114
    assert found.flip == "About 120 more holdout rows would detect a gain of 0.200 with 80 % power"


def test_equal_models_are_what_not_worse_than_is_to_find(ask):
    gate = {"not_worse_than": 0.2, "baseline": "median", "metric": "mae"}
    found = ask("POWER", gate=gate)
    assert (found.state, found.values["effect"], found.values["needed"]) == ("passed", 0.0, -0.2)
    assert ask("POWER", gate={**gate, "not_worse_than": 0.1}).state == "failed"


def test_without_an_effect_there_is_nothing_to_find(ask):
    gate = {"superior_by": 0, "baseline": "median", "metric": "mae"}
    found = ask("POWER", gate=gate)
    assert found.state == "not_applicable"
    assert "smallest gain detected with 80 % power is 0.143 in MAE" in found.message
    assert ask("POWER", gate={**gate, "effect": 0.2}).state == "passed"


def test_a_first_model_whose_gain_was_found_is_no_warning(ask):
    found = ask("POWER", champion_rows=None, gain=4.0, alpha=0.001)
    assert found.state == "not_applicable"
    assert found.message.endswith("compared with a dummy, and its gain was detected.")
    assert ask("POWER", champion_rows=None, gain=0.1, alpha=0.001).state == "failed"


def test_without_a_level_power_still_tells_the_error_for_the_next_plan(ask):
    found = ask("POWER", alpha=0.0)
    assert (found.state, found.forces) == ("not_assessed", None)
    assert (found.values["rows"], found.values["baseline"]) == (400, pytest.approx(2.3))


def test_an_error_that_is_not_told_is_read_off_the_interval(ask):
    told, read = ask("POWER"), ask("POWER", compared(error=None))
    assert read.values["error"] == pytest.approx(told.values["error"], rel=1e-5)


@pytest.mark.parametrize("error", [NAN, INF, -0.1])
def test_an_error_that_is_none_is_not_assessed(ask, error):
    assert ask("POWER", compared(error=error)).state == "not_assessed"
