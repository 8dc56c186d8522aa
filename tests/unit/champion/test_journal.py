"""Reigns from the journal, and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.champion.journal import Reign, moment_of, reign_at, reigns
from everfit.champion.lookup import find_run, find_version, version_number
from everfit.cli.commands.history import TITLES, row
from everfit.cli.terminal import Terminal
from everfit.contracts.errors import UserError
from everfit.storage.ledger.records import PromotionRecord, RunRecord
from tests.unit.register.small_run import small_run


def reign(sequence: int, at: str, version: int = 1, until: str | None = None) -> Reign:
    entry = PromotionRecord(
        sequence=sequence, version=version, run_key="a" * 64, kind="promote", reason="why", at=at
    )
    return Reign(entry, until, None, None)


JANUARY, MARCH = "2026-01-31T10:00:00.000Z", "2026-03-31T10:00:00.500Z"
JOURNAL = [reign(1, JANUARY, 1, MARCH), reign(2, MARCH, 2)]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2026-01-30", None),
        ("2026-01-31", 1),  # the day's end
        ("2026-01-31T09:59", None),
        ("2026-01-31T10:00", 1),
        ("2026-01-31T11:59+02:00", None),
        ("2026-01-31T12:00+02:00", 1),
        ("2026-03-31T10:00:00.499999Z", 1),
        ("2026-03-31T10:00:00.5Z", 2),
        ("2030-01-01", 2),
    ],
)
def test_who_was_champion_at_a_time(text: str, version: int | None) -> None:
    found = reign_at(JOURNAL, moment_of(text))
    assert (found.entry.version if found else None) == version


@given(st.text(max_size=30))
def test_any_text_is_a_moment_with_a_zone_or_a_clear_error(text: str) -> None:
    try:
        assert moment_of(text).tzinfo is not None
    except UserError as error:
        assert error.code == "CHAMPION-TIME"


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))
def test_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    assert moment_of(moment.isoformat()) == moment.replace(tzinfo=UTC)
    day = moment_of(moment.date().isoformat())
    assert day + timedelta(microseconds=1) == datetime(
        moment.year, moment.month, moment.day, tzinfo=UTC
    ) + timedelta(days=1)


def test_the_table_shows_every_entry_and_the_whole_reason(capsys) -> None:
    Terminal().table(TITLES, map(row, [*JOURNAL, reign(3, MARCH, 11)]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["#", "since", "(UTC)", "version", "how", "run", "model", "reason"]
    assert lines[1].startswith("1  2026-01-31 10:00:00  v1       promote  aaaaaaaaaaaa")
    assert [line.index("why") for line in lines[1:]] == [lines[0].index("reason")] * 3


def test_a_reign_knows_its_end_its_version_and_its_verdict(context) -> None:
    from everfit.steps.register.step import Register

    first = small_run(context)
    Register().run(first, context)
    run_key = first.run_key
    context.ledger.promote(
        "fares",
        PromotionRecord(sequence=2, version=1, run_key=run_key, kind="rollback", reason="again"),
    )
    one, two = reigns(context.ledger, "fares")
    assert one.until == two.entry.at
    assert two.until is None
    assert two.document() == {
        "sequence": 2,
        "version": 1,
        "since": two.entry.at,
        "until": None,
        "kind": "rollback",
        "reason": "again",
        "run_key": run_key,
        "verdict": "promote",
        "because": "the candidate is better by 2.5",
        "model": first.evaluated.candidate.model.digest,
        "mlflow_run": run_key[:32],
        "approved_by": None,
    }


@pytest.mark.parametrize(("text", "number"), [("3", 3), ("v3", 3), (" V12 ", 12)])
def test_a_version_is_named_with_or_without_its_letter(text: str, number: int) -> None:
    assert version_number(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "v", "three", "1.0", "٣", "9" * 11])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="CHAMPION-NUMBER"):
        version_number(text)


def test_an_unknown_version_is_answered_with_those_there_are(context) -> None:
    with pytest.raises(UserError, match="there is none yet"):
        find_version(context.ledger, "fares", 1)


def run_of(key: str) -> RunRecord:
    zero = "0" * 64
    return RunRecord(
        run_key=key,
        spec=zero,
        window=(),
        holdout=(),
        code=zero,
        environment=zero,
        seed=0,
        champion=None,
        trigger={},
    )


def test_a_run_is_found_by_the_beginning_of_its_key_if_only_one_fits(context) -> None:
    for key in ("abcd1" + "0" * 59, "abcd2" + "0" * 59):
        context.ledger.open_run("fares", run_of(key))
    assert find_run(context.ledger, "fares", "ABCD1").run_key.startswith("abcd1")
    with pytest.raises(UserError, match="2 match"):
        find_run(context.ledger, "fares", "abcd")
    with pytest.raises(UserError, match="0 match"):
        find_run(context.ledger, "fares", "%")
    with pytest.raises(UserError, match="0 match"):
        find_run(context.ledger, "tips", "abcd1")
    with pytest.raises(UserError, match="at least four"):
        find_run(context.ledger, "fares", "")
