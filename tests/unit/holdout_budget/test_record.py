"""An evaluation is recorded once a run, in a row, whatever races and whatever is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from multiprocessing import get_context

import pytest

from everfit.contracts.base import digest_of
from everfit.contracts.errors import Unavailable
from everfit.contracts.messages.evaluations import HoldoutEvaluation
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.messages.spans import Snapshot, Span
from everfit.contracts.spec.gate import GateSpec
from everfit.ml.holdout_budget.policy import EvaluatedRun, pool_after
from everfit.ml.holdout_budget.record import (
    TRIES,
    evaluated_on,
    evaluations_until,
    record_evaluation,
)
from everfit.storage.ledger import Ledger, open_ledger
from everfit.storage.ledger.records import RunRecord, SpanRecord

GATE = GateSpec(superior_by="1%", baseline="median")
FORK = get_context("fork")
RACERS = 8
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def span(month: int) -> Span:
    return Span(
        name=f"2018-{month:02}.csv",
        digest=digest_of(month),
        rows=100 * month,
        size=1,
        period_start=f"2018-{month:02}-01",
        period_end=f"2018-{month + 1:02}-01",
    )


def read(ledger: Ledger, *months: int, name: str = "") -> None:
    for month in months:
        snapshot = Snapshot(
            span=span(month).model_copy(update={"name": name or span(month).name}),
            fingerprint="f",
            provenance={},
        )
        ledger.record_span(
            "taxi",
            SpanRecord(
                name=snapshot.span.name,
                fingerprint="f",
                reader=digest_of("reader"),
                digest=digest_of(month),
                snapshot=snapshot.model_dump(mode="json"),
            ),
        )


def opened(ledger: Ledger, name: object, window: tuple[int, ...], holdout: tuple[int, ...]) -> str:
    key = digest_of(["run", name])
    ledger.open_run(
        "taxi",
        RunRecord(
            run_key=key,
            spec=digest_of("spec"),
            window=tuple(map(digest_of, window)),
            holdout=tuple(map(digest_of, holdout)),
            code=digest_of("code"),
            environment=digest_of("env"),
            seed=0,
            champion=None,
            trigger=Trigger(),
        ),
    )
    return key


def record(ledger: Ledger, key: str, gate: GateSpec = GATE) -> HoldoutEvaluation | None:
    return record_evaluation(ledger, EvaluatedRun(key, "taxi", "fare"), gate, NOW)


def evaluations(ledger: Ledger) -> list[HoldoutEvaluation]:
    return ledger.holdout_evaluations("taxi", "fare")


@pytest.fixture
def ledger(context) -> Ledger:
    read(context.ledger, 1, 2, 3, 4, 5)
    return context.ledger


def test_an_evaluation_is_on_the_holdouts_spans(ledger):
    key = opened(ledger, 1, (1, 2, 3), (4, 5))
    evaluation = record(ledger, key)
    assert [one.digest for one in evaluation.spans] == [digest_of(4), digest_of(5)]
    assert evaluation.refilled == pytest.approx(0.05 * 61 / 365.25)  # April and May
    assert evaluation == ledger.holdout_evaluation(key)


def test_a_share_of_the_rows_is_evaluated_on_the_windows_spans(ledger):
    key = opened(ledger, 1, (1, 2), ())
    assert [one.rows for one in record(ledger, key).spans] == [100, 200]


def test_a_rerun_spends_nothing_again(ledger):
    key = opened(ledger, 1, (1, 2, 3), (4,))
    first = record(ledger, key)
    opened_later = opened(ledger, 2, (1, 2), (4,))
    record(ledger, opened_later)
    assert record(ledger, key) == first
    assert len(evaluations(ledger)) == 2
    stricter = GATE.model_copy(update={"false_promotions": 0.01})
    assert record(ledger, key, stricter) == first


@pytest.mark.parametrize("lost", ["run", "span"])
def test_what_the_ledger_does_not_know_is_not_evaluated(ledger, lost, caplog):
    key = opened(ledger, 1, (1,), (2, 9)) if lost == "span" else digest_of("nobody")
    assert record(ledger, key) is None
    assert evaluations(ledger) == []
    assert "no evaluation on its holdout is recorded" in caplog.text


def test_of_copies_the_first_tells_the_period(ledger):
    read(ledger, 4, name="2018-09.csv")
    key = opened(ledger, 1, (1, 2, 3), (4,))
    assert [one.name for one in evaluated_on(ledger, "taxi", key)[0]] == ["2018-04.csv"]


def test_the_gate_is_told_of_the_evaluations_before_and_of_no_time(ledger):
    keys = [opened(ledger, n, (1,), (2 + n, 3 + n)) for n in range(3)]
    for key in keys:
        record(ledger, key)
    evaluation, before = evaluations_until(ledger, keys[1])
    assert (evaluation.sequence, [one.sequence for one in before]) == (2, [1])
    assert {one.at for one in (evaluation, *before)} == {""}
    evaluation, before = evaluations_until(ledger, keys[2])
    assert [len(one.spans) for one in (evaluation, *before)] == [2, 2, 1]  # only what was new
    assert evaluations_until(ledger, digest_of("nobody")) == (None, ())


def test_an_evaluation_that_never_finds_a_place_is_tried_again_later(ledger, monkeypatch):
    key = opened(ledger, 1, (1, 2, 3), (4,))
    asked = []

    def late(self: Ledger, evaluation: HoldoutEvaluation) -> None:
        asked.append(evaluation)

    monkeypatch.setattr(Ledger, "record_holdout_evaluation", late)
    with pytest.raises(
        Unavailable, match=r"EVALUATION-RACE taxi run .* other runs took 20 places first"
    ):
        record(ledger, key)
    assert len(asked) == TRIES


def test_racing_runs_share_one_budget(tmp_path):
    """Runs evaluated on one holdout at the same moment spend as if one came after the other."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url) as ledger:
        read(ledger, 1, 2, 3, 4)
        keys = [opened(ledger, number, (1, 2, 3), (4,)) for number in range(RACERS)]
    start = FORK.Barrier(RACERS)

    def racer(number: int) -> None:
        start.wait(60)
        with open_ledger(url) as ledger:
            evaluation = record(ledger, keys[number])
        (tmp_path / f"told-{number}").write_text(json.dumps(evaluation.model_dump(mode="json")))

    racers = [FORK.Process(target=racer, args=(number,)) for number in range(RACERS)]
    for process in racers:
        process.start()
    for process in racers:
        process.join(90)
    assert [process.exitcode for process in racers] == [0] * RACERS
    told = [
        HoldoutEvaluation.model_validate_json((tmp_path / f"told-{number}").read_text())
        for number in range(RACERS)
    ]
    assert sorted(evaluation.sequence for evaluation in told) == list(range(1, RACERS + 1))
    month = 0.05 * 30 / 365.25
    shares = sorted((evaluation.alpha / month for evaluation in told), reverse=True)
    assert shares == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 0, 0, 0, 0])
    with open_ledger(url) as ledger:
        assert pool_after(evaluations(ledger)) == pytest.approx(month / 16)
