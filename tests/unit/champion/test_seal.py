"""The journal as it was written, or an error that says which entry is not."""

from __future__ import annotations

import sqlite3

import pytest

from everfit.champion.overrule import overrule
from everfit.champion.seal import refuse_altered_journal
from everfit.cli import main
from everfit.contracts.errors import IntegrityError
from tests.unit.register.small_run import SPEC, small_run


@pytest.fixture
def journal(context):
    """Three entries: by the gate, and by two people."""
    from everfit.steps.register.step import Register

    ledger = context.ledger
    Register().run(small_run(context), context)
    first = ledger.versions("fares")[0].champion.model_copy(update={"sequence": 1})
    Register().run(small_run(context, "second", champion=first), context)
    overrule("rollback", SPEC, 1, "why", "ada", context)
    assert [entry.person for entry in ledger.history("fares")] == ["", "", "ada"]
    return context


def change(context, sql: str) -> None:
    """As somebody who owns the file can."""
    database = sqlite3.connect(context.settings.ledger.removeprefix("sqlite:///"))
    with database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
            ("everfit_promotions",),
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(sql)
    database.close()


def check(context) -> None:
    refuse_altered_journal("fares", context)


def test_a_journal_as_it_was_written_is_believed(journal):
    check(journal)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE everfit_promotions SET version = 2 WHERE sequence = 3",
        "UPDATE everfit_promotions SET reason = 'another' WHERE sequence = 1",
        "UPDATE everfit_promotions SET person = 'bob' WHERE sequence = 3",
        "UPDATE everfit_promotions SET kind = 'override' WHERE sequence = 2",
        "UPDATE everfit_promotions SET at = '2020-01-01T00:00:00Z' WHERE sequence = 2",
        "UPDATE everfit_promotions SET pipeline = 'others' WHERE sequence = 2",
        "UPDATE everfit_promotions SET signature = '' WHERE sequence = 3",
        "UPDATE everfit_promotions SET signature = '', previous = ''",
        "DELETE FROM everfit_promotions WHERE sequence = 2",
        "DELETE FROM everfit_promotions WHERE sequence = 1",
        "INSERT INTO everfit_promotions (pipeline, sequence, version, run_key, kind, reason, at) "
        "SELECT pipeline, 4, 2, (SELECT run_key FROM everfit_promotions WHERE sequence = 2), "
        "'override', 'mine', at FROM everfit_promotions WHERE sequence = 3",
    ],
)
def test_an_altered_journal_is_found(journal, sql, monkeypatch, capsys):
    change(journal, sql)
    with pytest.raises(IntegrityError, match=r"^LEDGER-(JOURNAL|SIGNATURE) fares journal entry"):
        check(journal)
    monkeypatch.setenv("EVERFIT_ROOT", str(journal.settings.root))
    for command in ("champion", "history"):
        assert main([command, "fares"]) == 2
        assert "LEDGER-" in capsys.readouterr().err


def test_an_entry_taken_from_the_end_is_found_by_what_mlflow_shows(journal):
    from everfit.champion.agreement import bring_up_to_date

    change(journal, "DELETE FROM everfit_promotions WHERE sequence = 3")
    check(journal)
    with pytest.raises(IntegrityError, match=r"^DEPLOYMENT .*promotions of v1"):
        bring_up_to_date("fares", journal)
