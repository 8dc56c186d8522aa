"""Every part that a run needs, broken: one line says so, and what to do."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from everfit.cli import main
from everfit.contracts.settings import Settings
from everfit.engine.context import open_context
from everfit.operations.doctor.environments import Environments
from everfit.operations.doctor.finding import Finding, looked
from everfit.operations.doctor.pipelines import credentials, specs
from everfit.operations.doctor.places import Places
from tests.unit.registry.served import mlflow_server
from tests.world import World, new_checkout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which a pipeline was trained and registered once."""
    root = tmp_path_factory.mktemp("trained")
    with open_context(new_checkout(root)) as context:
        world = World(context)
        world.months(2)
        world.run()
    return root


@dataclass
class Checkout:
    """A checkout of one's own to break."""

    settings: Settings

    def places(self) -> dict[str, Finding]:
        """What the checks of the places find, in their order."""
        places = Places(self.settings)
        looks = {
            "ledger": places.ledger,
            "store": places.store,
            "MLflow": places.mlflow,
            "deployment": places.deployment,
            "disk": places.disk,
            "clock": places.clock,
        }
        return {check: looked(check, look) for check, look in looks.items()}

    def but(self, **places: str) -> Checkout:
        """The same with another ledger, store or MLflow."""
        return Checkout(self.settings.model_copy(update=places))


