"""Riders that come back: each run is judged on those that neither model has seen, and goes on."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable

import pytest


def give_riders(world, rider: Callable[[str, int], str]) -> None:
    """Add a rider to each trip of the months that have none yet, by month and row."""
    for path in sorted(world.trips.glob("*.csv")):
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        if "rider" in rows[0]:
            continue
        for place, row in enumerate(rows):
            row["rider"] = rider(path.stem, place)
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        path.write_text(out.getvalue())


def check(world, outcomes, code):
    (found,) = [c for c in world.result(outcomes, "gate").checks if c.code == code]
    return found


def test_a_recurring_population_is_judged_by_those_who_are_new(world) -> None:
    chance = random.Random(1)
    world.spec["entity"] = ["rider"]
    world.months(4)
    give_riders(world, lambda month, place: f"r{chance.randrange(3000)}")
    first = world.run()
    assert world.result(first, "gate").verdict == "promote"
    assert check(world, first, "LINEAGE-ENTITIES").state == "passed"
    assert "entity_seen_by_champion" not in world.result(first, "prepare").dropped

    world.months(5)
    give_riders(world, lambda month, place: f"r{chance.randrange(3000)}")
    second = world.run()
    prepared = world.result(second, "prepare")
    # about 1,200 of 3,000 riders were in the champion's months, so two in five of the rows go
    assert 100 < prepared.dropped["entity_seen_by_champion"] < 300
    assert prepared.rows_holdout + prepared.dropped["entity_seen_by_champion"] <= 500
    found = check(world, second, "LINEAGE-ENTITIES")
    assert found.state == "passed"
    assert "champion v1" in found.message
    assert check(world, second, "GAIN").state in ("passed", "failed")  # judged, whatever it says


@pytest.mark.thorough
def test_where_nobody_is_new_the_gate_holds_and_says_why(world) -> None:
    world.spec["entity"] = ["rider"]
    world.months(4)
    give_riders(world, lambda month, place: f"{month} {place}")
    first = month_of_the_first(world)
    assert world.result(world.run(), "gate").verdict == "promote"
    world.months(5)
    give_riders(world, lambda month, place: f"{first} {place}")
    outcomes = world.run()
    found = check(world, outcomes, "LINEAGE-ENTITIES")
    assert (found.state, found.forces) == ("failed", "hold")
    assert "so the comparison would not be fair" in found.message
    assert world.result(outcomes, "gate").verdict == "hold"


def month_of_the_first(world) -> str:
    return min(world.trips.glob("*.csv")).stem
