"""What became of earlier evaluations: handled, or attempts that came to no verdict.

An evaluation that began a run, or found nothing to train, is *handled* once there was nothing to
train, or once the run it led to has a verdict. What had happened by then need not be done again;
what happened before one that is not handled is still to be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from everfit.contracts.base import Digest
from everfit.contracts.clock import moment, read_iso
from everfit.contracts.messages.trigger_facts import FinishedRun
from everfit.storage.ledger.records import EvaluationRecord


def handled_until(
    evaluations: Sequence[EvaluationRecord], finished: Sequence[FinishedRun]
) -> datetime | None:
    """The moment up to which everything that happened has been handled.

    Parameters
    ----------
    evaluations : sequence of EvaluationRecord
        Those that came to *train* or *skip*, newest first.
    finished : sequence of FinishedRun
        The runs that have a verdict.

    Returns
    -------
    datetime or None
        None where nothing has been handled yet.
    """
    found = []
    for place, evaluation in enumerate(evaluations):
        if evaluation.stage == "end":
            older = evaluations[place + 1 :]
            began = next((one for one in older if _begins(one, evaluation)), None)
            if began is not None:
                found.append(_reaches(began))
        elif _is_handled(evaluation, finished):
            found.append(_reaches(evaluation))
    return max(found, default=None)


def failed_attempts(
    evaluations: Sequence[EvaluationRecord],
    finished: Sequence[FinishedRun],
    resumes: Digest | None,
) -> tuple[datetime, ...]:
    """When trainings were begun that no person asked for and that came to nothing, newest first.

    Parameters
    ----------
    evaluations, finished
        As for ``handled_until``.
    resumes : Digest or None
        The run to be continued: it may have a verdict and lack the rest.
    """
    found = []
    for one in evaluations:
        resumed = resumes is not None and one.run_key == resumes and one.decision == "train"
        if not resumed and (one.stage == "end" or _is_handled(one, finished)):
            break
        if one.decision == "train" and not one.trigger.by_a_person:
            found.append(read_iso(one.at))
    return tuple(found)


def _is_handled(evaluation: EvaluationRecord, finished: Sequence[FinishedRun]) -> bool:
    if evaluation.decision == "skip":
        return evaluation.trigger.run_type != "backfill"
    at = read_iso(evaluation.at)
    return any(
        run.run_key == evaluation.run_key or (run.verdict_at >= at and run.began >= at)
        for run in finished
    )


def _begins(evaluation: EvaluationRecord, end: EvaluationRecord) -> bool:
    """Whether it began the run that ended early."""
    same = evaluation.trigger.run_id == end.trigger.run_id
    return same and evaluation.stage == "wake" and evaluation.decision == "train"


def _reaches(evaluation: EvaluationRecord) -> datetime:
    """A scheduled run handles its own tick, however late it came."""
    trigger = evaluation.trigger
    due = moment(trigger.due) if trigger.run_type == "scheduled" else None
    at = read_iso(evaluation.at)
    return min(at, due) if due else at
