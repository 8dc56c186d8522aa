"""Backups of a small ledger and store: what they hold, and what may go on meanwhile."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.base import canonical_json
from everfit.contracts.errors import IntegrityError, Unavailable, UserError
from everfit.contracts.messages.evaluations import Cost
from everfit.contracts.messages.planning import Trigger
from everfit.contracts.settings import Settings
from everfit.engine.progress import LogProgress
from everfit.operations.backup import back_up as module
from everfit.operations.backup.back_up import back_up
from everfit.operations.backup.manifest import Backup, names, open_place
from everfit.operations.backup.restore import restore
from everfit.storage.ledger import open_ledger, schema
from everfit.storage.ledger.copying import dump_ledger, load_ledger
from everfit.storage.ledger.records import EvaluationRecord, PromotionRecord
from everfit.storage.store import Entry, open_store
from everfit.storage.store.local import LocalStore
from tests.contract.killing import count_acts, killed_at
from tests.json_shapes import mismatch
from tests.services import new_database

QUIET = LogProgress()


def settings_at(root: Path, ledger: str | None = None) -> Settings:
    more = {"EVERFIT_LEDGER": ledger} if ledger else {}
    root.mkdir(exist_ok=True)
    return Settings.from_environment({"EVERFIT_ROOT": str(root), **more})


def fill(settings: Settings, some: int = 5) -> None:
    """A few results with what they name, and records of them."""
    store = open_store(settings.store)
    with open_ledger(settings.ledger) as ledger:
        for number in range(some):
            made = store.put("table.parquet", f"table {number}".encode())
            document = canonical_json({"table": made.model_dump()})
            store.create(f"results/prepare/{number:064x}.json", document)
            stored = store.put("prepare.json", document)
            ledger.record_cost(
                Cost(
                    result=stored.digest,
                    component="prepare",
                    seconds=0.1 * number,
                    cpu_seconds=1 / 3,
                    peak_mb=1.5,
                )
            )
            ledger.record_evaluation(
                "quick",
                EvaluationRecord(
                    trigger=Trigger(reason="Ünï — 'quoted' \\ \n line"),
                    decision="skip",
                    because="nothing new",
                    run_key=None,
                    stage="wake",
                ),
            )
        ledger.promote(
            "quick",
            PromotionRecord(
                sequence=1, version=1, run_key="a" * 64, kind="promote", reason="better"
            ),
        )


def contents(settings: Settings) -> tuple[dict[str, bytes | None], list[bytes]]:
    """Every key's bytes and every record."""
    store = open_store(settings.store)
    lines: list[bytes] = []
    dump_ledger(settings.ledger, lines.append)
    return {key: store.read(key) for key in store.keys("")}, lines


def scratch_in(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def make(settings: Settings, place: str | Path, tmp_path: Path) -> tuple[str, Backup]:
    return back_up(settings, str(place), scratch_in(tmp_path), QUIET)


def put_back(
    settings: Settings, place: str | Path, tmp_path: Path, name: str | None = None
) -> tuple[str, Backup]:
    return restore(settings, str(place), scratch_in(tmp_path), QUIET, name)


@pytest.mark.parametrize(
    ("source", "target"),
    [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "postgresql")],
)
def test_what_is_restored_is_what_was_backed_up(source, target, tmp_path, request) -> None:
    def ledger(kind: str) -> str | None:
        server = request.getfixturevalue("postgresql_url") if kind == "postgresql" else None
        return new_database(server) if server else None

    here = settings_at(tmp_path / "here", ledger(source))
    there = settings_at(tmp_path / "there", ledger(target))
    fill(here)
    name, backup = make(here, tmp_path / "backups", tmp_path)
    assert put_back(there, tmp_path / "backups", tmp_path) == (name, backup)
    before, after = contents(here), contents(there)
    assert before == after
    assert len(before[0]) == backup.keys == 15
    assert backup.rows["everfit_costs"] == 5
    # It goes on where it was: new records follow the old ones.
    with open_ledger(there.ledger) as again:
        reasons = [one.trigger.reason for one in again.evaluations("quick")]
        again.promote(
            "quick",
            PromotionRecord(
                sequence=2, version=2, run_key="b" * 64, kind="promote", reason="better still"
            ),
        )
        assert [one.version for one in again.history("quick")] == [1, 2]
    assert reasons == ["Ünï — 'quoted' \\ \n line"] * 5


def test_the_second_backup_copies_only_what_is_new_and_both_can_be_had(tmp_path) -> None:
    here = settings_at(tmp_path / "here")
    fill(here, 3)
    first, _ = make(here, tmp_path / "backups", tmp_path)
    old = contents(here)
    blobs = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("backups/blobs/*/*")}
    fill(here, 4)  # three of them are known
    make(here, tmp_path / "backups", tmp_path)
    later = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("backups/blobs/*/*")}
    assert blobs.items() <= later.items()
    assert len(later) - len(blobs) == 4  # a table, a result; ledger and index
    then = settings_at(tmp_path / "then")
    put_back(then, tmp_path / "backups", tmp_path, first)
    assert contents(then) == old
    now = settings_at(tmp_path / "now")
    put_back(now, tmp_path / "backups", tmp_path)
    assert contents(now) == contents(here)


