"""What a replay comes to, counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from everfit.cli.commands.replay import show
from everfit.cli.terminal import Terminal
from everfit.operations.replay.story import Served, Story, Training

START = datetime(2018, 1, 1, tzinfo=UTC)


def training(verdict, *fired):
    return Training(START, fired, "so", verdict, 1)


def served(rows, score, degraded, days=10):
    return Served("span", START, timedelta(days=days), 1, rows, score, degraded)


@pytest.fixture
def story() -> Story:
    return Story(
        "eager",
        "mae",
        START,
        START + timedelta(days=40),
        trainings=[
            training("promote", "new_data"),
            training("hold", "drift"),
            training("reject", "drift", "decay"),
            training("hold", "drift", "new_data"),
            training("promote", "decay"),
        ],
        served=[
            served(100, 2.0, False),
            served(300, 4.0, True),
            served(50, None, None),
            served(100, 1.0, False),
        ],
        waits=3,
    )


def test_every_measure_is_what_a_hand_count_gives(story):
    found = story.summary()
    assert found.trainings == 5
    assert found.triggered_by == {"decay": 2, "drift": 3, "new_data": 2}
    assert (found.promotions, found.held_or_rejected) == (2, 3)
    assert found.false_alarms == 2  # the third had new data as well, the others promoted
    assert (found.days, found.degraded_days, found.unmeasured_days) == (40, 10, 10)
    assert found.degraded_share == pytest.approx(1 / 3)
    assert found.served == pytest.approx((200 + 1200 + 100) / 500)
    assert found.waits == 3


def test_a_replay_in_which_nothing_happened_has_no_scores(capsys):
    empty = Story("idle", "mae", START, START + timedelta(days=1), [], []).summary()
    assert (empty.trainings, empty.served, empty.degraded_share) == (0, None, 0.0)
    show([empty], Terminal())
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "idle",
        "0",
        "0",
        "0",
        "0",
        "0",
        "d",
        "(0",
        "%)",
        "0",
        "–",
    ]


def test_the_table_has_a_line_for_each_policy_and_says_what_it_counts(story, capsys):
    show([story.summary(), story.summary()], Terminal())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("policy")
    assert lines[1] == lines[2]
    assert "5 (decay 2, drift 3, new_data 2)" in lines[1]
    assert "10 d (33.3 %)" in lines[1]
    assert "40 days, 10 of them not measured" in lines[4]
