"""A look is recorded once a run, in a row, whatever races and whatever is not known."""

from __future__ import annotations

import json
from multiprocessing import get_context

import pytest

from pipeline_components.contracts.base import digest_of
from pipeline_components.contracts.errors import Unavailable
from pipeline_components.contracts.gate_spec import GateSpec
from pipeline_components.contracts.looks import Look
from pipeline_components.contracts.planning import Trigger
from pipeline_components.contracts.spans import Snapshot, Span
from pipeline_components.ledger import Ledger, open_ledger
from pipeline_components.ledger.records import RunRecord, SpanRecord
from pipeline_components.looks.policy import pool_after
from pipeline_components.looks.record import TRIES, judged_spans, looks_until, record_look

GATE = GateSpec(superior_by="1%", baseline="median")
FORK = get_context("fork")
RACERS = 8


def span(month: int) -> Span:
    return Span(
        name=f"2018-{month:02}.csv", digest=digest_of(month), rows=100 * month, size=1,
        period_start=f"2018-{month:02}-01", period_end=f"2018-{month + 1:02}-01",
    )  # fmt: skip


def read(ledger: Ledger, *months: int, name: str = "") -> None:
    for month in months:
        snapshot = Snapshot(
            span=span(month).model_copy(update={"name": name or span(month).name}),
            fingerprint="f", provenance={},
        )  # fmt: skip
        ledger.record_span(
            "taxi",
            SpanRecord(
                name=snapshot.span.name, fingerprint="f", reader=digest_of("reader"),
                digest=digest_of(month), snapshot=snapshot.model_dump(mode="json"),
            ),
        )  # fmt: skip


def opened(ledger: Ledger, name: object, window: tuple[int, ...], holdout: tuple[int, ...]) -> str:
    key = digest_of(["run", name])
    ledger.open_run(
        "taxi",
        RunRecord(
            run_key=key, spec=digest_of("spec"), window=tuple(map(digest_of, window)),
            holdout=tuple(map(digest_of, holdout)), code=digest_of("code"),
            environment=digest_of("env"), seed=0, champion=None, trigger=Trigger(),
        ),
    )  # fmt: skip
    return key


@pytest.fixture
def ledger(context) -> Ledger:
    read(context.ledger, 1, 2, 3, 4, 5)
    return context.ledger


def test_a_look_is_at_the_holdouts_spans(ledger):
    key = opened(ledger, 1, (1, 2, 3), (4, 5))
    look = record_look(ledger, "taxi", key, GATE)
    assert [one.digest for one in look.spans] == [digest_of(4), digest_of(5)]
    assert look.refilled == pytest.approx(0.05 * 61 / 365.25)  # April and May
    assert look == ledger.look(key)


def test_a_share_of_the_rows_looks_at_the_windows_spans(ledger):
    key = opened(ledger, 1, (1, 2), ())
    assert [one.rows for one in record_look(ledger, "taxi", key, GATE).spans] == [100, 200]


def test_a_rerun_spends_nothing_again(ledger):
    key = opened(ledger, 1, (1, 2, 3), (4,))
    first = record_look(ledger, "taxi", key, GATE)
    opened_later = opened(ledger, 2, (1, 2), (4,))
    record_look(ledger, "taxi", opened_later, GATE)
    assert record_look(ledger, "taxi", key, GATE) == first
    assert len(ledger.looks("taxi")) == 2
    stricter = GATE.model_copy(update={"false_promotions": 0.01})
    assert record_look(ledger, "taxi", key, stricter) == first


@pytest.mark.parametrize("lost", ["run", "span"])
def test_what_the_ledger_does_not_know_is_no_look(ledger, lost, caplog):
    key = opened(ledger, 1, (1,), (2, 9)) if lost == "span" else digest_of("nobody")
    assert record_look(ledger, "taxi", key, GATE) is None
    assert ledger.looks("taxi") == []
    assert "no look at its holdout is recorded" in caplog.text


def test_of_copies_the_first_tells_the_period(ledger):
    read(ledger, 4, name="2018-09.csv")
    key = opened(ledger, 1, (1, 2, 3), (4,))
    assert [one.name for one in judged_spans(ledger, "taxi", key)] == ["2018-04.csv"]


def test_the_gate_is_told_of_the_looks_before_and_of_no_time(ledger):
    keys = [opened(ledger, n, (1,), (2 + n, 3 + n)) for n in range(3)]
    for key in keys:
        record_look(ledger, "taxi", key, GATE)
    look, before = looks_until(ledger, "taxi", keys[1])
    assert (look.sequence, [one.sequence for one in before]) == (2, [1])
    assert {one.at for one in (look, *before)} == {""}
    look, before = looks_until(ledger, "taxi", keys[2])
    assert [len(one.spans) for one in (look, *before)] == [2, 2, 1]  # only what was new
    assert looks_until(ledger, "taxi", digest_of("nobody")) == (None, ())


def test_a_look_that_never_finds_a_place_is_tried_again_later(ledger, monkeypatch):
    key = opened(ledger, 1, (1, 2, 3), (4,))
    asked = []

    def late(self: Ledger, pipeline: str, look: Look) -> None:
        asked.append(look)

    monkeypatch.setattr(Ledger, "record_look", late)
    with pytest.raises(Unavailable, match=r"LOOK-RACE taxi run .* other runs took 20 places first"):
        record_look(ledger, "taxi", key, GATE)
    assert len(asked) == TRIES


def test_racing_runs_share_one_budget(tmp_path):
    """Runs that look at one holdout at the same moment spend as if one came after the other."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url) as ledger:
        read(ledger, 1, 2, 3, 4)
        keys = [opened(ledger, number, (1, 2, 3), (4,)) for number in range(RACERS)]
    start = FORK.Barrier(RACERS)

    def racer(number: int) -> None:
        start.wait(60)
        with open_ledger(url) as ledger:
            look = record_look(ledger, "taxi", keys[number], GATE)
        (tmp_path / f"told-{number}").write_text(json.dumps(look.model_dump(mode="json")))

    racers = [FORK.Process(target=racer, args=(number,)) for number in range(RACERS)]
    for process in racers:
        process.start()
    for process in racers:
        process.join(90)
    assert [process.exitcode for process in racers] == [0] * RACERS
    told = [
        Look.model_validate_json((tmp_path / f"told-{number}").read_text())
        for number in range(RACERS)
    ]
    assert sorted(look.sequence for look in told) == list(range(1, RACERS + 1))
    month = 0.05 * 30 / 365.25
    shares = sorted((look.alpha / month for look in told), reverse=True)
    assert shares == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16, 0, 0, 0, 0])
    with open_ledger(url) as ledger:
        assert pool_after(ledger.looks("taxi")) == pytest.approx(month / 16)
