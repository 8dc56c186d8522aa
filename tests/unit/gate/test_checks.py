"""Each check passing, failing and unable to look; none passes by accident."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from everfit.contracts.errors import Unavailable
from everfit.contracts.messages.requests import DeliveredBefore
from everfit.steps.gate.check import GateCheck, run_checks
from everfit.steps.gate.decide import decide
from everfit.steps.gate.evidence import read_evidence as reading
from everfit.steps.gate.evidence.evidence import Missing, Served
from everfit.steps.gate.evidence.read_evidence import read_evidence
from everfit.steps.gate.find_checks import built_in_checks
from everfit.steps.gate.finding import Finding

ROWS = 400


@pytest.fixture
def judged(context, monkeypatch):
    """Run every check on a world; the clean process is tested on its own."""
    monkeypatch.setattr(
        reading, "try_serving", lambda *a, **k: Served(True, "Predicts the same.", 20)
    )

    def ask(world, **changes):
        request = world.request()
        if "request" in changes:
            request = changes.pop("request")(request)
        evidence = replace(read_evidence(request, context), **changes)
        return run_checks(built_in_checks(), evidence)

    return ask


def one(checks, code):
    (found,) = [check for check in checks if check.code == code]
    return found


def evaluated(**changes):
    return lambda request: request.model_copy(
        update={"evaluated": request.evaluated.model_copy(update=changes)}
    )


def test_all_is_well(world, judged):
    checks = judged(world)
    assert {check.state for check in checks} <= {"passed", "not_applicable"}
    assert decide(checks) == "promote"


# GAIN


def test_gain_says_the_numbers(world, judged):
    found = one(judged(world), "GAIN")
    assert found.message == (
        "Better than champion v3 by the required 0.023: MAE 2.00 against 2.30 on 400 holdout "
        "rows, a gain of 0.300 (0.200 to 0.400; 97.5 % one-sided confidence)."
    )
    # a lower bound at the margin is 0.1 below the gain: 0.023 + 0.1
    assert found.flip == "A gain below 0.123 instead of 0.300 would have been undecided"
    assert found.forces is None


def test_gain_undecided_holds_and_says_how_many_rows_would_do(world, judged):
    checks = judged(world.but(gain=0.05, width=0.06))
    found = one(checks, "GAIN")
    assert (found.state, found.forces, decide(checks)) == ("failed", "hold", "hold")
    assert found.message.startswith("Undecided whether better than champion v3")
    # 400 * (0.06 / (0.05 - 0.0205))**2 = 1654.7, so 1255 more, told with two figures
    assert found.flip == (
        "About 1,300 more holdout rows with the same gain, or a gain of at least 0.0805 instead of "
        "0.0500"
    )


def test_gain_below_the_margin_needs_more_than_rows(world, judged):
    found = one(judged(world.but(gain=0.01, width=0.06)), "GAIN")
    assert found.forces == "hold"
    assert found.flip is not None and "more rows with the same gain would not suffice" in found.flip


def test_gain_surely_missed_rejects(world, judged):
    checks = judged(world.but(gain=-0.4, width=0.1))
    found = one(checks, "GAIN")
    assert (found.state, found.forces, decide(checks)) == ("failed", "reject", "reject")
    assert found.message.startswith("Worse than champion v3:")


def test_gain_of_nothing_is_not_superior(world, judged):
    checks = judged(world.but(gain=0.0, width=0.0, gate={**world.gate, "superior_by": 0}))
    assert one(checks, "GAIN").forces == "reject"


def test_not_worse_than_promotes_an_equal_model(world, judged):
    gate = {"not_worse_than": 0.1, "baseline": "median"}
    checks = judged(world.but(gain=-0.02, width=0.04, gate=gate))
    assert decide(checks) == "promote"
    assert one(checks, "GAIN").message.startswith(
        "Not worse than champion v3 by more than the allowed 0.1:"
    )


def test_cold_start_compares_with_the_declared_dummy(world, judged):
    checks = judged(world.but(champion_rows=None, gain=4.0))
    assert decide(checks) == "promote"
    assert "than the median dummy by" in one(checks, "GAIN").message
    assert "there is no champion" in one(checks, "LINEAGE-ROWS").message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"comparison": None}, "could not compare"),
        ({"metric": "rmse"}, "compared rmse"),
        ({"baseline": "median"}, "compared with median, not with champion v3"),
        ({"baseline": "champion v2"}, "compared with champion v2, not with champion v3"),
    ],
)
def test_gain_of_another_comparison_is_not_assessed(world, judged, changes, reason):
    def alter(request):
        comparison = request.evaluated.comparison
        changed = None if "comparison" in changes else comparison.model_copy(update=changes)
        return evaluated(comparison=changed)(request)

    checks = judged(world, request=alter)
    found = one(checks, "GAIN")
    assert (found.state, found.forces, decide(checks)) == ("not_assessed", "hold", "hold")
    assert reason in found.message


def test_gain_that_the_row_losses_do_not_give_is_not_assessed(world, judged):
    def alter(request):
        comparison = request.evaluated.comparison
        gain = comparison.gain.model_copy(update={"value": 0.39})
        return evaluated(comparison=comparison.model_copy(update={"gain": gain}))(request)

    found = one(judged(world, request=alter), "GAIN")
    assert found.state == "not_assessed"
    assert "row losses give a gain of 0.300000, but the comparison says 0.390000" in found.message


def test_gain_whose_interval_does_not_hold_it_is_not_assessed(world, judged):
    def alter(request):
        comparison = request.evaluated.comparison
        gain = comparison.gain.model_copy(update={"low": 0.35})
        return evaluated(comparison=comparison.model_copy(update={"gain": gain}))(request)

    assert one(judged(world, request=alter), "GAIN").state == "not_assessed"


# ROWS


def test_too_few_rows_hold_and_nothing_is_judged_on_them(world, judged):
    checks = judged(world.but(gain=-5.0, gate={**world.gate, "min_rows": 500}))
    found = one(checks, "ROWS-ENOUGH")
    assert (found.state, found.forces, found.flip) == ("failed", "hold", "100 more holdout rows")
    assert one(checks, "GAIN").state == "not_assessed"
    assert decide(checks) == "hold"


def test_losses_of_other_rows_fail(world, judged):
    other = np.arange(ROWS, dtype=np.uint64)
    other[:3] += 5000
    checks = judged(world.but(scored=other))
    found = one(checks, "ROWS-SAME")
    assert found.state == "failed"
    assert "3 of 400 row digests are not in the holdout table" in found.message
    assert one(checks, "GAIN").state == "not_assessed"
    assert decide(checks) == "hold"


def test_a_row_scored_twice_in_place_of_another_fails(world, judged):
    other = np.arange(ROWS, dtype=np.uint64)
    other[0] = other[1]
    assert one(judged(world.but(scored=other)), "ROWS-SAME").state == "failed"


def test_losses_of_fewer_rows_fail(world, judged):
    found = one(judged(world.but(scored=np.arange(ROWS - 1, dtype=np.uint64))), "ROWS-SAME")
    assert found.state == "failed"
    assert "the row losses 399" in found.message


def test_the_same_rows_in_another_order_are_the_same_rows(world, judged):
    order = np.random.default_rng(0).permutation(ROWS).astype(np.uint64)
    assert one(judged(world.but(scored=order)), "ROWS-SAME").state == "passed"


@pytest.mark.parametrize("part", ["losses", "holdout_rows"])
def test_without_the_rows_nothing_is_proven(world, judged, part):
    checks = judged(world, **{part: Missing("it was not there")})
    found = one(checks, "ROWS-SAME")
    assert (found.state, found.message) == ("not_assessed", "It was not there.")
    assert decide(checks) == "hold"


# LINEAGE


def test_a_holdout_span_in_the_window_rejects(world, judged):
    checks = judged(world.but(judged=("2018-04", "2018-05")))
    found = one(checks, "LINEAGE-SPANS")
    assert (found.state, found.forces) == ("failed", "reject")
    assert found.message.endswith("1 of 2 holdout spans: 2018-04.")
    assert decide(checks) == "reject"


def test_a_holdout_span_the_champion_saw_holds(world, judged):
    checks = judged(world.but(champion_window=("2018-02", "2018-05")))
    found = one(checks, "LINEAGE-SPANS")
    assert (found.state, found.forces, decide(checks)) == ("failed", "hold", "hold")


@pytest.mark.parametrize("lost", [{"window": ()}, {"champion_window": ()}])
def test_an_unknown_window_is_not_assessed(world, judged, lost):
    checks = judged(world.but(**lost))
    assert one(checks, "LINEAGE-SPANS").state == "not_assessed"
    assert decide(checks) == "hold"


def test_a_share_of_rows_has_no_holdout_spans_and_is_looked_at_row_by_row(world, judged):
    checks = judged(world.but(judged=(), champion_window=("2018-02",)))
    assert one(checks, "LINEAGE-SPANS").state == "not_applicable"
    assert decide(checks) == "promote"
    leaky = np.arange(399, 3399, dtype=np.uint64)
    assert decide(judged(world.but(judged=(), train=leaky))) == "reject"


def test_one_holdout_row_in_the_training_table_rejects_where_rows_were_divided(world, judged):
    train = world.train.copy()
    train[1234] = 7
    found = one(judged(world.but(train=train, judged=())), "LINEAGE-ROWS")
    assert (found.state, found.forces) == ("failed", "reject")
    assert found.message == "The candidate was trained on 1 of 400 holdout rows."


def test_one_holdout_row_the_champion_saw_holds_where_rows_were_divided(world, judged):
    rows = world.champion_rows.copy()
    rows[0] = 7
    found = one(judged(world.but(champion_rows=rows, judged=())), "LINEAGE-ROWS")
    assert (found.state, found.forces) == ("failed", "hold")


def test_equal_rows_of_other_spans_are_observations_and_counted(world, judged):
    train = world.train.copy()
    train[1234] = 7
    checks = judged(world.but(train=train))
    found = one(checks, "LINEAGE-ROWS")
    assert found.state == "passed" and found.values["equal_rows"] == 1
    assert "1 row of the holdout equals a training row in full" in found.message
    assert decide(checks) == "promote"


def test_a_holdout_span_in_the_window_rejects_by_row_too(world, judged):
    found = one(judged(world.but(judged=("2018-04",))), "LINEAGE-ROWS")
    assert (found.state, found.forces) == ("failed", "reject")
    found = one(judged(world.but(champion_window=("2018-05",))), "LINEAGE-ROWS")
    assert (found.state, found.forces) == ("failed", "hold")
    assert one(judged(world.but(champion_window=())), "LINEAGE-ROWS").state == "not_assessed"
    assert one(judged(world.but(window=())), "LINEAGE-ROWS").state == "not_assessed"


def trips(world, **changed):
    """Every row has a trip of its own."""
    return {
        "holdout": np.arange(400) + 1,
        "train": np.arange(len(world.train)) + 1_000,
        "champion": np.arange(1_000) + 1_000,
        **changed,
    }


def test_with_a_key_no_row_may_be_on_both_sides_whatever_its_content(world, judged):
    named = world.but(key=("trip",), trips=trips(world))
    found = one(judged(named), "LINEAGE-ROWS")
    assert found.state == "passed" and "by key (trip)" in found.message, found.message
    leaky = np.arange(len(world.train)) + 400  # trip 400 is in the holdout
    found = one(judged(world.but(key=("trip",), trips=trips(world, train=leaky))), "LINEAGE-ROWS")
    assert (found.state, found.forces) == ("failed", "reject")
    seen = np.arange(1_000) + 399
    found = one(judged(world.but(key=("trip",), trips=trips(world, champion=seen))), "LINEAGE-ROWS")
    assert (found.state, found.forces) == ("failed", "hold")
    assert found.values["leaked_champion"] == 2


def test_a_champion_of_a_time_before_the_key_is_compared_by_span(world, judged):
    old = trips(world)
    del old["champion"]
    found = one(judged(world.but(key=("trip",), trips=old)), "LINEAGE-ROWS")
    assert found.state == "passed" and "v3 was trained on other spans" in found.message
    assert one(judged(world.but(key=("trip",))), "LINEAGE-ROWS").state == "not_assessed"


def test_a_holdout_delivered_before_rejects_under_whatever_ids(world, judged):
    copied = {"holdout": world.train[:400]}
    checks = judged(world.but(shown=copied))
    found = one(checks, "LINEAGE-REPEATS")
    assert (found.state, found.forces, decide(checks)) == ("failed", "reject", "reject")
    assert found.message.startswith("About 100 % of the 400 holdout rows were delivered before")
    assert one(checks, "LINEAGE-ROWS").state == "passed"  # by content it has other rows
    half = np.concatenate([world.train[:200], world.holdout[200:]])
    found = one(judged(world.but(shown={"holdout": half})), "LINEAGE-REPEATS")
    assert found.state == "failed" and abs(found.values["delivered_before"] - 0.5) < 0.02
    few = np.concatenate([world.train[:20], world.holdout[20:]])
    assert one(judged(world.but(shown={"holdout": few})), "LINEAGE-REPEATS").state == "passed"


def test_what_prepare_found_of_one_span_rejects_too(world, judged):
    before = DeliveredBefore(
        span="2018-05", rows=400, repeated=300, by_chance=0.0, part=0.7, low=0.6, large=True
    )

    def alter(request):
        prepared = request.prepared.model_copy(update={"delivered_before": (before,)})
        return request.model_copy(update={"prepared": prepared})

    found = one(judged(world, request=alter), "LINEAGE-REPEATS")
    assert (found.state, found.forces) == ("failed", "reject") and "(2018-05)" in found.message


def test_a_holdout_that_the_champion_was_given_before_holds(world, judged):
    theirs = np.concatenate([world.holdout, np.arange(20_000, 21_000, dtype=np.uint64)])
    found = one(judged(world.but(champion_rows=theirs)), "LINEAGE-REPEATS")
    assert (found.state, found.forces) == ("failed", "hold") and "champion v3" in found.message


def test_a_spec_that_expects_repeats_is_warned_and_not_held(world, judged):
    checks = judged(world.but(shown={"holdout": world.train[:400]}, repeats_expected=True))
    found = one(checks, "LINEAGE-REPEATS")
    assert (found.state, found.severity, decide(checks)) == ("failed", "warning", "promote")


@pytest.mark.parametrize("part", ["delivery", "champion_delivery"])
def test_rows_that_cannot_be_compared_prove_nothing(world, judged, part):
    checks = judged(world, **{part: Missing("gone")})
    assert one(checks, "LINEAGE-REPEATS").state == "not_assessed"
    assert decide(checks) == "hold"


@pytest.mark.parametrize("part", ["train_rows", "champion_rows", "holdout_rows"])
def test_missing_tables_prove_nothing(world, judged, part):
    checks = judged(world, **{part: Missing("gone")})
    assert one(checks, "LINEAGE-ROWS").state == "not_assessed"
    assert decide(checks) == "hold"


def test_a_champion_without_its_training_rows_is_not_assessed(world, judged):
    assert one(judged(world, champion_rows=None), "LINEAGE-ROWS").state == "not_assessed"


def test_an_empty_training_table_proves_nothing(world, judged):
    checks = judged(world.but(train=np.array([], dtype=np.uint64)))
    assert one(checks, "LINEAGE-ROWS").state == "not_assessed"


def test_a_training_table_of_another_length_fails(world, judged):
    def alter(request):
        prepared = request.prepared.model_copy(update={"rows_train": 2999})
        return request.model_copy(update={"prepared": prepared})

    assert one(judged(world, request=alter), "LINEAGE-ROWS").state == "failed"


# FINITE


@pytest.mark.parametrize(
    ("named", "forced"), [("candidate.rmse", "reject"), ("baseline.rmse", "hold")]
)
def test_what_evaluate_found_not_finite_fails(world, judged, named, forced):
    checks = judged(world.but(not_finite=(named,)))
    found = one(checks, "FINITE")
    assert (found.state, found.forces, decide(checks)) == ("failed", forced, forced)
    assert named in found.message


def test_a_score_that_is_not_finite_fails(world, judged):
    def alter(request):
        scores = {k: dict(v) for k, v in request.evaluated.scores.items()}
        bad = scores["candidate"]["rmse"].model_copy(update={"high": float("inf")})
        scores["candidate"]["rmse"] = bad
        return evaluated(scores=scores)(request)

    assert "candidate.rmse" in one(judged(world, request=alter), "FINITE").message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_loss_that_is_not_finite_fails(world, judged, context, value):
    import pyarrow as pa

    whole = read_evidence(world.request(), context).losses
    candidate = pa.array([value, *whole.candidate.to_pylist()[1:]], pa.float64())
    found = one(judged(world, losses=replace(whole, candidate=candidate)), "FINITE")
    assert (found.state, found.forces) == ("failed", "reject")
    assert "candidate.losses of 1 rows" in found.message


@pytest.mark.parametrize("predictions", [[1.0, None], [[0.5, float("nan")]], [1.0, "x"], [True]])
def test_a_prediction_that_is_no_finite_number_fails(world, judged, predictions):
    assert one(judged(world, predictions=predictions), "FINITE").state == "failed"


@pytest.mark.parametrize("predictions", [Missing("gone"), []])
def test_no_predictions_are_not_assessed(world, judged, predictions):
    assert one(judged(world, predictions=predictions), "FINITE").state == "not_assessed"


@pytest.mark.parametrize("who", ["candidate", "baseline"])
def test_a_score_that_is_absent_is_not_assessed(world, judged, who):
    def alter(request):
        kept = {k: v for k, v in request.evaluated.scores.items() if k != who}
        return evaluated(scores=kept)(request)

    checks = judged(world, request=alter)
    assert one(checks, "FINITE").state == "not_assessed"
    assert decide(checks) == "hold"


def test_a_metric_that_the_rows_leave_undefined_holds_and_rejects_nobody(world, judged):
    """Three positives: resamples without any have no ROC curve, whatever the model."""
    names = ("rows.candidate.roc_auc interval", "rows.baseline.roc_auc interval")
    checks = judged(world.but(not_finite=names))
    found = one(checks, "FINITE")
    assert (found.state, found.forces, decide(checks)) == ("failed", "hold", "hold")
    assert found.message == (
        "Undefined on these 400 holdout rows, which hold too few of a class: candidate.roc_auc "
        "interval, baseline.roc_auc interval."
    )
    both = judged(world.but(not_finite=(*names, "candidate.log_loss")))
    assert one(both, "FINITE").forces == "reject"


# LIMIT


def limits(world, **bounds):
    return world.but(gate={**world.gate, "limits": bounds})


def test_limits_are_checks_of_their_own(world, judged):
    found = [
        check
        for check in judged(limits(world, mae={"max": 1.5}, r2={"min": 0.7, "max": 0.99}))
        if check.code == "LIMIT"
    ]
    assert [(c.title, c.state) for c in found] == [
        ("Limit: MAE at most 1.5", "failed"),
        ("Limit: R² at least 0.7 and at most 0.99", "passed"),
    ]
    assert found[0].message == "MAE is 2.00 (1.92 to 2.08); at most 1.5 is required."
    assert found[0].flip == "A score of at most 1.5 in MAE instead of 2.00"
    assert found[0].forces == "reject"


def test_a_lower_limit(world, judged):
    checks = judged(limits(world, r2={"min": 0.9}))
    assert one(checks, "LIMIT").flip == "A score of at least 0.9 in R² instead of 0.810"
    assert decide(checks) == "reject"


def test_a_limit_exactly_met_passes(world, judged):
    assert one(judged(limits(world, r2={"min": 0.81})), "LIMIT").state == "passed"


def test_a_limit_on_what_was_not_scored_is_not_assessed(world, judged):
    checks = judged(limits(world, median_ae={"max": 1}))
    assert one(checks, "LIMIT").state == "not_assessed"
    assert decide(checks) == "hold"


# SERVABLE (see also test_servability)


def test_what_is_not_servable_is_rejected(world, judged):
    checks = judged(world, served=Served(False, "It predicts otherwise."))
    assert one(checks, "SERVABLE").message == "It predicts otherwise."
    assert decide(checks) == "reject"


def test_what_could_not_be_tried_is_held(world, judged):
    checks = judged(world, served=Missing("no process could be started"))
    assert one(checks, "SERVABLE").state == "not_assessed"
    assert decide(checks) == "hold"


# Asking


def test_a_check_that_crashes_is_not_assessed_and_names_no_detail(world, context, judged):
    def crash(evidence):
        raise ZeroDivisionError("0x7f3a at /tmp/secret")

    (check,) = run_checks([GateCheck("X", "X", "error", 1, crash)], None)
    assert (check.state, check.forces) == ("not_assessed", "hold")
    assert check.message == "The check crashed with ZeroDivisionError."


def test_a_check_without_an_answer_is_not_assessed():
    (check,) = run_checks([GateCheck("X", "X", "error", 1, lambda evidence: [])], None)
    assert check.state == "not_assessed"


def test_a_generator_that_crashes_half_way_passes_nothing():
    def half(evidence):
        yield Finding("passed", "Fine.")
        raise RuntimeError

    (check,) = run_checks([GateCheck("X", "X", "error", 1, half)], None)
    assert check.state == "not_assessed"


def test_an_unreachable_store_decides_nothing():
    def away(evidence):
        raise Unavailable("STORE", "s3", "it must answer")

    with pytest.raises(Unavailable):
        run_checks([GateCheck("X", "X", "error", 1, away)], None)


def test_a_check_is_not_assessed_where_one_it_needs_did_not_pass():
    asked = [
        GateCheck("A", "A", "error", 1, lambda e: Finding("not_applicable", "No.")),
        GateCheck("B", "B", "error", 2, lambda e: Finding("passed", "Yes."), needs=("A",)),
        GateCheck("C", "C", "error", 3, lambda e: Finding("failed", "No."), needs=("B",)),
        GateCheck("D", "D", "error", 4, lambda e: Finding("passed", "Yes."), needs=("B", "C")),
        GateCheck("E", "E", "error", 5, lambda e: Finding("passed", "Yes."), needs=("D",)),
        GateCheck("F", "F", "error", 6, lambda e: Finding("passed", "Yes."), needs=("GONE",)),
    ]
    checks = run_checks(asked, None)
    assert [check.state for check in checks] == [
        "not_applicable",
        "passed",
        "failed",
        "not_assessed",
        "not_assessed",
        "not_assessed",
    ]
    assert checks[3].message == "Not assessed, because C did not pass."
