"""What became of earlier wakes: settled, or attempts that came to no verdict.

A wake is *settled* once there was nothing to train, or once the run it led to has a verdict. What
a settled wake was woken for is dealt with; what an unsettled one was woken for is still to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline_components.clock import moment
from pipeline_components.contracts.base import Digest
from pipeline_components.contracts.planning import PERSON
from pipeline_components.ledger.records import EvaluationRecord, RunRecord

FIRST_PAUSE = timedelta(minutes=15)
LONGEST_PAUSE = timedelta(hours=24)


@dataclass(frozen=True)
class Decided:
    """A run that has a verdict."""

    run: RunRecord
    at: datetime
    """Of the verdict."""


def settled(wakes: Sequence[EvaluationRecord], decided: Sequence[Decided]) -> list[datetime]:
    """The moments up to which settled wakes have dealt with things.

    Parameters
    ----------
    wakes : sequence of EvaluationRecord
        Those that came to *train* or *skip*, newest first.
    decided : sequence of Decided
        The runs that have a verdict.
    """
    found = []
    for place, wake in enumerate(wakes):
        if wake.stage == "end":
            began = next((w for w in wakes[place + 1 :] if _same_run(w, wake)), None)
            if began is not None:
                found.append(_reaches(began))
        elif _is_settled(wake, decided):
            found.append(_reaches(wake))
    return found


def attempts(
    wakes: Sequence[EvaluationRecord], decided: Sequence[Decided], resumes: Digest | None
) -> list[datetime]:
    """When trainings were begun that nobody asked for and that came to nothing, newest first.

    Parameters
    ----------
    resumes : Digest or None
        The run to be gone on with: it may have a verdict and lack the rest.
    """
    found = []
    for wake in wakes:
        ours = resumes is not None and wake.run_key == resumes and wake.decision == "train"
        if not ours and (wake.stage == "end" or _is_settled(wake, decided)):
            break
        if wake.decision == "train" and wake.trigger.run_type not in PERSON:
            found.append(_at(wake))
    return found


def pause_after(number: int) -> timedelta:
    """How long to wait after so many attempts that failed, from 1."""
    return min(FIRST_PAUSE * (1 << min(number - 1, 10)), LONGEST_PAUSE)


def _is_settled(wake: EvaluationRecord, decided: Sequence[Decided]) -> bool:
    if wake.decision == "skip":
        return wake.trigger.run_type != "backfill"
    began = _at(wake)
    return any(
        one.run.run_key == wake.run_key
        or (one.at >= began and (moment(one.run.at) or one.at) >= began)
        for one in decided
    )


def _same_run(wake: EvaluationRecord, end: EvaluationRecord) -> bool:
    same = wake.trigger.run_id == end.trigger.run_id
    return same and wake.stage == "wake" and wake.decision == "train"


def _reaches(wake: EvaluationRecord) -> datetime:
    """A scheduled wake deals with its own tick, however late it came."""
    due = moment(wake.trigger.due) if wake.trigger.run_type == "scheduled" else None
    return min(_at(wake), due) if due else _at(wake)


def _at(wake: EvaluationRecord) -> datetime:
    found = moment(wake.at)
    assert found is not None  # the ledger wrote it
    return found
