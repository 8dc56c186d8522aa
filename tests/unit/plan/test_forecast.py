"""Power first: what the holdout to come can tell, said in the plan before anything is trained."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from scipy.stats import norm

from everfit.contracts.base import canonical_json, digest_of
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.spec.triggers import TriggerSpec
from everfit.data.sources.reader import reader_digest
from everfit.ml.holdout_budget.policy import EvaluatedRun
from everfit.ml.holdout_budget.record import record_evaluation
from everfit.steps.plan.step import Plan
from everfit.storage.ledger.records import SpanRecord, VerdictRecord
from tests.unit.plan.month_files import World, months

GATE = {"superior_by": 0.1, "effect": 0.4, "baseline": "median"}


@pytest.fixture
def world(context):
    made = World(context, window={"spans": 3}, gate=GATE)
    made.arrive(1, 2, 3, 4)
    read(made, 1, 2, 3, 4)
    return made


def read(world, *numbers, rows=1000):
    """Spans as extract records them: with their rows and the month their names tell."""
    reader = reader_digest(
        world.spec.source, world.spec.curated, world.spec.time, world.spec.features.drop
    )
    for month in numbers:
        ref = world.refs()[f"{month:02}"]
        span = Span(
            name=ref.name,
            digest=digest_of(month),
            rows=rows,
            size=1,
            period_start=ref.period_start,
            period_end=ref.period_end,
        )
        snapshot = Snapshot(span=span, fingerprint=ref.fingerprint, provenance={})
        world.ledger.record_span(
            "trips",
            SpanRecord(
                name=ref.name,
                fingerprint=ref.fingerprint,
                reader=reader,
                digest=span.digest,
                snapshot=snapshot.model_dump(mode="json"),
            ),
        )


def evaluate(world, key):
    """The run's evaluation on its holdout, as evaluate records it."""
    run = EvaluatedRun(key, "trips", world.spec.target.name)
    return record_evaluation(world.ledger, run, world.spec.gate, world.context.clock())


def evaluations(world):
    return world.ledger.holdout_evaluations("trips", world.spec.target.name)


def judged(world, window, holdout, seed=0, **told):
    """A run with its evaluation and a decision whose POWER check tells so."""
    train = world.spec.train.model_copy(update={"seed": seed})
    key = world.ran(window, holdout, spec=world.spec.model_copy(update={"train": train}))
    evaluation = evaluate(world, key)
    values: dict[str, object] = {
        "metric": "mae",
        "error": 0.05,
        "rows": 800,
        "baseline": 2.0,
        "against": "median",
    } | told
    document = {"checks": [{"code": "GAIN", "values": {}}, {"code": "POWER", "values": values}]}
    stored = world.context.store.put("gate.json", canonical_json(document))
    world.ledger.record_verdict(
        VerdictRecord(run_key=key, verdict="hold", because="so", decision=stored.digest)
    )
    return evaluation


def test_before_a_first_comparison_nothing_is_known(world):
    plan = world.plan()
    assert (plan.decision, plan.detectable) == ("train", None)
    assert Plan().report(plan, world.context).summary.detectable == ""


def test_the_plan_says_what_the_next_holdout_can_detect(world):
    judged(world, (1, 2, 3), (4,))
    world.arrive(5)
    read(world, 5, rows=4000)
    plan = world.plan()
    assert months(plan.holdout) == [5]
    evaluation = evaluations(world)[0]
    # April left half of its 30 days in the pool, May adds 31
    alpha = (evaluation.pool - evaluation.alpha + 0.05 * 31 / 365.25) / 2
    assert 1 / alpha == pytest.approx(317, abs=1)
    error = 0.05 * (800 / 3200) ** 0.5  # 4 rows of 5 were kept of the last, so 3,200 of 4,000
    least = 0.1 + (norm.isf(alpha) + norm.isf(0.2)) * error
    assert f"{least:.3g}" == "0.189"
    assert plan.detectable == (
        "about 3,200 holdout rows at 99.6 % one-sided confidence detect a gain of 0.189 in MAE "
        "with 80 % power, going by the last comparison; the gate asks for more than 0.1, and "
        "0.400 is worth finding"
    )
    assert Plan().report(plan, world.context).summary.detectable == plan.detectable


