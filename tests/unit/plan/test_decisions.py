"""Plan's decisions against a real ledger, each with the sentence a person reads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from everfit.contracts.messages.planning import PlanResult
from everfit.contracts.messages.steps import Order
from everfit.engine.execute import perform
from tests.unit.plan.month_files import World, months


@pytest.fixture
def world(context):
    return World(context, window={"spans": 3})


def test_a_first_run_names_the_newest_spans(world):
    world.arrive(1, 2, 3, 4, 5)
    plan = world.plan()
    assert (months(plan.window), months(plan.holdout)) == ([2, 3, 4], [5])
    assert plan.run_key is None  # nothing was read yet
    assert plan.champion is None
    assert plan.because == (
        "there is no champion yet; training on 3 spans (2018-02.csv to 2018-04.csv), "
        "judging on 2018-05.csv"
    )


def test_the_window_wished_for_replaces_the_specs(world):
    world.arrive(1, 2, 3, 4, 5)
    assert months(world.plan(window=1).window) == [4]
    assert months(world.plan(window="all").window) == [1, 2, 3, 4]


def test_recent_spans_are_skipped(context):
    world = World(context, window={"spans": 2, "skip_recent": 1})
    world.arrive(1, 2, 3, 4, 5)
    plan = world.plan()
    assert (months(plan.window), months(plan.holdout)) == ([2, 3], [4])


def test_an_empty_source_is_skipped(world):
    plan = world.plan()
    assert "no file in {data}/m is a span (*.csv); the folder is empty" in plan.because


def test_too_few_spans_say_how_many_are_needed(context):
    world = World(context, window={"min_spans": 3, "skip_recent": 1})
    world.arrive(1, 2)
    assert world.plan().because == (
        "5 spans are needed (3 to train on, 1 to judge on, 1 skipped as too recent), 2 are there"
    )
    world.arrive(3, 4)
    world.know(1, refused="SPAN-EMPTY")
    plan = world.plan()
    assert plan.because.endswith("3 are there; 1 more is left out as bad: 2018-01.csv")
    assert plan.notes == ("2018-01.csv is left out: refused earlier (SPAN-EMPTY)",)


def test_bad_spans_are_left_out_until_they_change(world):
    world.arrive(1, 2, 3, 4, 5)
    world.know(1, 2, 3, 5)
    world.know(4, refused="SPAN-TRUNCATED")
    world.quarantine(5)
    plan = world.plan()
    assert (months(plan.window), months(plan.holdout)) == ([1, 2], [3])
    assert plan.notes == (
        "2018-04.csv is left out: refused earlier (SPAN-TRUNCATED)",
        "2018-05.csv is left out: in quarantine since it was validated (X)",
    )
    path = world.settings.data / "m" / "2018-04.csv"
    path.write_text("fare\n4\n5\n")
    os.utime(path, ns=(7, 7))
    assert months(world.plan().holdout) == [4]


def test_a_new_rule_looks_at_quarantined_spans_anew(context):
    world = World(context)
    world.arrive(1, 2)
    world.know(1, 2)
    world.quarantine(2)
    assert world.plan().decision == "skip"
    changed = World(context, validation={"max_null_jump": 0.5})
    assert months(changed.plan().holdout) == [2]


@pytest.mark.parametrize("verdict", ["hold", "reject"])
def test_a_decided_run_is_not_run_again(world, verdict):
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    key = world.ran([1, 2, 3], [4], verdict)
    plan = world.plan()
    assert plan.decision == "skip"
    assert plan.run_key == key
    assert plan.because == (
        f"nothing changed: run {key[:12]} on 3 spans (2018-01.csv to 2018-03.csv), "
        f"judged on 2018-04.csv, ended in {verdict}"
    )


def test_a_promoted_run_is_not_run_again(world):
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    world.ran([1, 2, 3], [4], "promote", version=7, promoted=1)
    plan = world.plan()
    assert plan.decision == "skip"
    assert plan.because.endswith("ended in promote as version 7")


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ({}, "has no verdict yet"),
        ({"verdict": "promote"}, "was accepted but is not registered yet"),
        ({"verdict": "promote", "version": 1}, "registered as version 1 but not promoted yet"),
    ],
)
def test_an_unfinished_run_is_resumed(world, steps, says):
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    key = world.ran([1, 2, 3], [4], **steps)
    plan = world.plan()
    assert plan.decision == "train"
    assert plan.run_key == key
    assert plan.because.startswith(f"resuming run {key[:12]} on 3 spans")
    assert says in plan.because


def test_an_accepted_run_that_was_overtaken_is_over(world):
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    world.ran([1, 2, 3], [4], "promote", version=1)
    world.ran([1, 2], [3], "promote", version=2, promoted=1)
    plan = world.plan()
    assert plan.decision == "skip"
    assert "superseded by another promotion" in plan.because


def test_force_goes_through_a_decided_run_again(world):
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    key = world.ran([1, 2, 3], [4], "promote", version=1, promoted=1)
    plan = world.plan(force=True)
    assert plan.decision == "train"
    assert plan.run_key == key
    assert plan.champion is None  # a rerun is the same run: compared with what it was then
    assert "forced" in plan.because


def test_a_new_span_trains_against_the_champion_of_now(world):
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    first = world.ran([1, 2, 3], [4], "promote", version=1, promoted=1)
    world.arrive(5)
    plan = world.plan()
    assert (months(plan.window), months(plan.holdout)) == ([2, 3, 4], [5])
    assert plan.champion.run_key == first
    assert plan.champion.sequence == 1
    assert plan.because.startswith("new: 2018-05.csv; training on")


def test_changed_values_train_again(context):
    world = World(context)
    world.arrive(1, 2, 3)
    world.know(1, 2, 3)
    world.ran([1, 2], [3], "reject")
    assert world.plan().decision == "skip"
    changed = World(context, train={"trials": 9})
    plan = changed.plan()
    assert plan.decision == "train"
    assert "never run with this spec, code and environment" in plan.because
    same = World(context, description="another text", owner="someone", tags=["a"])
    assert same.plan().decision == "skip"


def test_what_the_champion_has_seen_does_not_judge(context):
    world = World(context, holdout={"spans": 1})
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    world.ran([1, 2, 3], [4], "promote", version=1, promoted=1)
    (world.settings.data / "m" / "2018-04.csv").unlink()
    plan = world.plan()
    assert plan.decision == "skip"
    assert plan.because.startswith("the champion was trained on 2018-03.csv, and a candidate is")
    assert world.plan(force=True).decision == "train"


def test_rows_held_out_need_no_unseen_span(context):
    world = World(context, holdout={"fraction": 0.2})
    world.arrive(1)
    world.know(1)
    plan = world.plan()
    assert (months(plan.window), months(plan.holdout)) == ([1], [])
    assert plan.because.endswith("training on 2018-01.csv, judging on 20 % of the rows")
    world.ran([1], [], "promote", version=1, promoted=1)
    assert world.plan().decision == "skip"
    world.arrive(2)
    world.know(2)
    assert world.plan().decision == "train"


def test_a_quarantine_alone_does_not_train_again(world):
    """Validate dropped 2018-03 and ran on the rest; reaching back to 2018-01 is nothing new."""
    world.arrive(1, 2, 3, 4, 5)
    world.know(2, 3, 4, 5)
    world.ran([2, 4], [5], "promote", version=1, promoted=1)
    world.quarantine(3)
    plan = world.plan()
    assert plan.decision == "skip"
    assert plan.because.endswith("as version 1; left out as bad: 2018-03.csv")
    world.arrive(6)
    assert months(world.plan().window) == [2, 4, 5]


def test_newer_spans_all_in_quarantine(world):
    world.arrive(1, 2, 3, 4)
    world.know(1, 2, 3, 4)
    world.ran([1, 2, 3], [4], "promote", version=1, promoted=1)
    world.arrive(5, 6)
    world.know(5, 6)
    world.quarantine(5, 6)
    plan = world.plan()
    assert plan.decision == "skip"
    assert "left out as bad: 2018-05.csv, 2018-06.csv" in plan.because


def test_plan_through_the_common_door(world):
    world.arrive(1, 2)
    outcome = perform(Order(component="plan", pipeline=world.spec), world.context)
    assert outcome.summary.window == 1
    assert not outcome.cached
    result = PlanResult.model_validate_json(world.context.store.get(outcome.result))
    assert months(result.holdout) == [2]
    assert str(world.settings.root) not in result.model_dump_json()


def test_plan_imports_nothing_heavy():
    code = (
        "import sys; import everfit.steps.plan.step; heavy = {'numpy', 'pandas', 'pyarrow',"
        " 'sklearn', 'mlflow', 'boto3'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