def test_a_backup_that_was_killed_is_none_and_the_next_one_is_whole(tmp_path) -> None:
    here = settings_at(tmp_path / "here")
    fill(here, 2)
    place = tmp_path / "backups"

    def work() -> None:
        make(here, place, tmp_path)

    acts = count_acts(work, tmp_path / "acts")
    shutil.rmtree(place)
    for act in range(1, acts + 1):
        if not killed_at(act, work):
            break
        known = names(open_place(str(place))) if place.exists() else []
        for name in known:  # killed after its manifest: it is whole
            there = settings_at(tmp_path / f"there-{act}")
            put_back(there, place, tmp_path, name)
            assert contents(there) == contents(here)
        assert not known or act > acts // 2
    make(here, place, tmp_path)
    last = settings_at(tmp_path / "last")
    put_back(last, place, tmp_path)
    assert contents(last) == contents(here)


def test_a_restore_that_was_killed_is_done_by_running_it_again(tmp_path) -> None:
    here = settings_at(tmp_path / "here")
    fill(here, 2)
    make(here, tmp_path / "backups", tmp_path)

    def work(root: Path) -> None:
        put_back(settings_at(root), tmp_path / "backups", tmp_path)

    acts = count_acts(lambda: work(tmp_path / "counted"), tmp_path / "acts")
    for act in range(1, acts + 1, 2):
        root = tmp_path / f"there-{act}"
        root.mkdir()
        killed_at(act, lambda root=root: work(root))
        there = settings_at(root)
        try:
            put_back(there, tmp_path / "backups", tmp_path)
        except UserError as error:
            assert "the ledger: " in error.line  # it was done when it was killed
        assert contents(there) == contents(here)


class Racing(LocalStore):
    """A store in which something happens right after its keys were listed for the first time."""

    happened = 0
    most = 1

    def entries(self, prefix: str) -> Iterator[Entry]:
        yield from super().entries(prefix)
        if prefix == "" and Racing.happened < Racing.most:
            Racing.happened += 1
            self.happen()

    def happen(self) -> None:
        raise NotImplementedError


def test_a_result_published_while_keys_are_listed_is_there_with_its_blobs_or_not(
    tmp_path, monkeypatch
) -> None:
    here = settings_at(tmp_path / "here")
    fill(here, 1)

    class Written(Racing):
        def happen(self) -> None:
            made = self.put("late.parquet", b"late")
            self.create(f"results/prepare/{'f' * 64}.json", canonical_json(made.model_dump()))

    monkeypatch.setattr(Racing, "happened", 0)
    monkeypatch.setattr(module, "open_store", lambda _: Written(Path(here.home / "store")))
    _, backup = make(here, tmp_path / "backups", tmp_path)
    assert Racing.happened == 1
    there = settings_at(tmp_path / "there")
    put_back(there, tmp_path / "backups", tmp_path)
    keys = contents(there)[0]
    assert backup.keys == 4  # three, and the late blob, which nothing names
    assert f"results/prepare/{'f' * 64}.json" not in keys


@pytest.mark.parametrize("times", [1, 3])
def test_a_removal_meanwhile_has_the_store_listed_anew(times, tmp_path, monkeypatch) -> None:
    here = settings_at(tmp_path / "here")
    fill(here, 5)

    class Pruned(Racing):
        def happen(self) -> None:
            self.remove(next(iter(self.keys("results/"))))

    monkeypatch.setattr(Racing, "happened", 0)
    monkeypatch.setattr(Racing, "most", times)
    monkeypatch.setattr(module, "open_store", lambda _: Pruned(Path(here.home / "store")))
    if times == 3:
        with pytest.raises(Unavailable, match="BACKUP-MOVING"):
            make(here, tmp_path / "backups", tmp_path)
        assert names(open_place(str(tmp_path / "backups"))) == []
        return
    _, backup = make(here, tmp_path / "backups", tmp_path)
    assert backup.keys == 14
    there = settings_at(tmp_path / "there")
    put_back(there, tmp_path / "backups", tmp_path)
    assert contents(there) == contents(here)


def test_restore_refuses_a_place_that_holds_anything(tmp_path) -> None:
    here, there = settings_at(tmp_path / "here"), settings_at(tmp_path / "there")
    fill(here, 2)
    make(here, tmp_path / "backups", tmp_path)
    with pytest.raises(UserError, match=r"RESTORE-NOT-EMPTY the ledger: .* it has records"):
        put_back(here, tmp_path / "backups", tmp_path)
    open_store(there.store).put("other", b"other")
    with pytest.raises(UserError, match=r"RESTORE-NOT-EMPTY file://.* 1 keys of it"):
        put_back(there, tmp_path / "backups", tmp_path)
    assert len(list(open_store(there.store).keys(""))) == 1