@pytest.fixture
def checkout(trained: Path, tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    shutil.copytree(trained, root)
    return Checkout(Settings.from_environment({"EVERFIT_ROOT": str(root)}))


@pytest.fixture
def shown(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    """The checkout as the command line sees it."""
    for name in list(os.environ):
        if name.startswith(("EVERFIT_", "MLFLOW_", "AWS_", "AIRFLOW")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("EVERFIT_ROOT", str(checkout.settings.root))
    yield checkout
    logging.getLogger("everfit").setLevel(logging.NOTSET)


def test_a_checkout_that_works(checkout: Checkout) -> None:
    found = checkout.places()
    assert {one.state for one in found.values()} == {"ok"}, found
    assert "ledger, store and MLflow, 1 pipeline" in found["deployment"].found


def test_the_look_leaves_everything_as_it_was(checkout: Checkout) -> None:
    def files() -> dict[str, bytes]:
        home = checkout.settings.home
        return {
            str(path.relative_to(home)): path.read_bytes()
            for path in sorted(home.rglob("*"))
            if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock"))
        }

    before = files()
    checkout.places()
    assert files() == before


def test_a_checkout_where_nothing_ran_yet_is_left_empty(tmp_path: Path) -> None:
    fresh = Checkout(new_checkout(tmp_path))
    assert {one.state for one in fresh.places().values()} == {"ok"}
    assert not fresh.settings.home.exists()


@pytest.mark.parametrize("left", [0.6, 0.05])
def test_a_ledger_that_was_cut_off(checkout: Checkout, left: float) -> None:
    file = checkout.settings.home / "ledger.db"
    os.truncate(file, int(file.stat().st_size * left))
    found = checkout.places()
    assert found["ledger"].state == "fails"
    assert found["ledger"].found.startswith("LEDGER-DAMAGED")
    assert "backup" in (found["ledger"].todo or "")
    assert found["deployment"].state == "warning"
    assert found["store"].state == "ok"


def test_a_ledger_that_is_no_database(checkout: Checkout) -> None:
    (checkout.settings.home / "ledger.db").write_bytes(b"no database" * 1000)
    assert checkout.places()["ledger"].found.startswith("LEDGER-DAMAGED")


@pytest.mark.parametrize("emptied", [True, False])
def test_a_ledger_that_was_emptied_or_lost_is_missed_by_the_store(
    checkout: Checkout, emptied: bool
) -> None:
    file = checkout.settings.home / "ledger.db"
    file.unlink()
    if emptied:
        file.touch()
    found = checkout.places()
    assert found["ledger"].state == "ok"
    assert found["deployment"].state == "fails"
    assert found["deployment"].found.startswith(f"DEPLOYMENT ledger {file}:")
    assert file.exists() == emptied


def test_a_store_that_was_lost_is_missed_by_the_ledger(checkout: Checkout) -> None:
    shutil.rmtree(checkout.settings.home / "store")
    found = checkout.places()
    assert found["deployment"].found.startswith("DEPLOYMENT")
    assert not (checkout.settings.home / "store").exists()


def test_a_registry_that_was_lost_is_missed_by_the_ledger(checkout: Checkout) -> None:
    (checkout.settings.home / "mlflow.db").unlink()
    found = checkout.places()
    assert found["deployment"].state == "fails"
    assert "everfit reconcile" in (found["deployment"].todo or "")


def test_a_store_that_is_a_file(checkout: Checkout) -> None:
    folder = checkout.settings.home / "store"
    shutil.rmtree(folder)
    folder.write_text("a file")
    found = checkout.places()["store"]
    assert (found.state, found.exit_code) == ("fails", 2)
    assert found.found.startswith("STORE-ACCESS")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_only_be_read(checkout: Checkout) -> None:
    folder = checkout.settings.home / "store"
    folder.chmod(0o555)
    (folder / ".staging").chmod(0o555)
    try:
        assert checkout.places()["store"].found.startswith("STORE-ACCESS")
    finally:
        (folder / ".staging").chmod(0o755)
        folder.chmod(0o755)


def test_a_bucket_that_works_and_one_that_is_not_there(checkout: Checkout, bucket: str) -> None:
    found = checkout.but(store=f"s3://{bucket}/models").places()
    assert found["store"].state == "ok"
    assert found["clock"].state == "ok"
    assert found["deployment"].state == "fails"  # an empty store beside a ledger with records
    gone = checkout.but(store=f"s3://{bucket}-gone").places()["store"]
    assert gone.found.startswith("STORE-BUCKET")


def test_a_database_server_that_works_with_its_clock(
    checkout: Checkout, postgresql_database: str
) -> None:
    found = checkout.but(ledger=postgresql_database).places()
    assert found["ledger"].state == "ok"
    assert "ledger" in found["clock"].found


def a_closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_services_that_do_not_answer_end_with_75(checkout: Checkout) -> None:
    port = a_closed_port()
    found = checkout.but(
        ledger=f"postgresql+psycopg://everfit:s3cret@127.0.0.1:{port}/ledger",
        mlflow=f"http://127.0.0.1:{port}",
    ).places()
    for check in ("ledger", "MLflow"):
        assert (found[check].state, found[check].exit_code) == ("fails", 75), found[check]
    assert "s3cret" not in str(found)


def test_addresses_that_are_none(checkout: Checkout) -> None:
    found = checkout.but(ledger="mysql://x/y", store="ftp://x", mlflow="gopher://x").places()
    assert {found[check].exit_code for check in ("ledger", "store", "MLflow")} == {2}


@pytest.mark.thorough
def test_a_server_of_mlflow_that_works_and_is_another_deployments(
    checkout: Checkout, tmp_path: Path
) -> None:
    with mlflow_server(tmp_path / "server") as address:
        found = checkout.but(mlflow=str(address)).places()
    assert found["MLflow"].state == "ok"
    assert found["MLflow"].found == f"{address}: answers, MLflow {version('mlflow')}"
    assert found["deployment"].found.startswith(f"DEPLOYMENT {address}")


def test_an_mlflow_database_that_is_damaged_or_empty(checkout: Checkout) -> None:
    file = checkout.settings.home / "mlflow.db"
    file.write_bytes(b"no database" * 1000)
    assert checkout.places()["MLflow"].found.startswith("REGISTRY-DAMAGED")
    file.write_bytes(b"")
    found = checkout.places()
    assert (found["MLflow"].state, found["deployment"].state) == ("warning", "warning")
    assert file.read_bytes() == b""


def test_specs_are_counted_and_those_that_are_broken_are_named(checkout: Checkout) -> None:
    folder = checkout.settings.pipelines
    assert specs(checkout.settings).found == "1 spec, all sound: quick"
    (folder / "broken.yaml").write_text("task: regresion\n")
    found = specs(checkout.settings)
    assert (found.state, found.todo) == ("fails", "Run everfit check broken")
    assert "1 of 2 specs broken: broken.yaml:1: task" in found.found


def test_credentials_are_named_and_never_shown(checkout: Checkout) -> None:
    (checkout.settings.pipelines / "sold.yaml").write_text(
        "task: regression\ntarget: x\ngate: {superior_by: 1%, baseline: median}\n"
        "source: {connection: shop, query: select 1, watermark: at}\n"
    )
    away = checkout.but(store="s3://models", mlflow="https://mlflow.example.org").settings
    given = {"AWS_ACCESS_KEY_ID": "AKIA", "EVERFIT_CONN_SHOP": "postgresql://u:s3cret@h/d"}
    found = credentials(away, given)
    assert found.state == "warning"
    assert "s3cret" not in found.found
    assert "AKIA" not in found.found
    here, missing = found.found.split("; not set: ")
    assert here.startswith("set: ")
    assert {"AWS_ACCESS_KEY_ID", "EVERFIT_CONN_SHOP"} <= set(here[5:].split(", "))
    assert missing.split(", ") == [
        "AWS_SECRET_ACCESS_KEY",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
    ]
    everything = {**given, "AWS_PROFILE": "team", "MLFLOW_TRACKING_TOKEN": "t0ken"}
    assert credentials(away, everything).state == "ok"
    local = credentials(checkout.settings, {})
    assert local.found == "not set: EVERFIT_CONN_SHOP"


def test_an_airflow_that_is_absent_broken_or_silent(checkout: Checkout) -> None:
    def airflow() -> Finding:
        return looked("Airflow", Environments(checkout.settings, dict(os.environ)).airflow)

    assert airflow().state == "warning"
    programs = checkout.settings.root / ".venv-airflow" / "bin"
    programs.mkdir(parents=True)
    (programs / "airflow").write_text("#!/bin/sh\n")
    (programs / "airflow").chmod(0o755)
    assert airflow().found.startswith(f"DOCTOR-INTERPRETER {programs / 'python'}")
    (programs / "python").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    (programs / "python").chmod(0o755)
    found = airflow()
    assert (found.state, found.exit_code) == ("fails", 2)
    assert found.found.endswith("; broken")


def test_a_python_of_the_components_that_is_absent_or_bare(checkout: Checkout) -> None:
    def components(python: str) -> Finding:
        environ = {**os.environ, "EVERFIT_PYTHON": python}
        return looked("components", Environments(checkout.settings, environ).components)

    absent = components(str(checkout.settings.root / "absent"))
    assert (absent.state, absent.exit_code) == ("fails", 2)
    assert "absent" in absent.found
    assert components("/bin/false").found.startswith("DOCTOR-INTERPRETER /bin/false")


def test_an_interpreter_has_only_so_long_to_answer(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from everfit.operations.doctor import asking

    slow = checkout.settings.root / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(asking, "SECONDS", 0.2)
    found = looked("x", lambda: Finding.model_validate(asking.ask(str(slow), "")))
    assert (found.state, found.exit_code) == ("fails", 75)


def test_the_command_says_a_line_for_each_check_and_ends_with_0(shown, capsys) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    states = [line.split()[1] for line in lines if line[:1] in "✓!✗" and line]
    assert len(states) == 12
    assert set(states) <= {"ok", "warning"}
    assert lines[-1].startswith("Nothing fails")


def test_whatever_is_broken_every_check_is_made_and_the_document_says_all(shown, capsys) -> None:
    home = shown.settings.home
    shutil.rmtree(home / "store")
    (home / "store").write_text("a file")
    os.truncate(home / "ledger.db", 3000)
    (home / "mlflow.db").write_bytes(b"x" * 5000)
    (shown.settings.pipelines / "broken.yaml").write_text("[")
    assert main(["doctor", "--json"]) == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    failing = [one["check"] for one in document["checks"] if one["state"] == "fails"]
    assert failing == ["pipelines", "ledger", "store", "MLflow"]
    assert document["fails"] == 4
    assert all(one["todo"] for one in document["checks"] if one["state"] == "fails")
    assert "Traceback" not in out + err
    assert main(["doctor"]) == 2
    assert capsys.readouterr().out.count("\n✗ fails") == 4
