"""What a person is told when the database cannot be used; never its password."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import pytest

from everfit.contracts.errors import CredentialsError, EverfitError, Unavailable, UserError
from everfit.storage.ledger import open_ledger, sqlite_connection


def failure(url: str) -> EverfitError:
    with pytest.raises(EverfitError) as caught, open_ledger(url):
        pass
    chain, told = caught.value, []
    while chain is not None:
        told.append(str(chain))
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    assert "s3cret" not in " ".join(told)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        "ledger.db",
        "mysql://user:s3cret@host/name",
        "sqlite://host/file.db",
        "sqlite:///file.db?timeout=3",
        "postgresql://user:s3cret@host:port/name",
    ],
)
def test_a_url_that_names_no_ledger(url):
    error = failure(url)
    assert (type(error), error.code, error.exit_code) == (UserError, "LEDGER-URL", 2)


def test_a_server_that_does_not_answer():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound, not listening: refused at once
        port = silent.getsockname()[1]
        error = failure(f"postgresql+psycopg://user:s3cret@127.0.0.1:{port}/name")
    assert (type(error), error.code, error.exit_code) == (Unavailable, "LEDGER-UNAVAILABLE", 75)
    assert f"user:***@127.0.0.1:{port}/name" in error.line
    assert "refused" in error.line


def test_a_refused_password(postgresql_url):
    error = failure(postgresql_url.replace(":correct-horse@", ":s3cret@"))
    assert (type(error), error.code, error.exit_code) == (CredentialsError, "LEDGER-CREDENTIALS", 2)
    assert "password authentication failed" in error.line


def test_a_database_that_does_not_exist(postgresql_url):
    error = failure(f"{postgresql_url.rpartition('/')[0]}/nowhere")
    assert type(error) is CredentialsError
    assert 'database "nowhere" does not exist' in error.line


def test_a_user_without_rights(postgresql_database):
    import psycopg

    with psycopg.connect(
        postgresql_database.replace("+psycopg", ""), autocommit=True
    ) as connection:
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 's3cret'")
    error = failure(postgresql_database.replace("everfit:correct-horse", "guest:s3cret"))
    assert type(error) is CredentialsError
    assert "permission denied" in error.line


def test_a_server_that_went_away_and_came_back_is_met_again(postgresql_database):
    import psycopg

    with open_ledger(postgresql_database) as ledger:
        ledger.intend_registration("taxi", "a" * 64)
        with psycopg.connect(
            postgresql_database.replace("+psycopg", ""), autocommit=True
        ) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert ledger.unfinished_registrations("taxi") == ["a" * 64]


def test_a_file_that_is_no_database(tmp_path: Path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"a table,of something,else\n" * 100)
    error = failure(f"sqlite:///{path}")
    assert (type(error), error.code) == (UserError, "LEDGER-DAMAGED")
    assert path.read_bytes().startswith(b"a table")


def test_a_place_that_cannot_hold_a_file(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "ledger.db", tmp_path):
        error = failure(f"sqlite:///{place}")
        assert (type(error), error.code) == (UserError, "LEDGER-FILE")
        assert str(place) in error.line


def test_a_ledger_that_another_process_will_not_let_go_of(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sqlite_connection, "BUSY_SECONDS", 0.05)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url):
        pass
    holder = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with open_ledger(url) as ledger, pytest.raises(Unavailable, match="LEDGER-BUSY"):
        ledger.intend_registration("taxi", "a" * 64)
    holder.close()


def test_a_folder_whose_name_sql_and_urls_find_odd(tmp_path: Path):
    odd = tmp_path / "50% of 'all' #1 ä"
    with open_ledger(f"sqlite:///{odd / 'ledger.db'}") as ledger:
        assert ledger.champion("taxi") is None
    assert (odd / "ledger.db").exists()


def test_a_disk_that_is_full_while_the_ledger_is_made(tmp_path, monkeypatch):
    from sqlalchemy.exc import OperationalError

    from everfit.storage.ledger import migrations

    def full(*_):
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(migrations, "upgrade", full)
    error = failure(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert (error.code, error.exit_code) == ("LEDGER-FULL", 75)