def test_a_holdout_too_small_for_the_effect_is_said_to_be(world):
    judged(world, (1, 2, 3), (4,), error=0.2)
    world.arrive(5)
    read(world, 5)
    told = world.plan().detectable
    assert "and a gain of 0.400, which is worth finding, will likely be missed" in told
    alpha = next_alpha(world)
    rows = 800 * ((norm.isf(alpha) + norm.isf(0.2)) * 0.2 / 0.3) ** 2
    assert 4500 < rows < 4600
    assert told.endswith("that takes about 4,600 rows")


def next_alpha(world):
    (evaluation,) = evaluations(world)
    return (evaluation.pool - evaluation.alpha + 0.05 * 31 / 365.25) / 2


def test_an_interval_that_was_wider_than_normal_will_be(world):
    judged(world, (1, 2, 3), (4,), alpha=0.01, below=0.05 * 2 * 2.32635)
    world.arrive(5)
    read(world, 5)
    least = 0.1 + (2 * norm.isf(next_alpha(world)) + norm.isf(0.2)) * 0.05
    assert f"detect a gain of {least:.3g} in MAE" in world.plan().detectable


def test_spans_not_read_yet_are_taken_to_be_like_the_last(world):
    judged(world, (1, 2, 3), (4,))
    world.arrive(5)
    assert "about 800 holdout rows at 99.6 % one-sided confidence" in world.plan().detectable


def test_spans_that_name_no_period_are_taken_to_follow(context):
    world = World(context, window={"spans": 3}, gate=GATE, source={"uri": "{data}/m/*.csv"})
    world.arrive(1, 2, 3, 4)
    read(world, 1, 2, 3, 4)  # without a period: dated by when they were first seen, which is now
    judged(world, (1, 2, 3), (4,))
    world.arrive(5)
    alpha = 0.05 * 15 / 365.25 / 2  # the half that was left of 30 days, and no time has passed
    least = 0.1 + (norm.isf(alpha) + norm.isf(0.2)) * 0.05
    assert f"detect a gain of {least:.3g} in MAE" in world.plan().detectable


def test_an_exhausted_budget_is_said_before_training(world):
    for number in range(4):
        judged(world, (1, 2, 3), (4,), seed=number + 1)
    plan = world.plan()
    assert plan.decision == "train"
    # 1000 rows in 30 days, and 1/16 of that is missing: 62.5 rows, 1.875 days
    assert plan.detectable == (
        "the evaluation budget of this holdout is exhausted, so the run will end in hold: about 63 "
        "new labelled rows (45 h of data) would refill it"
    )


def test_a_run_that_must_end_in_hold_waits_unless_a_person_asks(world):
    for number in range(4):
        judged(world, (1, 2, 3), (4,), seed=number + 1)
    train = world.spec.train.model_copy(update={"seed": 9})
    triggers = TriggerSpec(any=[{"code": True}])
    world.spec = world.spec.model_copy(update={"triggers": triggers, "train": train})
    waiting = world.plan("asset")
    assert waiting.decision == "wait"
    assert waiting.because.endswith(
        "but it waits: a run would have to end in hold: the evaluation budget of this holdout is "
        "exhausted: about 63 new labelled rows (45 h of data) would refill it"
    )
    assert [one.kind for one in waiting.conditions if one.fired] == ["code", "holdout"]
    assert world.plan("cli").decision == "train"
    world.arrive(5)  # a new month refills the budget
    assert world.plan("asset").decision == "train"


@pytest.fixture
def watched(context):
    """A champion of January and February, judged on March, and two evaluations after it."""
    triggers = {"any": [{"new_data": {}}, {"decay": {}}]}
    made = World(context, window={"spans": 2}, gate=GATE, triggers=triggers)
    made.arrive(1, 2, 3, 4, 5)
    read(made, 1, 2, 3, 4, 5)
    made.champion = made.ran((1, 2), (3,), verdict="promote", version=1, promoted=1)
    return made


def gained(world, gain, error):
    """A hold on April that found such a gain over the champion."""
    key = world.ran((2, 3), (4,))
    evaluation = evaluate(world, key)
    values = {"metric": "mae", "error": error, "rows": 1000, "baseline": 2.0}
    power = {"code": "POWER", "values": {**values, "against": "champion v1"}}
    document = {"checks": [{"code": "GAIN", "values": {"gain": gain}}, power]}
    stored = world.context.store.put("gate.json", canonical_json(document))
    world.ledger.record_verdict(
        VerdictRecord(run_key=key, verdict="hold", because="so", decision=stored.digest)
    )
    return evaluation


