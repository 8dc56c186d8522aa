"""When the two DAGs of a pipeline run: by the clock, or when an asset rings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256

from airflow.sdk import (
    AssetAny,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronTriggerTimetable,
    MultipleCronTriggerTimetable,
)
from airflow.sdk.bases.timetable import BaseTimetable
from airflow.sdk.definitions.asset import BaseAsset

from everfit_airflow.assets import signal_asset, signals_of, source_asset
from pipeline_components.contracts.errors import SpecError
from pipeline_components.contracts.spec import PipelineSpec

Schedule = BaseTimetable | BaseAsset | None

SWEEP = "EVERFIT_SWEEP"
SWEEP_MINUTES = 15
HOUR, DAY = 60, 24 * 60


def training_schedule(spec: PipelineSpec) -> Schedule:
    """The cron schedules of a spec, or any of its signals; None: a person starts it."""
    if not spec.triggers.automatic:
        return None
    rings = AssetAny(*(signal_asset(spec.name, signal) for signal in signals_of(spec.triggers)))
    ticks = _ticks(spec)
    return AssetOrTimeSchedule(timetable=ticks, assets=rings) if ticks else rings


def monitoring_schedule(spec: PipelineSpec, environ: Mapping[str, str] | None = None) -> Schedule:
    """The sweep, or the source's watcher; None where nothing but a person wakes the training.

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
    """All schedules of the spec as one timetable."""
    crons = list(dict.fromkeys(spec.triggers.of_kind("schedule")))
    zone = spec.triggers.timezone
    if len(crons) > 1:
        return MultipleCronTriggerTimetable(*crons, timezone=zone)
    return CronTriggerTimetable(crons[0], timezone=zone) if crons else None
