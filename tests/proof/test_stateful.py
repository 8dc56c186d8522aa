"""Any order of registering, promoting, answering, tampering, dying and reconciling.

A model in a few lines says what the journal must hold. Whatever rule ran, the promises of
``invariants`` hold; after reconcile ``@champion`` is the journal's head; and the history answers
who was champion at every moment there was.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from everfit.champion.current import current_champion
from everfit.champion.journal import reign_at, reigns
from everfit.champion.repair.reconcile import reconcile
from everfit.contracts.base import canonical_json
from everfit.contracts.errors import EverfitError
from everfit.contracts.messages.people import PersonRequest
from everfit.contracts.messages.requests import RegisterRequest
from everfit.contracts.messages.steps import Order
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, open_context
from everfit.operations.chaos.acts import in_child, racing
from everfit.steps.register.step import Register
from tests.proof.invariants import check_alias, check_ledger, journal_of, of_pipeline
from tests.proof.lived import perform
from tests.proof.shown import ledger_rows, shown, stored
from tests.unit.register.small_run import SPEC, fitted, small_run

pytestmark = pytest.mark.slow

WORKERS = 3
NAME = SPEC.name
MODEL = fitted()

Kind = Literal["promote", "override", "rollback"]


@dataclass
class Run:
    """A judged run, as the model knows it."""

    request: RegisterRequest
    pinned: int
    """The journal's head it was judged against."""
    version: int | None = None
    waits: bool = False
    answer: str = ""


