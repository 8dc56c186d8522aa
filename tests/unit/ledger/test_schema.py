"""Migrations, and the database's own refusal to change what was recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from everfit.contracts.errors import UserError
from everfit.storage.ledger import open_ledger, schema
from everfit.storage.ledger.migrations import VERSION_TABLE, upgrade
from everfit.storage.ledger.records import (
    EvaluationRecord,
    MonitorRecord,
    PromotionRecord,
    RunRecord,
    SpanRecord,
    VerdictRecord,
    VersionRecord,
)
from everfit.storage.ledger.schema import REVISIONS
from everfit.storage.ledger.tables import METADATA

TABLES = sorted(table.name for table in METADATA.sorted_tables)
BOOKKEEPING = ["id", "pipeline"]


@pytest.fixture
def database(url):
    engine = create_engine(url)
    yield engine
    engine.dispose()


def test_the_code_knows_every_migration():
    config = Config()
    config.set_main_option("script_location", "everfit.storage.ledger:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    walked = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS


def test_migrations_lead_to_the_tables_as_declared(url, database):
    with open_ledger(url):
        pass
    with database.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("spans", SpanRecord),
        ("evaluations", EvaluationRecord),
        ("runs", RunRecord),
        ("monitorings", MonitorRecord),
        ("verdicts", VerdictRecord),
        ("versions", VersionRecord),
        ("promotions", PromotionRecord),
    ],
)
def test_a_table_has_a_column_for_each_field_of_its_record(name, record):
    columns = METADATA.tables[f"everfit_{name}"].columns.keys()
    assert [c for c in columns if c not in BOOKKEEPING] == list(record.model_fields)


def test_an_older_ledger_is_migrated_with_what_it_holds(url, database, monkeypatch):
    monkeypatch.setattr(schema, "FIRST", REVISIONS[0])
    with database.begin() as connection:
        upgrade(connection, "test", REVISIONS[0])
        connection.execute(
            text(
                "INSERT INTO everfit_registrations (pipeline, run_key, at) VALUES ('taxi', 'k', '')"
            )
        )
    with open_ledger(url) as ledger:
        assert ledger.unfinished_registrations("taxi") == ["k"]
    with database.connect() as connection:
        version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    assert version == REVISIONS[-1]


@pytest.mark.parametrize("revision", ["0001", "0004", "0006"])
def test_a_ledger_from_before_the_first_release_is_refused_and_left_as_it_is(
    url, database, revision
):
    with database.begin() as connection:
        upgrade(connection, "test", revision)
    with (
        pytest.raises(
            UserError,
            match=rf"^LEDGER-OLDER ledger .*must be 0007 or newer; it is {revision}, .*"
            r"Begin with a new ledger, store and registry: move EVERFIT_HOME away.*\.$",
        ),
        open_ledger(url),
    ):
        pass
    with database.connect() as connection:
        version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    assert version == revision


def test_a_ledger_newer_than_the_code_is_left_alone(url, database):
    with open_ledger(url):
        pass
    with database.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with (
        pytest.raises(UserError, match=r"LEDGER-NEWER .*up to 0009; it is 9999.* Upgrade Everfit"),
        open_ledger(url),
    ):
        pass


def fill(connection) -> None:
    """Put a row into every table."""
    for table in METADATA.sorted_tables:
        values = {
            column.name: "x" if column.type.python_type is str else 1
            for column in table.columns
            if column.name != "id"
        }
        connection.execute(table.insert().values(values))


@pytest.mark.parametrize("table", TABLES)
def test_the_database_refuses_to_change_or_remove_a_record(table, ledger_with_rows):
    column = METADATA.tables[table].columns.keys()[1]
    verbs = [f"UPDATE {table} SET {column} = 'y'", f"DELETE FROM {table}"]
    if ledger_with_rows.dialect.name == "postgresql":
        verbs.append(f"TRUNCATE {table}")
    for verb in verbs:
        with (
            pytest.raises(DBAPIError, match="the ledger is append-only"),
            ledger_with_rows.begin() as connection,
        ):
            connection.execute(text(verb))
    with ledger_with_rows.connect() as connection:
        (row,) = connection.execute(text(f"SELECT {column} FROM {table}")).all()
    assert row == ("x",)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger_with_rows(request, tmp_path_factory):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('rows') / 'ledger.db'}"
    else:
        url = request.getfixturevalue("postgresql_url")
    with open_ledger(url):
        pass
    engine = create_engine(url)
    with engine.begin() as connection:
        fill(connection)
    yield engine
    engine.dispose()


def test_a_current_sqlite_ledger_is_used_without_sqlalchemy_or_alembic(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with open_ledger(url):
        pass
    program = (
        "import sys; from everfit.storage.ledger import open_ledger\n"
        f"with open_ledger({url!r}) as ledger:\n"
        "    ledger.intend_registration('taxi', 'a' * 64); ledger.champion('taxi')\n"
        "heavy = {'sqlalchemy', 'alembic', 'numpy', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
