"""MLflow lost and made again from ledger and store: the same numbers, files, tags and alias."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from everfit.champion.answer import answer
from everfit.champion.repair.reconcile import reconcile
from everfit.champion.version.dossier import dossier_digest
from everfit.contracts.errors import IntegrityError, Unavailable
from everfit.contracts.settings import Settings
from everfit.engine.context import Context, open_context
from everfit.steps.register.step import Register
from everfit.storage.ledger.records import RemovalRecord
from everfit.storage.mlflow import champion_alias, open_registry
from everfit.storage.mlflow.client import ClientRegistry
from everfit.storage.store import blob_key
from tests.unit.register.small_run import SPEC, small_run
from tests.unit.registry.served import mlflow_server

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")


def lived(context: Context) -> None:
    """Two champions, one superseded, one that waited and was refused, one held."""
    first = small_run(context)
    Register().run(first, context)
    pinned = context.ledger.version(first.run_key).champion.model_copy(update={"sequence": 1})
    Register().run(small_run(context, "second", champion=pinned), context)
    Register().run(small_run(context, "late", champion=pinned), context)
    gate = SPEC.gate.model_copy(update={"approval": "required"})
    now = pinned.model_copy(update={"sequence": 2})
    asking = small_run(context, "asking", champion=now)
    asking = asking.model_copy(update={"spec": SPEC.model_copy(update={"gate": gate})})
    Register().run(asking, context)
    answer("refuse", asking.spec, 4, "no", "ada", context)
    Register().run(small_run(context, "held", verdict="hold", champion=now), context)


def files_of(context: Context) -> dict[str, bytes]:
    """Run key's artifacts as they are on disk: path below the run → bytes."""
    found = {}
    for folder in (context.settings.home / "mlartifacts").glob("*/*/artifacts"):
        for path in folder.rglob("*"):
            if path.is_file():
                found[f"{folder.parent.name}/{path.relative_to(folder)}"] = path.read_bytes()
    return found


def shown(context: Context) -> dict[str, object]:
    """All that MLflow's tables say, without times and random ids."""
    asked = {
        "runs": "SELECT run_uuid, name, status, lifecycle_stage, start_time FROM runs",
        "tags": "SELECT run_uuid, key, value FROM tags",
        "params": "SELECT run_uuid, key, value FROM params",
        "metrics": "SELECT run_uuid, key, value, timestamp FROM metrics",
        "inputs": "SELECT i.destination_id, d.name, d.digest, t.value FROM inputs i "
        "JOIN datasets d ON d.dataset_uuid = i.source_id "
        "JOIN input_tags t ON t.input_uuid = i.input_uuid",
        "versions": "SELECT version, run_id, current_stage, description, source, status "
        "FROM model_versions",
        "version tags": "SELECT version, key, value FROM model_version_tags",
        "aliases": "SELECT alias, version FROM registered_model_aliases",
    }
    database = sqlite3.connect(context.settings.home / "mlflow.db")
    try:
        return {name: sorted(database.execute(sql)) for name, sql in asked.items()}
    finally:
        database.close()


