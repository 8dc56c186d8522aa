"""Racing processes and killed ones: the database alone decides, and once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text

from everfit.contracts.errors import Superseded
from everfit.storage.ledger import Ledger, open_ledger
from everfit.storage.ledger.records import PromotionRecord, VerdictRecord
from everfit.storage.ledger.schema import REVISIONS

RACERS = 8
FORK = get_context("fork")


def race(tmp_path: Path, url: str, act: Callable[[Ledger, int], object]) -> list[object]:
    """Let processes open the ledger and act at the same moment; return what they tell."""
    start = FORK.Barrier(RACERS)

    def racer(number: int) -> None:
        start.wait(60)
        with open_ledger(url) as ledger:
            told = act(ledger, number)
        (tmp_path / f"told-{number}").write_text(json.dumps(told))

    racers = [FORK.Process(target=racer, args=(number,)) for number in range(RACERS)]
    for process in racers:
        process.start()
    for process in racers:
        process.join(90)
    assert [process.exitcode for process in racers] == [0] * RACERS
    return [json.loads((tmp_path / f"told-{number}").read_text()) for number in range(RACERS)]


def promote(ledger: Ledger, number: int) -> str:
    record = PromotionRecord(
        sequence=1, version=number, run_key=f"{number}" * 64, kind="promote", reason="race"
    )
    try:
        return ledger.promote("taxi", record).run_key[0]
    except Superseded:
        return "superseded"


def judge(ledger: Ledger, number: int) -> str:
    record = VerdictRecord(
        run_key="a" * 64, verdict="hold", because=f"racer {number}", decision="b" * 64
    )
    return ledger.record_verdict(record).because


def test_one_racer_makes_the_schema_and_one_is_promoted(url, tmp_path):
    told = race(tmp_path, url, promote)  # on a database that does not exist yet
    with open_ledger(url) as ledger:
        (entry,) = ledger.history("taxi")
    winner = entry.run_key[0]
    assert sorted(told) == sorted([winner] + ["superseded"] * (RACERS - 1))


def test_all_racers_are_told_the_same_verdict(url, tmp_path):
    told = race(tmp_path, url, judge)
    assert len(set(told)) == 1


def test_promotions_one_after_the_other_by_racers_leave_no_gap(url, tmp_path):
    def climb(ledger: Ledger, number: int) -> int:
        done = 0
        while done < 3:
            head = ledger.champion("taxi")
            record = PromotionRecord(
                sequence=head.sequence + 1 if head else 1,
                version=done,
                run_key=f"{number}{done}" * 32,
                kind="promote",
                reason="race",
            )
            try:
                ledger.promote("taxi", record)
                done += 1
            except Superseded:
                continue
        return done

    race(tmp_path, url, climb)
    with open_ledger(url) as ledger:
        history = ledger.history("taxi")
    assert [entry.sequence for entry in history] == list(range(1, 3 * RACERS + 1))
    assert len({entry.run_key for entry in history}) == 3 * RACERS


def die_at_statement(url: str, number: int) -> bool:
    """Open the ledger in a process that is killed before its Nth statement; whether it was."""

    def doomed() -> None:
        seen = 0

        def count(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "before_cursor_execute", count)
        event.listen(Engine, "commit", count)
        with open_ledger(url):
            pass

    process = FORK.Process(target=doomed)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_a_kill_while_the_schema_is_made_leaves_all_of_it_or_nothing(url):
    stride = 2 if url.startswith("sqlite") else 5  # a server takes longer to meet
    points = 1
    while die_at_statement(url, points):
        points += stride
        raw = create_engine(url)
        with raw.connect() as connection:
            versions = raw.dialect.get_table_names(connection)
            if versions:
                found = connection.execute(text("SELECT version_num FROM everfit_ledger_version"))
                assert found.scalar_one() == REVISIONS[-1]
        raw.dispose()
        if versions:
            pytest.fail("the ledger was complete before its last statement")
    assert points > 30  # tables, indexes, triggers, version
    with open_ledger(url) as ledger:
        assert ledger.history("taxi") == []