class Champions(RuleBasedStateMachine):
    """Workers with a store, a ledger and an MLflow in common, and hands that meddle."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="everfit-proof-"))
        self.settings = Settings.from_environment({"EVERFIT_ROOT": str(self.root)})
        self.stack = contextlib.ExitStack()
        self.workers: list[Context] = []
        self.runs: list[Run] = []
        self.journal: list[tuple[int, Kind]] = []
        self.gone: set[int] = set()
        self.tampered = False
        """A hand was at the alias, and nobody has put it right yet."""
        self.seen: list[tuple[datetime, int | None]] = []
        self._open()

    def _open(self) -> None:
        self.workers = [
            self.stack.enter_context(open_context(self.settings)) for _ in range(WORKERS)
        ]

    def _alone(self) -> None:
        """Let every connection go before a fork: SQLite's locks do not cross one."""
        self.stack.close()

    # What is done.

    @initialize()
    def a_first_champion(self) -> None:
        self.judge(0, "promote", approval=False)
        self.register_run(0, 0)

    @rule(
        worker=st.integers(0, WORKERS - 1),
        verdict=st.sampled_from(["promote", "promote", "promote", "hold"]),
        approval=st.booleans(),
    )
    def judge(self, worker: int, verdict: str, approval: bool) -> None:
        """Another run is judged against the champion of now."""
        context = self.workers[worker]
        champion = current_champion(context.ledger, NAME)
        name = f"run {len(self.runs)}"
        request = small_run(context, name, verdict=verdict, champion=champion, model=MODEL)
        context.store.put("gate.json", canonical_json(request.decision))
        if approval:
            gate = request.spec.gate.model_copy(update={"approval": "required"})
            spec = request.spec.model_copy(update={"gate": gate})
            request = request.model_copy(update={"spec": spec})
        waits = approval and verdict == "promote"
        self.runs.append(Run(request, len(self.journal), waits=waits))

    @rule(worker=st.integers(0, WORKERS - 1), number=st.integers(0, 40))
    def register_run(self, worker: int, number: int) -> None:
        """A run is registered, for the first time or again."""
        run = self.runs[-1 - number % len(self.runs)]
        self._do(worker, [run], lambda context: Register().run(run.request, context))
        if not self.gone:
            accepted = run.request.decision.verdict == "promote"
            assert (run.version is not None) == accepted

    @rule(
        worker=st.integers(0, WORKERS - 1),
        what=st.sampled_from(["promote", "rollback", "approve", "refuse"]),
        number=st.integers(0, 40),
    )
    def ask(self, worker: int, what: Any, number: int) -> None:
        """A person decides."""
        version = self._some_version(number)
        expected = self._journal_after(what, version)
        self._do(worker, [], lambda context: self._ask(context, what, version))
        if not self.gone:
            assert self.journal == expected

    @rule(worker=st.integers(0, WORKERS - 1))
    def reconcile_all(self, worker: int) -> None:
        """What a hand or a death has left is put right."""
        done = reconcile(NAME, self.workers[worker])
        self._settled()
        once = {version for version, _ in self.journal}
        assert shown(self.settings, NAME).alias in {None, *once}, "no champion but a chosen one"
        codes = {report.code for report in done.reports}
        left = {"RECONCILE-GONE", "RECONCILE-UNPROMOTED", "RECONCILE-UNFINISHED"}
        assert codes <= left, done.reports
        assert ("RECONCILE-GONE" in codes) == bool(self.gone), done.reports
        assert not reconcile(NAME, self.workers[worker]).repaired, "a second time finds nothing"

    @rule(number=st.integers(0, 40))
    def a_hand_moves_the_alias(self, number: int) -> None:
        """To any version that is there."""
        there = sorted({run.version for run in self.runs if run.version} - self.gone)
        if not there:
            return
        self._by_hand(
            "INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES "
            "('default', ?, 'champion', ?) ON CONFLICT (workspace, name, alias) "
            "DO UPDATE SET version = excluded.version",
            there[number % len(there)],
        )
        self.tampered = True

    @precondition(lambda self: len(self.journal) > 2 and len(self.gone) < 2)
    @rule(number=st.integers(0, 40))
    def a_hand_deletes_a_version(self, number: int) -> None:
        """As MLflow's page does; the alias goes with it."""
        version = self._some_version(number)
        self._by_hand(
            "UPDATE model_versions SET current_stage = 'Deleted_Internal' "
            "WHERE name = ? AND version = ?",
            version,
        )
        self._by_hand(
            "DELETE FROM registered_model_aliases WHERE name = ? AND version = ?", version
        )
        self.gone.add(version)
        self.tampered = True

    @rule(
        what=st.sampled_from(["register", "promote", "rollback", "approve", "reconcile"]),
        number=st.integers(0, 40),
        act=st.integers(1, 60),
    )
    def a_worker_dies(self, what: str, number: int, act: int) -> None:
        """Before its act of that number, or at its end where it has fewer."""
        run = self.runs[-1 - number % len(self.runs)]
        action = self._action(what, number)
        self._alone()
        in_child(action, self.settings.home, at=act)
        self._open()
        self._adopt([run] if what == "register" else [], settled=False)

    @rule(
        first=st.sampled_from(["register", "promote", "rollback", "approve"]),
        second=st.sampled_from(["register", "refuse", "reconcile", "register"]),
        one=st.integers(0, 40),
        other=st.integers(0, 40),
    )
    def two_workers_race(self, first: str, second: str, one: int, other: int) -> None:
        """Each in a process of its own, at one moment."""
        actions = [self._action(first, one), self._action(second, other)]
        before = len(self.journal)
        self._alone()
        ended = racing(actions, lambda: None)
        self._open()
        assert all(end.code in (0, 1) for end in ended), [end.said for end in ended]
        self._adopt(self.runs, settled=False)
        assert len(self.journal) - before <= 2

    # What must hold.

    def teardown(self) -> None:
        """Whoever asks later who was champion is told what was seen then."""
        try:
            reconcile(NAME, self.workers[0])
            self._settled()
            past = reigns(self.workers[1].ledger, NAME)
            for moment, version in self.seen:
                found = reign_at(past, moment)
                assert (found.entry.version if found else None) == version
        finally:
            self._alone()
            shutil.rmtree(self.root)

    def _do(self, worker: int, runs: list[Run], action: Callable[[Context], Any]) -> None:
        """An action in this process; one line of refusal is an answer too."""
        refused = ""
        try:
            action(self.workers[worker])
        except EverfitError as error:
            refused = error.code
        self._adopt(runs, settled=not refused)
        if refused == "REGISTRY-VERSION-GONE" or refused == "CHAMPION-GONE":
            assert self.gone

    def _adopt(self, runs: list[Run], *, settled: bool) -> None:
        """Read what has come of it: the old journal and perhaps one entry more for each action."""
        rows = ledger_rows(self.settings.ledger)
        versions = {row["run_key"]: row["version"] for row in of_pipeline(rows, "versions", NAME)}
        answers = {row["run_key"]: row["answer"] for row in of_pipeline(rows, "approvals", NAME)}
        for run in self.runs:
            key = run.request.run_key
            assert run.version is None or versions[key] == run.version, "a version changed"
            run.version, run.answer = versions.get(key), answers.get(key, "")
        entries = [(e["version"], e["kind"]) for e in journal_of(rows, NAME)]
        assert entries[: len(self.journal)] == self.journal, "the journal was rewritten"
        for at, (version, kind) in enumerate(entries[len(self.journal) :], len(self.journal)):
            (run,) = (run for run in self.runs if run.version == version)
            if kind == "promote":
                assert run.pinned == at, "promoted against another champion"
                assert run.request.decision.verdict == "promote"
                assert not run.waits or run.answer == "approve"
        self.journal = entries
        check_ledger(rows, NAME)
        if settled:
            self._settled()
        elif not self.tampered:
            check_alias(rows, shown(self.settings, NAME), NAME)
        self.seen.append((datetime.now(UTC), self.journal[-1][0] if self.journal else None))

    def _settled(self) -> None:
        """MLflow says what the journal says."""
        rows, mlflow = ledger_rows(self.settings.ledger), shown(self.settings, NAME)
        check_ledger(rows, NAME)
        head = self.journal[-1][0] if self.journal else None
        if head not in self.gone:
            assert mlflow.alias == head
            check_alias(rows, mlflow, NAME)
            self.tampered = False
        keys = [key for key, _ in mlflow.versions.values()]
        assert len(keys) == len(set(keys))
        stored(self.settings)

    def _journal_after(self, what: str, version: int) -> list[tuple[int, Kind]]:
        """The model: what a person's word makes of the journal, while MLflow has all versions."""
        head = self.journal[-1][0] if self.journal else None
        (run,) = (run for run in self.runs if run.version == version)
        once = {entry for entry, _ in self.journal}
        promoted = (version, "promote") in self.journal or (version, "override") in self.journal
        if what == "promote" and head != version:
            return [*self.journal, (version, "override")]
        if what == "rollback" and head != version and version in once:
            return [*self.journal, (version, "rollback")]
        free = not promoted and run.pinned == len(self.journal)
        if what == "approve" and run.waits and run.answer != "refuse" and free:
            return [*self.journal, (version, "promote")]
        return self.journal

    def _some_version(self, number: int) -> int:
        known = [run.version for run in self.runs if run.version]
        return known[-1 - number % len(known)]

    def _ask(self, context: Context, what: Any, version: int) -> None:
        requested = PersonRequest(what=what, version=version, reason="as agreed", person="ada")
        perform(Order(component="promote", pipeline=SPEC, requested=requested), context)

    def _action(self, what: str, number: int) -> Callable[[], int]:
        """What a process of its own does; 1 where it is refused with a line."""
        run = self.runs[-1 - number % len(self.runs)]
        version = self._some_version(number)

        def function() -> int:
            try:
                with open_context(self.settings) as context:
                    if what == "register":
                        Register().run(run.request, context)
                    elif what == "reconcile":
                        reconcile(NAME, context)
                    else:
                        self._ask(context, what, version)
            except EverfitError:
                return 1
            return 0

        return function

    def _by_hand(self, sql: str, version: int) -> None:
        database = sqlite3.connect(self.settings.home / "mlflow.db")
        with database:
            database.execute(sql, (NAME, version))
        database.close()


def test_whatever_is_done_in_whatever_order() -> None:
    run_state_machine_as_test(
        Champions,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            phases=[Phase.generate],  # shrinking takes minutes; the steps are told all the same
        ),
    )


EXAMPLES = 24