def forget_mlflow(context: Context) -> None:
    for path in context.settings.home.glob("mlflow.db*"):
        path.unlink()
    artifacts = context.settings.home / "mlartifacts"
    for path in sorted(artifacts.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture
def before(context) -> tuple[dict[str, object], dict[str, bytes]]:
    lived(context)
    return shown(context), files_of(context)


def test_an_emptied_mlflow_is_made_again_byte_for_byte(context, before):
    forget_mlflow(context)
    done = reconcile("fares", context, rebuild_missing=True)
    assert done.reports == ()
    assert (shown(context), files_of(context)) == before
    again = reconcile("fares", context, rebuild_missing=True)
    assert (again.repaired, again.reports) == ((), ())
    assert shown(context) == before[0]


def test_a_dry_run_tells_and_makes_nothing(context, before):
    forget_mlflow(context)
    told = reconcile("fares", context, rebuild_missing=True, dry_run=True)
    assert told.reports == ()
    kinds = [sentence.split(" ")[0] for sentence in told.repaired]
    assert kinds == ["run"] * 5 + ["v1", "v2", "v3", "v4", "@champion"]
    assert shown(context)["runs"] == [] and files_of(context) == {}
    made = reconcile("fares", context, rebuild_missing=True)
    assert made.repaired == told.repaired


def test_without_rebuild_it_only_says_how(context, before):
    forget_mlflow(context)
    told = reconcile("fares", context)
    assert told.repaired == ()
    (gone,) = told.reports
    assert gone.code == "RECONCILE-GONE" and "everfit reconcile fares --rebuild" in gone.line


def test_a_new_run_finds_an_emptied_mlflow_before_it_takes_a_number(context, before):
    forget_mlflow(context)
    head = context.ledger.champion("fares")
    pinned = context.ledger.version(head.run_key).champion.model_copy(update={"sequence": 2})
    newer = small_run(context, "newer", champion=pinned)
    with pytest.raises(IntegrityError, match=r"REGISTRY-RESET .*reconcile fares --rebuild"):
        Register().run(newer, context)
    assert reconcile("fares", context, rebuild_missing=True).reports == ()
    assert shown(context)["versions"][:4] == before[0]["versions"]
    assert Register().run(newer, context).champion == 5


def test_a_version_deleted_by_hand_comes_back_as_itself(context, before):
    client = ClientRegistry(context.settings.mlflow, context.settings.home / "x")._client
    client.delete_model_version("fares", "2")
    client.delete_model_version("fares", "4")
    assert champion_alias(context.settings, "fares") is None
    done = reconcile("fares", context, rebuild_missing=True)
    assert (done.reports, champion_alias(context.settings, "fares")) == ((), 2)
    assert shown(context) == before[0]
    assert client.get_model_version("fares", "2").current_stage == "None"


def test_what_retention_removed_is_not_missed_and_what_was_lost_is(context, before):
    held = small_run(context, "held", verdict="hold", record=False)
    card = held.evaluated.card_values.digest  # of all runs of these tests
    forget_mlflow(context)
    path = Path(context.store.root) / blob_key(card)
    path.unlink()
    done = reconcile("fares", context, rebuild_missing=True)
    lost = [report for report in done.reports if report.code == "RECONCILE-REBUILD"]
    assert len(lost) == 5 and f"the store lost {card[:12]}" in lost[0].line
    context.ledger.record_removal(
        "fares", RemovalRecord(digest=card, what="model card", reason="old")
    )
    done = reconcile("fares", context, rebuild_missing=True)
    assert [report.code for report in done.reports] == ["RECONCILE-GONE"]
    dossier = dossier_digest(held.run_key, context.ledger)
    (Path(context.store.root) / blob_key(dossier)).unlink()
    done = reconcile("fares", context, rebuild_missing=True)
    assert [report.code for report in done.reports] == ["STORE-MISSING", "RECONCILE-GONE"]
    context.ledger.record_removal(
        "fares", RemovalRecord(digest=dossier, what="dossier", reason="old")
    )
    done = reconcile("fares", context, rebuild_missing=True)
    assert [report.code for report in done.reports] == ["RECONCILE-GONE"]


def test_a_run_that_was_pruned_is_not_missed_and_one_without_a_dossier_is(context, before):
    held = small_run(context, "held", verdict="hold", record=False)
    forget_mlflow(context)
    known = context.ledger.result
    context.ledger.result = (  # as of one that kept none
        lambda made, key: None if (made, key) == ("dossier", held.run_key) else known(made, key)
    )
    done = reconcile("fares", context, rebuild_missing=True)
    (without,) = done.reports
    assert without.code == "RECONCILE-REBUILD"
    assert f"kept no dossier of {held.run_key[:12]}" in without.line
    decision = context.ledger.verdict(held.run_key).decision
    context.ledger.record_removal("", RemovalRecord(digest=decision, what="document", reason="old"))
    assert reconcile("fares", context, rebuild_missing=True).reports == ()
    assert len(shown(context)["runs"]) == 4


def test_a_forged_record_is_never_rebuilt(context, before):
    forget_mlflow(context)
    database = sqlite3.connect(context.settings.home / "ledger.db")
    with database:
        guards = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in database.execute(guards).fetchall():
            database.execute(f"DROP TRIGGER {name}")  # whoever can write can also do this
        database.execute("UPDATE everfit_versions SET mlflow_run = 'mine' WHERE version = 1")
    database.close()
    done = reconcile("fares", context, rebuild_missing=True)
    assert [report.code for report in done.reports] == ["LEDGER-SIGNATURE", "RECONCILE-GONE"]
    assert "v1 not there" in done.reports[1].line
    assert [row[0] for row in shown(context)["versions"]] == [2, 3, 4]


def test_a_rebuild_cut_off_anywhere_is_finished_by_the_next(context, before, monkeypatch):
    from everfit.storage.mlflow.sqlite import SqliteRegistry

    def cut(name: str, at: int) -> Callable[..., object]:
        real, seen = getattr(SqliteRegistry, name), []

        def method(self, *arguments, **more):
            seen.append(None)
            if len(seen) == at:
                raise Unavailable("REGISTRY", "mlflow", "must answer")
            return real(self, *arguments, **more)

        return method

    for name, at in (
        ("ensure_run", 1),
        ("ensure_run", 3),
        ("restore_version", 2),
        ("set_alias", 1),
    ):
        forget_mlflow(context)
        with monkeypatch.context() as patch:
            patch.setattr(SqliteRegistry, name, cut(name, at))
            with pytest.raises(Unavailable):
                reconcile("fares", context, rebuild_missing=True)
        assert reconcile("fares", context, rebuild_missing=True).reports == ()
        assert (shown(context), files_of(context)) == before


def test_a_number_that_a_stranger_has_is_left_to_a_person(context, before):
    forget_mlflow(context)
    with open_registry(context.settings, "fares") as registry:
        registry.versions("fares")
    client = ClientRegistry(context.settings.mlflow, context.settings.home / "x")._client
    run = client.create_run(client.create_experiment("other")).info
    client.create_registered_model("fares")
    client.create_model_version("fares", f"{run.artifact_uri}/model", run.run_id)
    done = reconcile("fares", context, rebuild_missing=True)
    codes = [report.code for report in done.reports]
    assert codes == ["RECONCILE-NUMBER", "RECONCILE-GONE", "RECONCILE-STRANGER"]
    assert [row[0] for row in shown(context)["versions"]] == [1, 2, 3, 4]
    client.delete_registered_model("fares")  # the way out that the line names
    assert reconcile("fares", context, rebuild_missing=True).reports == ()
    assert shown(context)["version tags"] == before[0]["version tags"]
    assert shown(context)["aliases"] == before[0]["aliases"]


# A real server.


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def served(server, tmp_path) -> Iterator[Context]:
    """A context on the server, whose models of earlier tests are gone."""
    (tmp_path / "dags" / "pipelines").mkdir(parents=True)
    root = {"EVERFIT_ROOT": str(tmp_path), "EVERFIT_MLFLOW": server}
    with open_context(Settings.from_environment(root)) as context:
        yield context
        forget_served(context)


def client_of(context: Context):
    return ClientRegistry(context.settings.mlflow, context.settings.home / "x")._client


def forget_served(context: Context) -> None:
    """Delete all of the pipeline's, as a person can who empties a server."""
    client = client_of(context)
    experiment = client.get_experiment_by_name("fares").experiment_id
    for run in client.search_runs([experiment]):
        client.delete_run(run.info.run_id)
    client.delete_registered_model("fares")


def served_state(context: Context) -> dict[str, object]:
    """What people see, by run key: runs have new ids."""
    client = client_of(context)
    experiment = client.get_experiment_by_name("fares").experiment_id
    runs = {}
    for run in client.search_runs([experiment]):
        folder = client.download_artifacts(run.info.run_id, "")
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes().replace(
                run.info.run_id.encode(), b"RUN"
            )
            for path in Path(folder).rglob("*")
            if path.is_file()
        }
        tags = {k: v for k, v in run.data.tags.items() if k.startswith("everfit.")}
        runs[tags["everfit.run_key"]] = (tags, run.data.params, run.data.metrics, files)
    versions = {
        int(v.version): (v.tags, v.description)
        for v in client.search_model_versions("name='fares'")
    }
    return {
        "runs": runs,
        "versions": versions,
        "aliases": client.get_registered_model("fares").aliases,
    }


