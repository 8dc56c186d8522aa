"""Intervals on real rows, against closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from everfit.ml.scoring.resampling import Design, resample, time_blocks
from everfit.ml.scoring.scored import Scored
from everfit.steps.evaluate.estimates import estimate


def test_accuracy_on_chicago_trips_has_wilsons_interval(shared_data):
    trips = pd.read_csv(shared_data / "chicago_taxi" / "data.csv").dropna(subset=["fare", "tips"])
    truth = (trips["tips"] > 0.2 * trips["fare"]).to_numpy().astype(np.int64)
    p = np.where(trips["payment_type"] == "Credit Card", 0.6, 0.05)
    scored = Scored.of("binary", truth, np.column_stack([1 - p, p]))
    design = Design(len(trips), ordered=False, entity=None, seed=0, kind="rows")
    found = estimate(scored, resample(design, 0.95), 0.95).estimates["accuracy"]
    hits = int(((p > 0.5) == (truth == 1)).sum())
    theirs = scipy.stats.binomtest(hits, len(trips)).proportion_ci(0.95, method="wilson")
    size = theirs.high - theirs.low
    assert found.value == hits / len(trips)
    assert found.low == pytest.approx(theirs.low, abs=0.1 * size)
    assert found.high == pytest.approx(theirs.high, abs=0.1 * size)


def test_a_month_of_fares_has_students_interval_over_its_block_means(shared_data):
    trips = pd.read_csv(shared_data / "nyc_yellow" / "2019-03.csv").sort_values("pickup_datetime")
    fare = trips["fare_amount"].to_numpy()
    scored = Scored.of("regression", fare, 4.0 + 3.0 * trips["trip_distance"].to_numpy())
    design = Design(len(trips), ordered=True, entity=None, seed=0, kind="time blocks")
    found = estimate(scored, resample(design, 0.95), 0.95).estimates["mae"]
    error = pd.Series(np.abs(scored.scores - fare)).groupby(time_blocks(len(trips))).mean()
    theirs = scipy.stats.ttest_1samp(error, 0).confidence_interval(0.95)
    size = theirs.high - theirs.low
    assert found.value == pytest.approx(error.mean())
    assert found.low == pytest.approx(theirs.low, abs=0.1 * size)
    assert found.high == pytest.approx(theirs.high, abs=0.1 * size)
