"""A decayed champion is replaced by a candidate that is no worse where the gate says so."""

from __future__ import annotations

import pytest

from everfit.contracts.messages.steps import Trigger
from everfit.engine import pipeline as run
from tests.pipeline.test_monitoring import (  # noqa: F401
    ROWS,
    change,
    dearer,
    served,
    trained,
    without_the_report,
)


@pytest.mark.parametrize("adapts", [True, False])
def test_a_decayed_champion_is_replaced_under_the_intention_and_not_without_it(
    served,  # noqa: F811
    adapts,
) -> None:
    # Far more than the window's models can be better by: half of it knows the new fares.
    served.spec["gate"] = {"metric": "mae", "superior_by": "90%", "baseline": "median"}
    if adapts:
        served.spec["gate"]["when_decayed"] = {"not_worse_than": "0%"}
    served.months(7, rows=ROWS)
    for month in ("2018-04", "2018-05", "2018-06", "2018-07"):
        change(served, month, dearer)
    run.monitor_pipeline(served.load(), served.context, Trigger(run_type="scheduled"))
    outcomes = served.run()
    decision = served.result(outcomes, "gate")
    evaluation = served.context.ledger.holdout_evaluations("quick", "fare_amount")[-1]
    assert (decision.verdict == "promote") is adapts
    assert evaluation.decayed is adapts
    journal = served.context.ledger.history("quick")
    assert len(journal) == 1 + adapts
    if adapts:
        assert (evaluation.decay.before, evaluation.decay.idle) == (
            True,
            pytest.approx(91 / 365.25),
        )
        assert "asked instead of better by at least 90 %" in journal[-1].reason
        page = served.context.store.get(decision.report_html.digest).decode()
        assert "Of it for decayed champions" in page
