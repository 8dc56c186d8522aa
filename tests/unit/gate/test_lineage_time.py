"""The holdout lies after the training data, by its rows: January is not judged by June's model."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from everfit.steps.gate.check import run_checks
from everfit.steps.gate.checks import gain, lineage_time
from everfit.steps.gate.evidence.evidence import Evidence, Missing, Times
from tests.unit.gate.asking import AWAY

JANUARY, MAY, JUNE, JULY = (list(range(30 * month, 30 * month + 30)) * 10 for month in (1, 5, 6, 7))


def found(world, judged, train, champion=MAY, **changes):
    request = world.request().model_copy(update={"time": "pickup_at", **changes})
    arrays = [one if isinstance(one, Missing) else pa.array(one) for one in (judged, train)]
    theirs = champion if champion is None or isinstance(champion, Missing) else pa.array(champion)
    evidence = Evidence(
        request=request,
        losses=AWAY,
        holdout_rows=AWAY,
        train_rows=AWAY,
        champion_rows=AWAY,
        predictions=AWAY,
        served=AWAY,
        times=Times(*arrays, theirs),
    )
    (check,) = run_checks([replace(lineage_time.CHECK, needs=())], evidence)
    return check


def test_a_later_holdout_passes(world):
    check = found(world, JULY, MAY + JUNE)
    assert (check.state, check.forces) == ("passed", None)


def test_january_is_not_judged_by_a_model_of_may_and_june(world):
    check = found(world, JANUARY, MAY + JUNE)
    assert (check.state, check.forces) == ("failed", "hold")
    assert check.message.startswith("100 % of the holdout rows are earlier than the candidate's")


def test_a_champion_of_later_rows_is_no_fair_baseline(world):
    check = found(world, JUNE, MAY, champion=JULY)
    assert (check.state, check.forces) == ("failed", "hold")
    assert "champion v3" in check.message


def test_a_few_late_rows_and_a_few_wrong_times_decide_nothing(world):
    wrong = [99_999, 99_999]
    assert found(world, JULY + MAY[:10], MAY + JUNE + wrong).state == "passed"
    assert found(world, JULY + MAY[:40], MAY + JUNE + wrong).state == "failed"


UNKNOWN = [
    (AWAY, MAY),
    (JULY, AWAY),
    ([], MAY),
    (JULY, []),
    (JULY, MAY, AWAY),
    (JULY, MAY, None),
]


@pytest.mark.parametrize("tables", UNKNOWN)
def test_times_that_are_not_known_hold(world, tables):
    check = found(world, *tables)
    assert (check.state, check.forces) == ("not_assessed", "hold")


@pytest.mark.parametrize("changes", [{"time": None}, {"holdout": ()}])
def test_without_a_time_or_spans_to_hold_out_it_is_not_applicable(world, changes):
    assert found(world, JANUARY, MAY, **changes).state == "not_applicable"


def test_the_gain_needs_it():
    assert "LINEAGE-TIME" in gain.CHECK.needs
