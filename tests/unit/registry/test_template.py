"""A new MLflow database: a copy that appears whole, whoever races or is killed."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

from everfit.storage.mlflow import template
from everfit.storage.mlflow.sqlite import REVISIONS
from everfit.storage.mlflow.template import make_template, provide_database, template_path
from tests.contract.killing import killed_at


def tables(path: Path) -> int:
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        database.close()


def test_the_template_is_of_a_schema_that_is_written_directly():
    database = sqlite3.connect(make_template())
    try:
        (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        database.close()
    # A new MLflow: look at its migrations, fix registry/sqlite.py where they touch its tables,
    # and add the revision.
    assert revision in REVISIONS


def test_a_new_database_is_migrated_and_points_at_its_own_artifacts(tmp_path):
    path = tmp_path / "home" / "mlflow.db"
    provide_database(path, tmp_path / "artifacts")
    assert tables(path) == tables(make_template())
    database = sqlite3.connect(path)
    found = database.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
    database.close()
    assert found == [(0, f"file://{tmp_path}/artifacts/0")]
    assert sorted(p.name for p in path.parent.iterdir()) == ["mlflow.db"]


def test_a_database_that_exists_is_left_alone(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"mine")
    provide_database(path, tmp_path)
    assert path.read_bytes() == b"mine"


def test_the_log_of_a_removed_database_is_not_replayed(tmp_path):
    path = tmp_path / "mlflow.db"
    path.with_name("mlflow.db-wal").write_bytes(b"left behind")
    provide_database(path, tmp_path)
    assert tables(path) > 0
    assert not path.with_name("mlflow.db-wal").exists()


def _race(path: Path, barrier, number: int) -> None:
    barrier.wait()
    provide_database(path, path.parent)
    database = sqlite3.connect(path, timeout=20)
    with database:
        database.execute(
            "INSERT INTO experiments (name, lifecycle_stage) VALUES (?, 'active')", (f"e{number}",)
        )
    database.close()


def test_racing_processes_share_one_sound_database(tmp_path):
    make_template()
    path = tmp_path / "mlflow.db"
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(4)
    racers = [fork.Process(target=_race, args=(path, barrier, number)) for number in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [racer.exitcode for racer in racers] == [0] * 4
    tables(path)
    database = sqlite3.connect(path)
    names = [row[0] for row in database.execute("SELECT name FROM experiments ORDER BY name")]
    database.close()
    assert names == ["Default", "e0", "e1", "e2", "e3"]


def test_killed_anywhere_there_is_no_database_or_a_whole_one(tmp_path):
    whole = tables(make_template())
    for act in range(1, 100):
        path = tmp_path / str(act) / "mlflow.db"
        killed = killed_at(act, lambda path=path: provide_database(path, path.parent))
        if path.exists():
            assert tables(path) == whole
        provide_database(path, path.parent)
        assert tables(path) == whole
        left = {p.name for p in path.parent.iterdir()}
        assert left <= {"mlflow.db", ".mlflow.db.new"}
        if not killed:
            break
    assert act > 5


def test_a_read_only_environment_keeps_its_template_elsewhere(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(template.sys, "prefix", "/proc/nowhere")
    monkeypatch.setattr(template, "_migrate", lambda path: (made.append(path), path.touch()))
    assert make_template(tmp_path) == template_path(tmp_path)
    assert make_template(tmp_path) == template_path(tmp_path)
    assert len(made) == 1
