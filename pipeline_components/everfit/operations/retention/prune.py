"""Look at store and MLflow, say what nothing needs, and remove it where asked to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit.contracts.clock import iso, moment
from everfit.contracts.errors import UserError
from everfit.contracts.spec.durations import duration
from everfit.engine.context import Context
from everfit.operations.retention.census import Census
from everfit.operations.retention.survey import Survey, survey
from everfit.operations.retention.sweep import Swept, sweep
from everfit.storage.ledger import Ledger
from everfit.storage.mlflow import (
    MONITOR_KEY,
    LoggedRun,
    Registry,
    monitoring_experiment,
    open_registry,
)

LEAST = timedelta(days=1)
"""Grace for runs at work: no run takes so long."""


@dataclass(frozen=True)
class Pruned:
    """What was found, and what was done of it."""

    since: datetime
    found: Survey
    runs: tuple[tuple[str, LoggedRun], ...]
    """Pipeline and run in MLflow."""
    swept: Swept | None
    """None: nothing was to be removed."""


def age(text: str) -> timedelta:
    """Read how old something must be: ``90d``.

    Raises
    ------
    UserError
        If it is no length of time, or less than a day.
    """
    try:
        found = duration(text)
    except ValueError:
        found = timedelta(0)
    if found < LEAST:
        raise UserError(
            "PRUNE-AGE",
            "--older-than",
            "an age is a day or more, such as 30d or 12w",
            f"it is {text[:20]!r}",
            "Write it so; a run at work needs its files for a while",
        )
    return found


def prune(
    context: Context, older_than: str, *, only: str | None = None, delete: bool = False
) -> Pruned:
    """Survey the store of all pipelines and MLflow's runs, and remove where ``delete`` says so.

    Parameters
    ----------
    older_than : str
        Such as ``90d``: younger things are kept, and all that they name.
    only : str, optional
        Remove of this pipeline alone; what is needed is needed by all the same.

    Raises
    ------
    UserError
        If the age is none, or the store may only be read.
    IntegrityError
        If a document that is needed is missing or altered.
    Unavailable
        If store, ledger or MLflow does not answer.
    """
    since = context.clock() - age(older_than)
    ledger = context.ledger
    pipelines = ledger.pipelines()
    census = Census(context.store, context.progress)
    census.take()
    found, reach = survey(ledger, census, pipelines, since, only)
    chosen = pipelines if only is None else (only,)
    runs: list[tuple[str, LoggedRun]] = []
    for name in chosen:
        with open_registry(context.settings, name) as registry:
            gone = unneeded_runs(name, ledger, registry, found, since)
            runs += [(name, run) for run in gone]
    swept = None
    if delete:
        reason = f"nothing needed it, and nothing had used it since {iso(since)}"
        swept = sweep(found, reach, census, ledger, since, reason, context.progress)
        for number, (name, run) in enumerate(runs):
            with open_registry(context.settings, name) as registry:
                registry.delete_run(run.run)
            context.progress.update("deleting runs in MLflow", number + 1, len(runs))
    return Pruned(since, found, tuple(runs), swept)


def unneeded_runs(
    pipeline: str, ledger: Ledger, registry: Registry, found: Survey, since: datetime
) -> list[LoggedRun]:
    """Runs in MLflow that the ledger knows and no longer needs.

    A training run without a version, and a measurement of a former champion, both older. A run
    that the ledger does not know is nobody's to delete: ``everfit reconcile`` looks at those.
    """
    known = {run.run_key for run in ledger.find_runs(pipeline)}
    gone = [run for run in registry.runs(pipeline) if run.run_key in known - found.live]
    head = ledger.champion(pipeline)
    measured = {
        (record.champion, record.span): moment(record.at)
        for record in ledger.monitorings(pipeline)
        if head is None or record.champion != head.run_key
    }
    # An older Everfit logged monitoring among the trainings.
    for run in (
        *registry.runs(pipeline, MONITOR_KEY),
        *registry.runs(monitoring_experiment(pipeline), MONITOR_KEY),
    ):
        champion = run.tags.get("everfit.champion_run_key", "")
        at = measured.get((champion, run.tags.get("everfit.span_digest", "")))
        if at is not None and at < since:
            gone.append(run)
    return gone
