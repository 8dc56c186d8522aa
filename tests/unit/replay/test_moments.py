"""When spans arrived, and when a replay looks, by hand count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from everfit.contracts.errors import UserError
from everfit.contracts.messages.spans import SpanRef
from everfit.operations.replay.moments import arrivals, moments
from everfit.storage.ledger.records import SpanRecord


def day(number: int, month: int = 1) -> datetime:
    return datetime(2018, month, number, tzinfo=UTC)


def ref(name: str, end: str | None = None) -> SpanRef:
    return SpanRef(name=name, fingerprint="f", location=name, period_end=end)


def seen(name: str, at: str) -> SpanRecord:
    return SpanRecord(
        name=name, fingerprint="f", reader="a" * 64, digest="b" * 64, snapshot={}, at=at
    )


def test_a_span_arrives_at_the_end_of_its_period():
    spans = [ref("2018-02.csv", "2018-03-01T00:00:00"), ref("2018-01.csv", "2018-02-01T00:00:00")]
    assert [(one.at, one.span.name) for one in arrivals("taxi", spans, [])] == [
        (day(1, 2), "2018-01.csv"),
        (day(1, 3), "2018-02.csv"),
    ]


def test_without_a_period_it_arrived_when_the_ledger_first_saw_it():
    records = [seen("b", "2018-01-05T00:00:00.000Z"), seen("b", "2018-01-09T00:00:00.000Z")]
    (one,) = arrivals("taxi", [ref("b")], records)
    assert one.at == day(5)


def test_without_a_period_it_arrived_with_its_latest_row():
    records = [seen("b", "2018-01-05T00:00:00.000Z")]
    ends = {"b": day(3), "a": day(4)}
    found = arrivals("taxi", [ref("a"), ref("b"), ref("c", "2018-01-02T00:00:00")], records, ends)
    assert [(one.span.name, one.at) for one in found] == [
        ("c", day(2)),
        ("b", day(3)),
        ("a", day(4)),
    ]


def test_a_span_nobody_can_date_is_told():
    with pytest.raises(UserError) as told:
        arrivals("taxi", [ref("b.csv")], [])
    assert told.value.line == (
        "REPLAY-TIME taxi b.csv: a replay must know when a span arrived; its name holds no period, "
        "its rows no time, and no run has read it. Say time or source.period in the spec, or run "
        "the pipeline first."
    )


def test_a_replay_looks_at_every_arrival_and_every_so_often_between():
    found = arrivals("taxi", [ref("a", "2018-01-03T12:00:00"), ref("b", "2018-02-03T00:00:00")], [])
    assert moments(found, day(1), day(5), timedelta(days=2)) == [
        day(1),
        day(3),
        day(3) + timedelta(hours=12),
        day(5),
    ]


def test_what_came_before_the_start_is_no_moment_of_its_own():
    found = arrivals("taxi", [ref("a", "2018-01-01T00:00:00")], [])
    assert moments(found, day(2), day(3), timedelta(days=7)) == [day(2), day(3)]
