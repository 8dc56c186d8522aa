"""Row weights through the whole chain, and into monitoring."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from everfit.contracts.messages.monitoring import MonitorResult
from everfit.contracts.messages.steps import Trigger
from everfit.data.tables.frames import WEIGHT, read_table
from everfit.engine import pipeline as run

ROWS = 400


def weighed(world):
    """Months with a column of weights: dear trips count three times."""
    for path in sorted(world.trips.glob("*.csv")):
        frame = pd.read_csv(path)
        if "importance" not in frame:
            frame["importance"] = np.where(frame["trip_distance"] > 2, 3.0, 1.0)
            frame.to_csv(path, index=False)


def table(world, artifact, columns=None):
    return read_table(world.context.store.local(artifact.digest, world.context.scratch), columns)


@pytest.fixture
def judged(world):
    world.spec["weight"] = "importance"
    world.spec["gate"]["find_slices"] = False
    world.months(3, rows=ROWS)
    weighed(world)
    return world, world.run()


def page(world, report):
    return world.context.store.get(report.digest).decode().replace("\u00a0", " ")


def test_a_weighted_run_is_judged_by_weighted_losses_and_says_so(judged, monkeypatch):
    world, outcomes = judged
    prepared, evaluated, gate, registered = (
        world.result(outcomes, step) for step in ("prepare", "evaluate", "gate", "register")
    )
    assert gate.verdict == "promote"
    assert "importance" not in [c.name for c in prepared.columns if c.role == "feature"]
    losses = table(world, evaluated.losses)
    expected = np.average(losses["candidate"], weights=losses[WEIGHT])
    assert evaluated.comparison.candidate_score == pytest.approx(expected)
    assert expected != pytest.approx(losses["candidate"].mean(), rel=0.01)

    train = table(world, prepared.train, [WEIGHT])[WEIGHT]
    worth = train.sum() ** 2 / (train**2).sum()
    assert prepared.weights.train == pytest.approx(worth)
    said = f"Weighted by importance: as sure as {int(worth):,} training rows"
    for report in (prepared.report, evaluated.card, gate.report_html, registered.card):
        assert said in page(world, report)
    document = json.loads(world.context.store.get(gate.report_json.digest))
    assert document["weights"]["by"] == "importance"
    (rows,) = [check for check in document["checks"] if check["code"] == "ROWS-ENOUGH"]
    assert f"worth {int(prepared.weights.holdout):,} of equal weight" in rows["message"]

    # A month like the others, but for dear trips that cost far more: a third of the rows.
    monkeypatch.setattr(
        run,
        "monitoring_tasks",
        lambda spec: [t for t in real(spec) if t.component != "drift_report"],
    )
    world.months(4, rows=ROWS)
    weighed(world)
    world.spec["monitor"] = {"min_rows": 50, "attainable": True}
    found = monitored(world)
    (rise,) = found.evaluations[-1].rises
    assert rise.attainable is not None
    assert "weighted" in rise.method
    assert rise.reference == pytest.approx(expected)

    world.spec["weight"] = "importance * importance"
    other = monitored(world)
    assert not other.evaluations[-1].rises
    assert any("was judged with weight 'importance'" in note for note in other.notes)


real = run.monitoring_tasks


def monitored(world):
    outcomes = run.monitor_pipeline(world.load(), world.context, Trigger(run_type="scheduled"))
    (outcome,) = [one for one in outcomes if one.component == "monitor"]
    return MonitorResult.model_validate_json(world.context.store.get(outcome.result))


def test_constant_weights_give_the_scores_of_none(world):
    world.months(3, rows=ROWS)
    world.spec["gate"]["find_slices"] = False
    for path in world.trips.glob("*.csv"):
        pd.read_csv(path).assign(same=5.0).to_csv(path, index=False)
    world.spec["features"]["drop"].append("same")
    plain = world.result(world.run(), "evaluate")
    world.spec["weight"] = "same"
    weighted = world.result(world.run(), "evaluate")
    assert weighted.comparison.candidate_score == pytest.approx(
        plain.comparison.candidate_score, rel=1e-6
    )
