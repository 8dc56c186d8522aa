"""When the DAGs of a pipeline run: by the clock, or at an event of an asset."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256

from airflow.sdk import (
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronTriggerTimetable,
    MultipleCronTriggerTimetable,
)
from airflow.sdk.bases.timetable import BaseTimetable
from airflow.sdk.definitions.asset import BaseAsset

from everfit.contracts.errors import SpecError
from everfit.contracts.spec.cron import numeric_cron
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.score import ScoreEvent
from everfit_airflow.dags.assets import (
    champion_asset,
    new_spans_asset,
    signal_asset,
    signals_of,
    source_asset,
)

Schedule = BaseTimetable | BaseAsset | None

SWEEP = "EVERFIT_SWEEP"
SWEEP_MINUTES = 15
HOUR, DAY = 60, 24 * 60

NOTHING_PAST = timedelta()
"""Switching a DAG on starts no run for a time that is past.

Left out, Airflow starts one for up to a tenth of the time between two runs: a weekly training that
is switched on on the day of its run would train before the run that a person starts then.
"""


def training_schedule(spec: PipelineSpec) -> Schedule:
    """The cron schedules of a spec, or any of its signals; None: a person starts it."""
    if not spec.triggers.automatic:
        return None
    wakes = AssetAny(*(signal_asset(spec.name, signal) for signal in signals_of(spec.triggers)))
    ticks = _ticks(spec)
    return AssetOrTimeSchedule(timetable=ticks, assets=wakes) if ticks else wakes


def monitoring_schedule(spec: PipelineSpec, environ: Mapping[str, str] | None = None) -> Schedule:
    """The sweep, or the source's watcher; None where only a person starts the training.

    Raises
    ------
    SpecError
        If the setting of the sweep is no length of time.
    """
    if not spec.triggers.automatic:
        return None
    minutes = sweep_minutes(os.environ if environ is None else environ)
    sweep = CronTriggerTimetable(sweep_cron(spec.name, minutes), timezone="UTC")
    watchers = _watchers(spec)
    if not watchers:
        return sweep
    return AssetOrTimeSchedule(timetable=sweep, assets=[source_asset(spec.name, watchers)])


EVENTS: dict[ScoreEvent, Callable[[str], Asset]] = {
    "champion": champion_asset,
    "new_spans": new_spans_asset,
}
"""What ``score.on`` names → the asset of a pipeline."""


def scoring_schedule(spec: PipelineSpec) -> Schedule:
    """The cron schedule and the events of ``score``; None: a person starts it."""
    score = spec.score
    if score is None:
        return None
    zone = spec.triggers.timezone
    events = AssetAny(*(EVENTS[event](spec.name) for event in score.on)) if score.on else None
    if score.schedule is None:
        return events
    cron = numeric_cron(score.schedule)
    ticks = CronTriggerTimetable(cron, timezone=zone, run_immediately=NOTHING_PAST)
    return AssetOrTimeSchedule(timetable=ticks, assets=events) if events else ticks


def sweep_minutes(environ: Mapping[str, str]) -> int:
    """Minutes between two sweeps: a part of an hour or of a day, the next shorter one.

    Raises
    ------
    SpecError
        If the setting is no number of minutes from 1.
    """
    text = environ.get(SWEEP) or str(SWEEP_MINUTES)
    if not text.isdecimal() or not int(text):
        raise SpecError(
            SWEEP,
            [f"{SWEEP}: is a number of minutes from 1, such as 15; found {text[:20]!r}"],
        )
    parts = [n for n in range(1, HOUR + 1) if HOUR % n == 0]
    parts += [HOUR * n for n in range(2, 25) if DAY % (HOUR * n) == 0]
    return max(n for n in parts if n <= int(text))


def sweep_cron(pipeline: str, minutes: int) -> str:
    """Every so many minutes, from a minute of its own: pipelines do not all start at once."""
    first = int.from_bytes(sha256(pipeline.encode()).digest()[:4]) % minutes
    if minutes <= HOUR:
        return f"{first}-59/{minutes} * * * *"
    return f"{first % HOUR} {first // HOUR}-23/{minutes // HOUR} * * *"


def _watchers(spec: PipelineSpec) -> list[AssetWatcher]:
    """Imported here: a training task has no use for triggers."""
    from everfit_airflow.watching import source_watchers

    return source_watchers(spec)


def _ticks(spec: PipelineSpec) -> BaseTimetable | None:
    """All cron expressions of the spec as one timetable."""
    crons = spec.triggers.crons
    zone = spec.triggers.timezone
    if len(crons) > 1:
        return MultipleCronTriggerTimetable(*crons, timezone=zone, run_immediately=NOTHING_PAST)
    if not crons:
        return None
    return CronTriggerTimetable(crons[0], timezone=zone, run_immediately=NOTHING_PAST)
