"""What each guard is there for, at the one moment where it counts, without waiting for luck."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from everfit.champion.promotion import project_alias
from everfit.contracts.errors import (
    EverfitError,
    IntegrityError,
    RequestError,
    Superseded,
    Unavailable,
)
from everfit.contracts.messages.evaluations import HoldoutEvaluation
from everfit.engine.context import Context
from everfit.steps.register.step import Register
from everfit.storage.ledger import Ledger, open_ledger
from everfit.storage.ledger.databases import open_connection
from everfit.storage.ledger.records import PromotionRecord, VerdictRecord
from everfit.storage.mlflow import Registry, champion_alias, open_registry
from everfit.storage.mlflow import sqlite as sqlite_registry
from everfit.storage.mlflow.client_errors import explained
from everfit.storage.store.local import LocalStore
from tests.proof.invariants import check_always, check_ledger
from tests.proof.shown import ledger_rows
from tests.unit.register.small_run import fitted, small_run

A, B = "a" * 64, "b" * 64
MODEL = fitted()


def promotion(sequence: int, run_key: str, version: int) -> PromotionRecord:
    return PromotionRecord(
        sequence=sequence, version=version, run_key=run_key, kind="promote", reason="better"
    )


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def test_a_writer_that_comes_second_overwrites_nothing(tmp_path, monkeypatch) -> None:
    """Somebody else publishes the key after the look and before the name is given."""
    first, second = LocalStore(tmp_path / "store"), LocalStore(tmp_path / "store")
    order: list[str] = []

    def syncing(handle: int) -> None:
        if not order:
            order.append("first")
            assert first.create("results/gate/a.json", b"first")

    monkeypatch.setattr(os, "fsync", syncing)
    assert second.create("results/gate/a.json", b"second") is False
    assert second.read("results/gate/a.json") == b"first"


class Overtaken:
    """A connection to the ledger that somebody else is faster than, once."""

    def __init__(self, url: str, meanwhile: Callable[[], None]) -> None:
        self._connection, self._meanwhile = open_connection(url), [meanwhile]

    def insert(self, sql: str, values: Mapping[str, Any]) -> None:
        if self._meanwhile:
            self._meanwhile.pop()()
        self._connection.insert(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_a_promotion_overtaken_between_look_and_record_is_superseded(url) -> None:
    with open_ledger(url) as other:
        slow = Ledger(Overtaken(url, lambda: other.promote("fares", promotion(1, B, 2))))
        with pytest.raises(Superseded):
            slow.promote("fares", promotion(1, A, 1))
        slow.close()
        assert [entry.run_key for entry in other.history("fares")] == [B]


def evaluation(run_key: str, sequence: int) -> HoldoutEvaluation:
    return HoldoutEvaluation(
        run_key=run_key,
        pipeline="fares",
        target="fare",
        sequence=sequence,
        number=sequence,
        spans=(),
        refilled=1.0,
        pool=1.0,
        alpha=0.1,
    )


def test_an_evaluation_overtaken_on_its_place_is_decided_anew(url) -> None:
    with open_ledger(url) as other:
        first = evaluation(B, 1)
        slow = Ledger(Overtaken(url, lambda: other.record_holdout_evaluation(first) and None))
        assert slow.record_holdout_evaluation(evaluation(A, 1)) is None
        slow.close()
        assert [one.run_key for one in other.holdout_evaluations("fares", "fare")] == [B]
    check_ledger(ledger_rows(url), "fares")


def test_a_run_has_one_verdict_and_one_evaluation_whoever_comes_later(url) -> None:
    with open_ledger(url) as ledger:
        for verdict in ("hold", "promote"):
            ledger.record_verdict(VerdictRecord(run_key=A, verdict=verdict, because="", decision=B))
        assert ledger.verdict(A).verdict == "hold"
        for sequence in (1, 2):
            ledger.record_holdout_evaluation(evaluation(A, sequence))
        assert [one.sequence for one in ledger.holdout_evaluations("fares", "fare")] == [1]
    check_ledger(ledger_rows(url), "fares")


def test_the_intent_is_recorded_before_mlflow_is_asked(context: Context, monkeypatch) -> None:
    request = small_run(context, model=MODEL)
    found: list[list[str]] = []
    ensure = sqlite_registry.SqliteRegistry.ensure_version

    def watching(self: Any, *arguments: Any, **more: Any) -> int:
        found.append(context.ledger.unfinished_registrations("fares"))
        return ensure(self, *arguments, **more)

    monkeypatch.setattr(sqlite_registry.SqliteRegistry, "ensure_version", watching)
    Register().run(request, context)
    assert found == [[request.run_key]]


def test_the_alias_follows_a_promotion_made_while_it_was_written(
    context: Context, monkeypatch
) -> None:
    """The other run wrote the alias first; whoever writes last must not leave the older name."""
    Register().run(small_run(context, "first", model=MODEL), context)
    champion = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    second = small_run(context, "second", champion=champion, model=MODEL)
    write = sqlite_registry.SqliteRegistry.set_alias
    meanwhile = [second]

    def overtaken(self: Registry, pipeline: str, version: int | None) -> None:
        if meanwhile:
            Register().run(meanwhile.pop(), context)
        write(self, pipeline, version)

    with open_registry(context.settings, "fares") as registry:
        registry.set_alias("fares", None)
        monkeypatch.setattr(sqlite_registry.SqliteRegistry, "set_alias", overtaken)
        assert project_alias("fares", context.ledger, registry) == 2
    assert champion_alias(context.settings, "fares") == 2
    check_always(context.settings, "fares")


def test_of_two_workers_with_one_token_the_later_is_fenced_off(context: Context) -> None:
    """Both judged against v1; the second finds v2 in its place, and must not take it."""
    Register().run(small_run(context, "first", model=MODEL), context)
    champion = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    rivals = [small_run(context, name, champion=champion, model=MODEL) for name in ("a", "b")]
    results = [Register().run(rival, context) for rival in rivals]
    assert [result.superseded for result in results] == [False, True]
    assert [entry.version for entry in context.ledger.history("fares")] == [1, 2]


def test_a_model_that_mlflow_did_not_keep_whole_is_never_registered(
    context: Context, monkeypatch
) -> None:
    """A disk that says yes and writes half."""
    request = small_run(context, model=MODEL)
    publish = sqlite_registry.publish_files

    def half(folder: Path, files: Mapping[str, Any]) -> None:
        publish(folder, files)
        model = folder / "model" / "model.skops"
        data = model.read_bytes()
        model.write_bytes(data[: len(data) // 2])

    monkeypatch.setattr(sqlite_registry, "publish_files", half)
    with pytest.raises(IntegrityError, match="REGISTRY-MODEL-ALTERED"):
        Register().run(request, context)
    assert champion_alias(context.settings, "fares") is None
    assert context.ledger.versions("fares") == []


def test_a_record_that_was_altered_is_not_served(context: Context) -> None:
    """Whoever can write to the ledger's file still cannot make a champion of their model."""
    import sqlite3

    from everfit.champion.overrule import overrule
    from tests.unit.register.small_run import SPEC

    Register().run(small_run(context, "first", model=MODEL), context)
    champion = context.ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    Register().run(small_run(context, "second", champion=champion, model=MODEL), context)
    database = sqlite3.connect(context.settings.ledger.removeprefix("sqlite:///"))
    with database:
        database.execute("DROP TRIGGER everfit_versions_no_update")
        database.execute(
            "UPDATE everfit_versions SET champion = replace(champion, 'linear.skops', 'evil.skops')"
        )
    database.close()
    with pytest.raises(IntegrityError, match="LEDGER-SIGNATURE"):
        overrule("rollback", SPEC, 1, "why", "ada", context)
    assert [entry.version for entry in context.ledger.history("fares")] == [1, 2]


def test_many_threads_of_one_process_make_one_version(context: Context) -> None:
    """A worker may run two attempts of a task at once."""
    request = small_run(context, model=MODEL)
    start, refused = threading.Barrier(4), []

    def attempt() -> None:
        start.wait(30)
        try:
            Register().run(request, context)
        except EverfitError as error:
            refused.append(error.line)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused
    _, mlflow = check_always(context.settings, "fares")
    assert sorted(mlflow.versions) == [1]
    assert len(mlflow.runs) == 1


def test_a_row_that_another_process_wrote_first_is_no_refusal_of_mlflows() -> None:
    """MLflow answers 400 where two processes log one data set, or one run, in one moment."""

    class Answered(Exception):
        error_code = "BAD_REQUEST"

        def get_http_status_code(self) -> int:
            return 400

    for told in (
        'duplicate key value violates unique constraint "dataset_pk"',
        "The run 38280d82 must be in the 'active' state. Current state is deleted.",
    ):
        assert type(explained(Answered(told), "mlflow")) is Unavailable
    assert type(explained(Answered("what is this?"), "mlflow")) is RequestError
