"""What must hold after any storm, read from the ledger, the registry, Airflow and the processes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from everfit.contracts.messages.planning import PERSON
from everfit.contracts.spec.durations import duration
from everfit.contracts.spec.load import load_spec
from tests.airflow.processes import components_of
from tests.airflow.stand import Stand, until


def trained_on(stand: Stand, name: str) -> set[str]:
    """Names of the spans that a decided run trained on or was judged on."""
    digests: set[str] = set()
    with stand.ledger() as ledger:
        for run in ledger.runs(name, limit=1000):
            if ledger.verdict(run.run_key) is not None:
                digests.update((*run.window, *run.holdout))
        return {record.name for record in ledger.spans(name) if record.digest in digests}


def wait_until_trained(stand: Stand, name: str, spans: list[str]) -> None:
    """Wait until all those spans are in decided runs, and nothing is at work."""
    until(lambda: trained_on(stand, name) >= set(spans), f"{name} trained on {spans}")
    until(lambda: stand.quiet(f"{name}.train"), f"{name} is quiet")


def assert_sound(
    stand: Stand, name: str, waiting: list[str] | None = None, trainings: int | None = None
) -> None:
    """Every span once or with its reason, nothing doubled, the budget kept, nothing left running.

    Parameters
    ----------
    waiting : list of str
        Spans that the policy still holds back: the last look must say why.
    trainings : int
        How many runs there were, exactly.
    """
    stand.airflow.services.check()
    # Before the ledger is read, which has them all then.
    ended = _ended(stand, name)
    with stand.ledger() as ledger:
        runs = list(reversed(ledger.runs(name, limit=1000)))
        evaluations = ledger.evaluations(name, limit=10_000)
        _every_span_is_accounted_for(stand, name, ledger, set(waiting or ()))
        _every_run_saw_something_new(runs)
        _nothing_is_registered_twice(stand, name, ledger)
    _the_budget_was_kept(stand, name, runs)
    _every_wake_says_why(ended, evaluations)
    if waiting:
        assert evaluations[0].decision == "wait", evaluations[0]
    if trainings is not None:
        assert len(runs) == trainings, [(run.trigger, run.at) for run in runs]
    if stand.quiet(f"{name}.train", f"{name}.monitor"):
        assert not [pid for pid, of in components_of(stand.settings.home) if of == name]


def _every_span_is_accounted_for(stand: Stand, name: str, ledger: Any, waiting: set[str]) -> None:
    done = trained_on(stand, name)
    records = ledger.spans(name)
    refused = {record.name for record in records if record.digest is None and record.message}
    lost = set(stand.present(name)) - done - refused - waiting
    assert not lost, (sorted(lost), ledger.evaluations(name, limit=3))
    assert not waiting & done
    for run in ledger.runs(name, limit=1000):
        assert ledger.verdict(run.run_key) is not None, f"run {run.run_key[:12]} has no verdict"


def _every_run_saw_something_new(runs: list[Any]) -> None:
    """A run that brings no span that an earlier one had is one too many."""
    seen: set[str] = set()
    for run in runs:
        spans = {*run.window, *run.holdout}
        assert spans - seen, f"run {run.run_key[:12]} had nothing new"
        seen |= spans


def _nothing_is_registered_twice(stand: Stand, name: str, ledger: Any) -> None:
    versions = ledger.versions(name)
    assert len({version.run_key for version in versions}) == len(versions)
    assert stand.registered(name) == sorted(version.version for version in versions)
    assert not ledger.unfinished_registrations(name)
    journal = ledger.history(name)
    assert [entry.sequence for entry in journal] == list(range(1, len(journal) + 1))
    assert len({entry.run_key for entry in journal}) == len(journal)


def _the_budget_was_kept(stand: Stand, name: str, runs: list[Any]) -> None:
    budget = load_spec(stand.specs / f"{name}.yaml").triggers.budget
    assert budget is not None
    per = duration(budget.per)
    opened = [datetime.fromisoformat(run.at) for run in runs]
    for run, at in zip(runs, opened, strict=True):
        within = sum(at - per < other <= at for other in opened)
        assert within <= budget.trainings or run.trigger.run_type in PERSON, (run, within)


def _ended(stand: Stand, name: str) -> list[str]:
    """The runs of Airflow that have ended well, of the training and of the monitoring."""
    dag_ids = (f"{name}.train", f"{name}.monitor")
    return [run["dag_run_id"] for one in dag_ids for run in stand.runs(one, state="success")]


def _every_wake_says_why(ended: list[str], evaluations: list[Any]) -> None:
    """Each finished run of Airflow left what plan made of it, a retried one at least once."""
    assert all(evaluation.because for evaluation in evaluations)
    told = {evaluation.trigger.run_id for evaluation in evaluations}
    assert not set(ended) - told
