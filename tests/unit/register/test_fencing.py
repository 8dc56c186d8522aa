"""The journal's sequence is the fencing token: who brings an older one commits nothing.

Runs race in processes of their own, and are held at the worst points, on SQLite and PostgreSQL.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from everfit.champion import promotion
from everfit.contracts.errors import Superseded
from everfit.contracts.messages.requests import RegisterRequest, RegisterResult
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, open_context
from everfit.steps.register import step as register_step
from everfit.steps.register.step import Register
from everfit.storage.ledger.records import PromotionRecord
from everfit.storage.mlflow import champion_alias
from tests.unit.register.small_run import small_run

FORK = multiprocessing.get_context("fork")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path: Path) -> Settings:
    environ = {"EVERFIT_ROOT": str(tmp_path)}
    if request.param == "postgresql":
        environ["EVERFIT_LEDGER"] = request.getfixturevalue("postgresql_database")
    return Settings.from_environment(environ)


@pytest.fixture
def two(settings) -> tuple[RegisterRequest, RegisterRequest]:
    """Two better runs, both judged by version 1, the champion."""
    with open_context(settings) as context:
        first = small_run(context)
        Register().run(first, context)
        pinned = context.ledger.version(first.run_key).champion.model_copy(update={"sequence": 1})
        return (
            small_run(context, "slow", champion=pinned),
            small_run(context, "fast", champion=pinned),
        )


def register(settings: Settings, request: RegisterRequest) -> RegisterResult:
    with open_context(settings) as context:
        return Register().run(request, context)


class Held:
    """A run in a process of its own, which waits before it calls a function of ours."""

    def __init__(self, settings: Settings, request: RegisterRequest, before: str) -> None:
        self._there, self._go = FORK.Event(), FORK.Event()
        self._answer = FORK.Queue()
        self._process = FORK.Process(target=self._work, args=(settings, request, before))
        self._process.start()
        assert self._there.wait(60)

    def _work(self, settings: Settings, request: RegisterRequest, before: str) -> None:
        module: Any = register_step if before == "project_alias" else promotion
        real: Callable[..., Any] = getattr(module, before)

        def wait(*arguments: Any, **more: Any) -> Any:
            self._there.set()
            assert self._go.wait(60)
            return real(*arguments, **more)

        setattr(module, before, wait)
        self._answer.put(register(settings, request))

    def go_on(self) -> RegisterResult:
        self._go.set()
        result = self._answer.get(timeout=60)
        self._process.join(60)
        assert self._process.exitcode == 0
        return result


def state(settings: Settings) -> tuple[list[int], int | None]:
    with open_context(settings) as context:
        journal = [entry.version for entry in context.ledger.history("fares")]
    return journal, champion_alias(settings, "fares")


def test_an_attempt_held_before_the_journal_comes_too_late(settings, two):
    slow, fast = two
    held = Held(settings, slow, "_promote")  # its version is made and recorded
    assert register(settings, fast).champion == 3
    late = held.go_on()
    assert (late.version, late.champion, late.superseded) == (2, 3, True)
    assert state(settings) == ([1, 3], 3)


def test_an_attempt_held_before_the_alias_cannot_move_it_back(settings, two):
    slow, _ = two
    held = Held(settings, slow, "project_alias")  # it is in the journal
    with open_context(settings) as context:
        pinned = context.ledger.version(slow.run_key).champion.model_copy(update={"sequence": 2})
        newer = small_run(context, "newer", champion=pinned)
    assert register(settings, newer).champion == 3
    overtaken = held.go_on()
    assert (overtaken.version, overtaken.champion) == (2, 3)
    assert state(settings) == ([1, 2, 3], 3)


def test_an_attempt_that_dies_held_is_finished_by_another_and_is_superseded(settings, two):
    slow, fast = two
    held = Held(settings, slow, "_promote")
    held._process.kill()
    held._process.join()
    assert register(settings, fast).champion == 3
    assert register(settings, slow).superseded
    assert state(settings) == ([1, 3], 3)


def test_of_many_that_race_one_is_champion(settings, two):
    with open_context(settings) as context:
        pinned = two[0].champion
        requests = [small_run(context, f"racer {n}", champion=pinned) for n in range(6)]
    barrier, answers = FORK.Barrier(6), FORK.Queue()

    def race(request: RegisterRequest) -> None:
        barrier.wait(60)
        answers.put(register(settings, request))

    racers = [FORK.Process(target=race, args=(request,)) for request in requests]
    for racer in racers:
        racer.start()
    results = [answers.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(60)
    assert sorted(result.version for result in results) == [2, 3, 4, 5, 6, 7]
    (winner,) = [result for result in results if not result.superseded]
    assert state(settings) == ([1, winner.version], winner.version)


def test_the_same_run_twice_at_once_is_one_version_and_one_entry(settings, two):
    slow, _ = two
    held = Held(settings, slow, "_promote")
    again = register(settings, slow)
    first = held.go_on()
    assert (first.version, first.champion, first.superseded) == (2, 2, False)
    assert (again.version, again.champion, again.superseded) == (2, 2, False)
    assert state(settings) == ([1, 2], 2)


def attempt(context: Context, run_key: str, sequence: int) -> PromotionRecord:
    return context.ledger.promote(
        "fares",
        PromotionRecord(
            sequence=sequence, version=9, run_key=run_key, kind="promote", reason="token"
        ),
    )


def test_no_token_but_the_next_one_is_taken(settings, two):
    with open_context(settings) as context:
        for stale_or_early in (1, 3, 4):
            with pytest.raises(Superseded, match="LEDGER-SUPERSEDED"):
                attempt(context, "f" * 64, stale_or_early)
        assert attempt(context, "f" * 64, 2).sequence == 2
        with pytest.raises(Superseded):
            attempt(context, "e" * 64, 2)