def test_altered_bytes_are_neither_backed_up_nor_restored(tmp_path) -> None:
    here, there = settings_at(tmp_path / "here"), settings_at(tmp_path / "there")
    fill(here, 2)
    make(here, tmp_path / "backups", tmp_path)
    blob = max(tmp_path.glob("backups/blobs/*/*"), key=lambda path: path.stat().st_size)
    blob.chmod(0o600)
    kept = blob.read_bytes()
    blob.write_bytes(b"x" + kept[1:])
    with pytest.raises(IntegrityError, match="STORE-ALTERED"):
        put_back(there, tmp_path / "backups", tmp_path)
    with open_ledger(there.ledger) as ledger:
        assert ledger.pipelines() == ()
    blobs = (here.home / "store").glob("blobs/*/*")
    table = next(path for path in blobs if path.read_bytes() == b"table 1")
    table.chmod(0o600)
    table.write_bytes(b"rotten")
    with pytest.raises(IntegrityError, match="STORE-ALTERED"):
        make(here, tmp_path / "elsewhere", tmp_path)
    assert names(open_place(str(tmp_path / "elsewhere"))) == []


def test_an_older_ledger_is_migrated_and_a_newer_one_refused(tmp_path, monkeypatch) -> None:
    old = (
        b'{"schema":"0001"}\n'
        b'{"row":{"at":"2026-01-01T00:00:00.000Z","pipeline":"quick","run_key":"'
        + b"c" * 64
        + b'"},"table":"everfit_registrations"}\n'
    )
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with pytest.raises(UserError, match=r"LEDGER-OLDER the backup for ledger .*it is 0001"):
        load_ledger(url, old.splitlines())
    monkeypatch.setattr(schema, "FIRST", "0001")
    assert load_ledger(url, old.splitlines())["everfit_registrations"] == 1
    with open_ledger(url) as ledger:
        assert ledger.unfinished_registrations("quick") == ["c" * 64]
    with pytest.raises(UserError, match="LEDGER-NEWER"):
        load_ledger(f"sqlite:///{tmp_path / 'other.db'}", [b'{"schema":"9999"}'])


def test_places_that_cannot_be_are_told_in_a_line(tmp_path, monkeypatch, capsys) -> None:
    here = settings_at(tmp_path / "here")
    monkeypatch.setenv("EVERFIT_ROOT", str(here.root))
    place = str(tmp_path / "backups")
    for arguments, code in (
        (["backup", "--to", place], "BACKUP-LEDGER"),
        (["backup", "--to", "memory://x"], "BACKUP-PLACE"),
        (["backup", "--to", str(here.home)], "BACKUP-PLACE"),
        (["backup", "--to", str(here.home / "store" / "backups")], "BACKUP-PLACE"),
        (["restore", "--from", place], "RESTORE-NONE"),
    ):
        assert main(arguments) == 2
        shown = capsys.readouterr().err
        assert shown.startswith(code)
        assert shown.count("\n") == 1


def test_the_command_line_backs_up_lists_and_restores(tmp_path, monkeypatch, capsys) -> None:
    here, there = settings_at(tmp_path / "here"), settings_at(tmp_path / "there")
    fill(here, 2)
    place = str(tmp_path / "backups")
    monkeypatch.setenv("EVERFIT_ROOT", str(here.root))
    assert main(["backup", "--to", place]) == 0
    assert "5 records, 6 keys of the store" in capsys.readouterr().out
    assert main(["backup", "--to", place, "--list"]) == 0
    (listed,) = capsys.readouterr().out.splitlines()
    name = listed.split()[0]
    monkeypatch.setenv("EVERFIT_ROOT", str(there.root))
    assert main(["restore", "--from", place, "--backup", "20000101T000000Z-00000000"]) == 2
    assert name in capsys.readouterr().err
    assert main(["restore", "--from", place, "--backup", name]) == 0
    shown = capsys.readouterr().out
    assert f"✓ {name}" in shown
    assert "next: everfit reconcile quick --rebuild" in shown
    assert contents(there) == contents(here)
    monkeypatch.setenv("EVERFIT_ROOT", str(settings_at(tmp_path / "elsewhere").root))
    assert main(["restore", "--from", place, "--json"]) == 0
    restored = json.loads(capsys.readouterr().out)
    assert mismatch(restored, load("restore").answer()) is None
    assert (restored["backup"]["name"], restored["backup"]["records"]) == (name, 5)
    assert restored["pipelines"] == ["quick"]


def test_no_record_is_lost_between_the_lines_of_the_dump(tmp_path) -> None:
    here = settings_at(tmp_path / "here")
    fill(here, 3)
    _, backup = make(here, tmp_path / "backups", tmp_path)
    lines = gzip.decompress(open_place(str(tmp_path / "backups")).get(backup.ledger.digest))
    assert lines.count(b"\n") == 1 + sum(backup.rows.values())