@pytest.mark.thorough
def test_an_emptied_server_is_filled_again_under_the_old_numbers(served):
    lived(served)
    # A number nobody shall have: the rebuild has to pass over it.
    client = client_of(served)
    late = small_run(served, "fifth", verdict="hold")
    run = Register().run(late, served).mlflow_run
    with open_registry(served.settings, "fares") as registry:
        stranger = registry.ensure_version("fares", "0" * 64, run, {}, "by hand")
    client.delete_model_version("fares", str(stranger))
    head = served.ledger.champion("fares")
    pinned = served.ledger.version(head.run_key).champion.model_copy(update={"sequence": 2})
    assert Register().run(small_run(served, "sixth", champion=pinned), served).version == 6
    before = served_state(served)
    assert sorted(before["versions"]) == [1, 2, 3, 4, 6]
    forget_served(served)
    done = reconcile("fares", served, rebuild_missing=True)
    assert done.reports == ()
    assert served_state(served) == before
    again = reconcile("fares", served, rebuild_missing=True)
    assert (again.repaired, again.reports) == ((), ())


@pytest.mark.thorough
def test_a_server_gives_no_number_twice_and_the_way_out_works(served):
    lived(served)
    before = served_state(served)
    client_of(served).delete_model_version("fares", "2")
    done = reconcile("fares", served, rebuild_missing=True)
    assert [report.code for report in done.reports] == ["RECONCILE-NUMBER", "RECONCILE-GONE"]
    assert "Delete the registered model fares in MLflow" in done.reports[0].line
    assert sorted(served_state(served)["versions"]) == [1, 3, 4]
    client_of(served).delete_registered_model("fares")  # the way out that the line names
    assert reconcile("fares", served, rebuild_missing=True).reports == ()
    assert served_state(served) == before


@pytest.mark.thorough
def test_what_a_killed_rebuild_left_on_a_server_is_taken_over_or_deleted(served, monkeypatch):
    lived(served)
    before = served_state(served)
    real = ClientRegistry.tag_version
    for version in (1, 3):
        forget_served(served)

        def die(self, pipeline, number, tags, version=version):
            if number == version:
                raise Unavailable("REGISTRY", "mlflow", "must answer")
            real(self, pipeline, number, tags)

        with monkeypatch.context() as patch:
            patch.setattr(ClientRegistry, "tag_version", die)
            with pytest.raises(Unavailable):
                reconcile("fares", served, rebuild_missing=True)
        assert reconcile("fares", served, rebuild_missing=True).reports == ()
        assert served_state(served) == before
