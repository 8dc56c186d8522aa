"""A chain whose labels come late, in a table of their own: the example of the how-to page."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from everfit.contracts.errors import NothingToDo
from everfit.engine.pipeline import monitor_pipeline

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "labels.md"
FOLDERS = ("loans", "repayments")


class Loans:
    """Loans of each month's days 1 to 28, and labels that are known 5 to 25 days later."""

    def __init__(self, data: Path, rows: int = 280) -> None:
        self.data, self.rows = data, rows
        self.labels: list[tuple[datetime, int, int]] = []
        for folder in FOLDERS:
            (data / folder).mkdir()

    def month(self, month: int) -> None:
        random = np.random.default_rng(month)
        lines = ["loan,lent_at,amount,income"]
        for number in range(self.rows):
            at = datetime(2024, month, 1 + number % 28)
            amount, income = random.random(2)
            late = int(random.random() < 0.1 + 0.8 * (amount > income))
            loan = 1000 * month + number
            lines.append(f"{loan},{at},{amount:.4f},{income:.4f}")
            # Late payments take longer to be known: the early labels are not like the others.
            known = at + timedelta(days=int(random.integers(5, 10)) + 15 * late)
            self.labels.append((known, loan, late))
        (self.data / "loans" / f"2024-{month:02d}.csv").write_text("\n".join(lines) + "\n")

    def known(self, name: str, after: datetime, until: datetime) -> None:
        """Have the labels arrive that became known in that time; the last one at its end."""
        rows = [(at, loan, late) for at, loan, late in self.labels if after < at <= until]
        lines = [f"{loan},{at},{late}" for at, loan, late in [*rows, (until, 1, 0)]]
        path = self.data / "repayments" / f"{name}.csv"
        path.write_text("\n".join(["loan,known_at,late", *lines]) + "\n")


@pytest.fixture
def loans(world):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    world.spec = yaml.safe_load(text)
    made = Loans(world.context.settings.data)
    for month in (1, 2, 3, 4):
        made.month(month)
    made.known("until-april", datetime(2024, 1, 1), datetime(2024, 4, 30))
    return made


def runs(world):
    return world.context.ledger.find_runs("quick")


def test_a_span_is_trained_on_and_judged_on_once_its_labels_are_due(loans, world):
    validated = world.result(world.run(), "validate")
    assert [span.name for span in validated.window] == ["2024-01.csv", "2024-02.csv"]
    assert [span.name for span in validated.holdout] == ["2024-03.csv"]
    assert not validated.quarantined
    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()
    # Labels of April's loans that came early change nothing, neither for plan nor for triggers.
    loans.known("until-may-20", datetime(2024, 4, 30), datetime(2024, 5, 20))
    monitored = monitor_pipeline(world.load(), world.context)
    assert monitored[-1].summary.wakes == ()
    assert any("2024-04.csv waits for its labels" in n for n in monitored[-1].summary.notes)
    with pytest.raises(NothingToDo, match="nothing changed"):
        world.run()
    loans.known("until-may-31", datetime(2024, 5, 20), datetime(2024, 5, 31))
    monitored = monitor_pipeline(world.load(), world.context)
    assert monitored[-1].summary.wakes == ("new_data",)
    measured = next(one for one in monitored if one.component == "monitor")
    assert measured.summary.newest == "2024-04.csv"
    assert {rise.source for rise in measured.summary.rises} <= {"measured"}
    validated = world.result(world.run(), "validate")
    assert [span.name for span in validated.holdout] == ["2024-04.csv"]
    assert len(runs(world)) == 2
