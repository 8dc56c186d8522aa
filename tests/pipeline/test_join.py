"""A chain whose table stands in several places: the example of the how-to page."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "tables.md"
START = datetime(2024, 1, 1)


@pytest.fixture
def apart(world):
    """Orders of three months, customers as they changed, and depots; and the folder of all."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    world.spec = yaml.load(text, yaml.BaseLoader)
    random, data = np.random.default_rng(1), world.context.settings.data
    (data / "orders").mkdir()
    (data / "customers").mkdir()
    tiers = random.integers(0, 5, 40)
    for month in range(3):
        lines = ["order,ordered_at,customer,depot,weight,minutes_late"]
        for number in range(300):
            at = START + timedelta(days=30 * month, minutes=100 * number)
            customer, depot = random.integers(0, 40), random.integers(0, 3)
            late = 30 * tiers[customer] + 20 * depot + random.normal()
            lines.append(f"{number},{at},{customer},{depot},{random.random():.3f},{late:.2f}")
        (data / "orders" / f"{month}.csv").write_text("\n".join(lines) + "\n")
    rows = [f"{n},2023-01-01,{tier},{n % 7}" for n, tier in enumerate(tiers)]
    write_customers(data, "all", *rows)
    (data / "depots.csv").write_text("depot,region\n0,north\n1,south\n2,west\n")
    return world


def write_customers(data: Path, name: str, *rows: str) -> None:
    head = "customer,known_since,tier,orders_before"
    (data / "customers" / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")


def runs(world) -> list[str]:
    return [run.run_key for run in world.context.ledger.find_runs("quick")]


def test_what_is_joined_is_a_feature_and_a_changed_table_is_new_data_where_it_counts(apart):
    data = apart.context.settings.data
    outcomes = apart.run()
    assert apart.result(outcomes, "evaluate").scores["candidate"]["mae"].value < 2  # noise: 0.8
    extracted = next(one for one in outcomes if one.component == "extract")
    assert [note for note in extracted.summary.notes if "join" in note] == [
        "join.0 ({data}/customers/*.csv): 900 of 900 rows have a match",
        "join.1 ({data}/depots.csv): 900 of 900 rows have a match",
    ]
    first = runs(apart)
    # A row that no order reads is no news: neither of another customer, nor of a later time.
    write_customers(data, "unread", "99,2023-06-01,1,1", "7,2030-01-01,1,1")
    apart.run()
    assert runs(apart) == first
    write_customers(data, "read", f"7,{START + timedelta(days=65)},1,50")
    apart.run()
    assert len(runs(apart)) == 2


def test_the_check_of_a_spec_says_what_was_joined(apart):
    from everfit.cli.newest_spans import newest_snapshots
    from everfit.steps.extract.step import joined_notes

    newest = newest_snapshots(apart.load(), apart.context, 1)
    assert "300 of 300 rows have a match" in joined_notes(newest)[0]
