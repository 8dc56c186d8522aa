"""Airflow's scheduler and plan see the same ticks, whatever a schedule says."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.sdk import CronTriggerTimetable as CronTimetable
from airflow.timetables.trigger import CronTriggerTimetable

from everfit.contracts.spec.cron import NAMED, last_tick, next_tick
from everfit.contracts.spec.triggers import TriggerSpec

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = ("JAN", "feb", "Mar", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "mon", "Tue", "WED", "THU", "FRI", "SAT")


def texts(dice: random.Random, count: int):
    """So many expressions, spelled in every way that cron knows."""
    yield from NAMED
    for _ in range(count):
        yield " ".join(field(dice, place) for place in range(5))


def field(dice: random.Random, place: int) -> str:
    return ",".join(part(dice, place) for _ in range(dice.choice([1, 1, 1, 2, 3])))


def part(dice: random.Random, place: int) -> str:
    if dice.random() < 0.02:  # what some cron programs know, and no two in the same way
        return dice.choice(["L", "LW", "15W", "5L", "MON#2", "H"])
    first, last = sorted(dice.randint(*RANGES[place]) for _ in range(2))
    step = dice.randint(1, 99)
    texts = ["*", "*", "*", f"*/{step}", f"{first}", f"{first}-{last}", f"{first}-{last}/{step}"]
    texts.append(f"{first}/{step}")
    if place == 3:
        texts += [MONTHS[first - 1], f"{MONTHS[first - 1]}-{MONTHS[last - 1]}"] * 2
    if place == 4 and last < 7:
        texts += [WEEKDAYS[first], f"{WEEKDAYS[first]}-{WEEKDAYS[last]}"] * 2
    return dice.choice(texts)


def one_offset(zone: str, moment: datetime, tick: datetime) -> bool:
    """Whether the wall clock is not changed between the two, nor near the tick.

    Where it is, Airflow's tick may be an hour off; plan's is due all the same, at the next sweep.
    """
    near = (moment, tick, tick - timedelta(hours=3), tick + timedelta(hours=3))
    return len({at.astimezone(ZoneInfo(zone)).utcoffset() for at in near}) == 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin"])
def test_every_tick_of_plan_is_one_of_airflow(zone):
    dice, taken, compared = random.Random(zone), 0, 0
    for text in texts(dice, 1500):
        try:
            (cron,) = TriggerSpec(schedule=text, timezone=zone).crons
        except ValueError:
            continue
        taken += 1
        CronTimetable(cron, timezone=zone).validate()
        airflow = CronTriggerTimetable(cron, timezone=zone)
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(10**8))
        later, before = next_tick(text, zone, moment), last_tick(text, zone, moment)
        if one_offset(zone, moment, later):
            compared += 1
            assert airflow._get_next(pendulum.instance(moment)) == later, (text, moment)
        if one_offset(zone, moment, before):
            after = pendulum.instance(moment + timedelta(seconds=1))
            assert airflow._get_prev(after) == before, (text, moment)
    assert taken > 500
    assert compared > taken / 2