@pytest.mark.parametrize(
    ("gain", "rise", "measured", "decision"),
    [
        (0.02, 0.0, True, "wait"),
        (0.02, 0.0, False, "train"),  # nobody knows how stale the champion is by now
        (0.35, 0.0, True, "train"),  # a gain that was seen would be found
        (0.02, 0.35, True, "train"),  # the champion has lost as much
    ],
)
def test_a_holdout_too_small_for_any_gain_seen_so_far(watched, gain, rise, measured, decision):
    gained(watched, gain, error=0.07)
    if measured:
        watched.measured(watched.champion, 4, 5, worse=rise, low=rise - 0.1)
    plan = watched.plan("asset")
    assert plan.decision == decision, plan.because
    if decision == "wait":
        assert "holdout of about 1,000 rows is too small for any gain seen so far" in plan.because
        assert plan.signals == ()
    assert watched.plan("cli").decision == "train"


def test_a_run_that_is_resumed_was_evaluated_already(world):
    judged(world, (1, 2, 3), (4,), seed=1)
    key = world.ran((1, 2, 3), (4,))
    evaluate(world, key)
    plan = world.plan()
    assert plan.run_key == key
    alpha = 0.05 * 30 / 365.25 / 4  # a second evaluation on April spends a quarter
    least = 0.1 + (norm.isf(alpha) + norm.isf(0.2)) * 0.05
    assert f"detect a gain of {least:.3g} in MAE" in plan.detectable
    assert len(evaluations(world)) == 2


@pytest.mark.parametrize("told", [{"metric": "rmse"}, {"error": None}, {"error": 0.0}, {"rows": 0}])
def test_what_is_no_comparison_by_the_metric_tells_nothing(world, told):
    judged(world, (1, 2, 3), (4,), **told)
    world.arrive(5)
    assert world.plan().detectable is None


def test_the_widest_of_the_last_comparisons_counts(world):
    """One comparison may be narrow by chance; scaled to the rows to come, the widest is taken."""
    world.arrive(5)
    read(world, 5)
    judged(world, (1, 2, 3), (4,), seed=1, error=9.0)  # the fifth, back from the newest
    for seed, error in ((2, 0.05), (3, 0.08), (4, 0.03)):
        judged(world, (1, 2, 3), (4,), seed=seed, error=error)
    judged(world, (2, 3), (4,), error=0.14, rows=200)  # 0.07 with 800 rows
    told = world.plan().detectable
    known = evaluations(world)
    alpha = (sum(one.refilled - one.alpha for one in known) + 0.05 * 31 / 365.25) / 2
    # the newest kept 200 rows of 1,000, so 200 are to come: 0.08 with 800 is 0.16, 0.14 stays
    least = 0.1 + (norm.isf(alpha) + norm.isf(0.2)) * 0.16
    assert f"detect a gain of {least:.3g} in MAE with 80 % power" in told
    assert "going by the widest of the last 4 comparisons" in told


def test_an_older_comparison_counts_where_the_newest_decision_has_none(world):
    judged(world, (1, 2), (3,), error=0.05)
    judged(world, (1, 2, 3), (4,), metric="rmse")
    world.arrive(5)
    assert "going by the last comparison" in world.plan().detectable


def test_a_decision_that_was_cleared_away_tells_nothing(world):
    key = world.ran((1, 2, 3), (4,), verdict="hold")  # its document is not in the store
    evaluate(world, key)
    world.arrive(5)
    assert world.plan().detectable is None


def test_a_comparison_with_a_dummy_tells_nothing_of_one_with_a_champion(world):
    judged(world, (1, 2), (3,))
    world.ran((1, 2), (3,), verdict="promote", version=1, promoted=1)
    world.arrive(5)
    assert world.plan().detectable is None
    judged(world, (1, 2, 3), (4,), against="champion v1")
    assert "going by the last comparison" in world.plan().detectable


def test_a_plan_that_skips_reads_no_decision(world, monkeypatch):
    judged(world, (1, 2, 3), (4,))
    monkeypatch.setattr("everfit.steps.plan.forecast.forecast", None)
    assert world.plan().decision == "skip"


def test_a_forecast_imports_nothing_heavy():
    code = (
        "import sys, json, everfit.steps.plan.step, everfit.steps.plan.forecast; "
        "print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert not {"numpy", "pandas", "scipy", "pyarrow", "sqlalchemy"} & set(json.loads(told))
