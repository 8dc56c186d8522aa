"""A short run of the simulations of drift: the level holds, and what is planted shows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import drift_search
import drift_table
import drift_worlds

WORLDS = drift_worlds.WORLDS


def most(windows: int) -> float:
    """More false windows than this are a chance of one in a thousand; streams share a reference."""
    return float(stats.binom.ppf(0.999, windows, 2 * drift_table.SPEC.level)) / windows


@pytest.mark.parametrize("reference", [1, 3])
@pytest.mark.parametrize(
    "name",
    ["AR(1) 0.9", "20 entities a span", "10-day spans, weekends", "independent, 100 rows"],
)
def test_few_reference_spans_alarm_no_more_often_than_promised(name, reference):
    got = drift_table.level(WORLDS[name], reference, streams=4, later=5)
    # Before anything is known of how spans differ, nothing is said.
    assert got["not assessed"] >= max(3 - reference, 0) / 5
    assert got["wrong"] <= most(20)


@pytest.mark.parametrize("change", ["category 10 % to 15 %", "missing 2 % to 6 %"])
def test_a_change_of_a_few_per_cent_of_the_rows_is_seen(change):
    got = drift_table.power(WORLDS["independent"], drift_table.CHANGES[change], streams=4)
    assert got["found"] >= 0.75


def test_a_random_search_finds_no_world_that_alarms_much_more_often(capsys):
    worst = drift_search.search(worlds=8, streams=1, seed=3, again=3)
    with capsys.disabled():
        told = f"worst of {worst.tried} worlds: {worst.wrong:.1%} of windows, {worst.world}"
        sys.stdout.write(f"\n{told}\n")
    assert worst.wrong <= most(worst.windows)


def test_the_planted_worlds_are_what_their_names_say():
    rng = np.random.default_rng(0)
    chain = drift_worlds.chained(0.9)(rng, 0, 4_000)[:, 0]
    assert np.corrcoef(chain[1:], chain[:-1])[0, 1] == pytest.approx(0.9, abs=0.05)
    few = drift_worlds.entities(20, 1.0)(rng, 0, 1_000)[:, 0]
    assert len(np.unique(few)) == 20
    span = drift_worlds.span_of(WORLDS["independent"], rng, 0, drift_table.missing)
    column = span.column("gaps")
    assert column is not None
    assert column.missing == pytest.approx(0.06, abs=0.03)
